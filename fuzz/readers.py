"""The READERS table: functions of bytes that may raise nothing, and bytes to begin with.

A reader of the library may refuse what it is given, by the errors that it names. Everything else is a finding: another
exception, and what an assertion says of a result (that of a second, independent reader, where there is one).
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import pickle
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from mm2energon import formats
from mm2energon.errors import InputError, MediaError, SampleError
from mm2energon.images import library, plain_facts
from mm2energon.jsonio import Entry, dumps, loads, read_entries
from mm2energon.pipeline.archives import unpack_all
from mm2energon.pipeline.ledger import STATE_FOLDER, read_ledger
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.prepare import Prepared, prepare
from mm2energon.review.book import open_book
from mm2energon.review.identities import Identities
from mm2energon.review.indexing import IndexJob
from mm2energon.review.journal import event_line
from mm2energon.shards.index import ShardIndex, unpack_index, unpack_offsets
from mm2energon.shards.pickles import load_nested_bytes
from mm2energon.shards.reader import read_dataset_yaml, read_index
from mm2energon.shards.tars import DamagedTarError, RefusedTarError, members
from mm2energon.targets import TARGETS
from mm2energon.video.av1 import leaves_no_trace, read_sequence
from mm2energon.video.encode import WHOLE_VIDEOS, FrameOptions
from mm2energon.video.layout import find_frames
from mm2energon.video.pack import holds_frames, read_pack
from mm2energon.video.places import Place, read_mark
from mm2energon.video.references import References
from mm2energon.video.sampling import Sampling
from mm2energon.video.structure import WALKS, find_damage
from mm2energon.video.wholeness import ends_inside, promised_bytes

from fuzz import seeds

#: Written to by every input.
SCRATCH = Path(os.environ.get("FUZZ_SCRATCH") or tempfile.mkdtemp(prefix="fuzz-"))


@dataclass(frozen=True)
class Reader:
    """What is fuzzed."""

    read: Callable[[bytes], None]
    #: Bytes to begin with, sound ones for the most part.
    seeds: Callable[[], Iterable[bytes]]
    longest: int = 4096


def _entries(data: bytes) -> None:
    """Annotations; an array that `json` can read has all its entries, of the same values."""
    path = SCRATCH / "train.json"
    path.write_bytes(data)
    try:
        found = list(read_entries(path))
    except InputError:
        return
    assert all((entry.error is None) or (entry.error.code == "broken-json") for entry in found)
    with contextlib.suppress(ValueError, RecursionError):
        expected = json.loads(data, parse_constant=_refuse)
        if isinstance(expected, list) and data.lstrip()[:1] == b"[":
            assert len(found) == len(expected), (len(found), len(expected))
            for entry, value in zip(found, expected, strict=True):
                assert entry.error is not None or _same(entry.value, value), (entry.value, value)


def _value(data: bytes) -> None:
    """One JSON value."""
    with contextlib.suppress(ValueError):
        value = loads(data)
        assert _same(value, json.loads(data, parse_constant=_refuse)), value
        assert _same(loads(dumps(value)), value), value


def _formats(data: bytes) -> None:
    """An entry, on its way to a shard of each target."""
    try:
        value = loads(data)
    except ValueError:
        return
    finder = MediaFinder(SCRATCH, failures={})
    for entry in formats.unwrap(Entry("train.json[0]", value)):
        if entry.error is not None:
            continue
        with contextlib.suppress(SampleError):
            formats.to_sharegpt(entry.value, origin=entry.origin)
        for target in TARGETS.values():
            with contextlib.suppress(SampleError):
                planned = prepare(entry, target=target, mending=Mending(prepend_missing_tags=True), finder=finder)
                again = Prepared.from_json(loads(dumps(planned.as_json())))
                assert replace(again, refused_by=planned.refused_by) == planned, planned


class _ListsAndBytes(pickle.Unpickler):
    """The pickle machine, without anything to call."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name}")


def _pickles(data: bytes) -> None:
    """A part of pictures; what is read is what pickle reads."""
    with contextlib.suppress(SampleError):
        found = load_nested_bytes(data)
        assert found == _ListsAndBytes(io.BytesIO(data)).load(), found


def _pictures(data: bytes) -> None:
    """The header of a picture; what is told without a library is what the library tells."""
    path = SCRATCH / "picture"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        plain = plain_facts(descriptor)
    finally:
        os.close(descriptor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            facts = library.open_facts(path, origin="picture", decode=False)
        except MediaError as error:
            assert plain is None, (plain, str(error))
            return
    assert plain in (None, facts), (plain, facts)


def _av1(data: bytes) -> None:
    """A sequence header, and a packet by it."""
    record, packet = data[: len(data) // 2], data[len(data) // 2 :]
    sequence = read_sequence(record)
    if sequence is not None:
        assert leaves_no_trace(packet, sequence) in (True, False)


class _Packet(bytes):
    is_keyframe = True


def _references(data: bytes) -> None:
    """A packet of each codec, its units behind lengths or start codes."""
    packet = _Packet(data[1:])
    for codec in ("h264", "hevc", "mjpeg", "vp9"):
        stream = References(codec, length_bytes=(data[:1] or b"\0")[0] % 5, top_layer=1)
        assert stream.is_entry(packet) in (True, False) and stream.is_unreferenced(packet) in (True, False)
        assert all(isinstance(one, bytes) for one in stream.parameter_sets(packet))


def _indexes(data: bytes) -> None:
    """The offsets beside a shard, and the rows in a done record."""
    with contextlib.suppress(ValueError):
        assert len(unpack_offsets(data)) * 8 == len(data)
    with contextlib.suppress(ValueError):
        assert isinstance(unpack_index(data), ShardIndex)


def _tars(data: bytes) -> None:
    """A shard."""
    with contextlib.suppress(DamagedTarError, RefusedTarError):
        for member in members(io.BytesIO(_with_sums(data))):
            assert 0 <= member.begin <= member.end <= len(data) + 511, member


def _archive(name: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        """An archive of videos: nothing outside its folder, nothing but files and folders in it."""
        shutil.rmtree(SCRATCH / "box", ignore_errors=True)
        root = SCRATCH / "box" / "root"
        root.mkdir(parents=True)
        (root / name).write_bytes(_with_sums(data) if name.endswith(".tar") else data)
        list(unpack_all(root))
        assert [path.name for path in root.parent.iterdir()] == ["root"]
        assert all(path.is_dir() or path.is_file() for path in root.rglob("*"))
        assert not any(path.is_symlink() for path in root.rglob("*"))

    return read


def _sidecars(data: bytes) -> None:
    """What lies beside a video or in a ledger, whoever wrote it."""
    video, place = SCRATCH / "v.mp4", Place(SCRATCH / "v", SCRATCH / "v.json")
    place.folder.mkdir(exist_ok=True)
    for path in (video, place.folder / "000001.jpg"):
        path.write_bytes(b"x")
    for path in (place.sidecar, place.mark, SCRATCH / STATE_FOLDER / "outputs.json"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    read_mark(place)
    assert isinstance(read_ledger(SCRATCH), dict)
    about = read_pack(video, FrameOptions(Sampling(fps=2.0)), SCRATCH / "v", WHOLE_VIDEOS)
    if about is not None:
        holds_frames(SCRATCH / "v", about)
    with contextlib.suppress(MediaError):
        find_frames(video)
    video.unlink()
    with contextlib.suppress(MediaError):
        find_frames(video)


def _metadata(data: bytes) -> None:
    """The files of `.nv-meta`."""
    folder = SCRATCH / ".nv-meta"
    folder.mkdir(exist_ok=True)
    parts = [*data.split(b"\n---\n"), b"{}", b"{}"]
    for name, part in zip((".info.json", "split.yaml", "mm2energon.json"), parts, strict=False):
        (folder / name).write_bytes(part)
    with contextlib.suppress(InputError):
        read_index(SCRATCH)
    with contextlib.suppress(InputError):
        read_dataset_yaml(SCRATCH, "split.yaml")


def _wholeness(data: bytes) -> None:
    """Where a video says that it ends, and whether its units stand one behind the other."""
    path = SCRATCH / "v.bin"
    path.write_bytes(data)
    promised = promised_bytes(path)
    assert promised is None or promised >= 0
    for container in ("gif", "mpegts", "mpeg"):
        assert ends_inside(path, container) in (True, False)
    for container in WALKS:
        damage = find_damage(path, container)
        assert damage is None or 0 <= damage.at <= len(data), (container, damage)


def _reviewed(data: bytes) -> None:
    """A file that is reviewed, as JSON and as a CSV: whatever is found is found again, and has facets."""
    for name in ("train.json", "a.csv"):
        path = SCRATCH / name
        path.write_bytes(data)
        job = IndexJob(path, SCRATCH, SCRATCH.resolve(), "category", None, "pai-v1")
        with contextlib.suppress(InputError):
            source = job.source()
            found = list(source.found())
            again = source.read([one.place for one in found])
            assert [source.content(one) for one in again] == [source.content(one) for one in found]
            facetting = job.facetting(source)
            assert [facetting.of(one) for one in again] == [facetting.of(one) for one in found]


def _journals(data: bytes) -> None:
    """Decisions, whoever wrote them; a decision behind them is heard."""
    path = SCRATCH / "a.review.jsonl"
    path.write_bytes(data)
    digests = np.array([1, 2, 1], np.uint64)
    with contextlib.suppress(InputError):
        book = open_book(path)
        book.grow(Identities(digests), np.zeros(3, np.uint8))
        book.refresh()
        book.write(lambda: event_line("reject", ["0000000000000002.0"], "z"))
        assert book.decisions.log["number"][-1] == 1


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same kinds: 1 is neither 1.0 nor true."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and (not isinstance(one, float) or math.copysign(1, one) == math.copysign(1, other))


def _with_sums(data: bytes) -> bytes:
    """A tar whose headers have the sums that they should: nobody finds those by chance."""
    tar = bytearray(data)
    for at in range(0, len(tar) - 511, 512):
        if tar[at + 257 : at + 262] == b"ustar":
            tar[at + 148 : at + 156] = b" " * 8
            tar[at + 148 : at + 156] = b"%06o\0 " % sum(tar[at : at + 512])
    return bytes(tar)


READERS: dict[str, Reader] = {
    "entries": Reader(_entries, seeds.of_entries),
    "value": Reader(_value, seeds.of_values),
    "formats": Reader(_formats, seeds.of_values),
    "pickles": Reader(_pickles, seeds.of_pickles),
    "pictures": Reader(_pictures, seeds.of_pictures),
    "av1": Reader(_av1, seeds.of_packets, longest=512),
    "references": Reader(_references, seeds.of_packets, longest=512),
    "indexes": Reader(_indexes, seeds.of_indexes, longest=512),
    "tars": Reader(_tars, seeds.of_tars, longest=8192),
    "archive-tar": Reader(_archive("v.tar"), seeds.of_tars, longest=8192),
    "archive-zip": Reader(_archive("v.zip"), seeds.of_zips),
    "sidecars": Reader(_sidecars, seeds.of_sidecars, longest=1024),
    "metadata": Reader(_metadata, seeds.of_metadata, longest=1024),
    "reviewed": Reader(_reviewed, seeds.of_reviewed),
    "journals": Reader(_journals, seeds.of_journals),
    "wholeness": Reader(_wholeness, seeds.of_videos, longest=8192),
}
