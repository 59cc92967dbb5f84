"""One shard, looked at: its headers against the indexes, and its bytes, all of them or those of some samples."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.pipeline.record_content import Digests, digests_of
from mm2energon.pipeline.record_faults import RecordReader
from mm2energon.pipeline.row_faults import faults_by_offsets, row_faults
from mm2energon.pipeline.stored_shards import InStore, Pieces, shard_brought
from mm2energon.pipeline.verify_indexed import as_indexed
from mm2energon.roots import open_regular
from mm2energon.shards import reader
from mm2energon.shards.index import SampleRow
from mm2energon.shards.keys import valid_key
from mm2energon.shards.records import SOUNDS
from mm2energon.shards.tars import DamagedTarError, RefusedTarError, odd_bytes, sample_rows
from mm2energon.targets import TARGETS
from mm2energon.terminal import known, told

#: Endings of parts that a target of ours writes; of others, Energon's own decoder unpickles or unpacks some.
_KNOWN_ENDINGS = frozenset({"json", "jpgs", "videos", "mp4s", "mp3s", "jpg", "png", "webp", "bin"}) | SOUNDS
#: Faults of one shard that are told.
_MOST_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class ShardLook:
    """One shard that is to be looked at: a unit of work."""

    root: Path
    name: str
    split: str
    #: Its place in the order of `.info.json`; None when that does not name it.
    number: int | None
    #: What the manifest says of it: samples, bytes, crc32 (or sha256, as earlier versions noted it).
    written: Mapping[str, Any]
    layout: str
    target: str
    odd_frames: str | None
    #: Samples that are read, by their places; None: every byte of the shard.
    places: tuple[int, ...] | None = None
    #: Where the shard lies, if that is no folder that `root` could be.
    in_store: InStore | None = None
    #: Of a shard in a store: what the index says of the samples at `places`, the only ones that are looked at; or, of a
    #: whole one, the digest of all that it says.
    rows: tuple[SampleRow, ...] | None = None
    rows_digest: str | None = None

    def __str__(self) -> str:
        return self.name


@dataclass
class ShardSeen:
    """What was seen of a shard."""

    #: The keys of its samples, by its headers; None when there is no tar to be read.
    keys: list[str] | None = None
    parts: int = 0
    #: Headers and indexes say the same, and nothing lies in it that another loader would unpickle.
    trusted: bool = False
    #: Of the samples that were read: (key, digests).
    read: list[tuple[str, Digests]] = field(default_factory=list)
    #: Samples that were read, those included of which there are no digests.
    samples: int = 0
    images: int = 0
    videos: int = 0
    frames: int = 0
    #: (place, what) of each fault.
    faults: list[tuple[str, str]] = field(default_factory=list)

    def fault(self, place: str, what: str) -> None:
        """Note a fault; after many of them, only that there are more."""
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append((place, what))
        elif len(self.faults) == _MOST_FAULTS:
            self.faults.append((place.partition("/")[0], "more faults, which are not told"))


def look_at_shard(look: ShardLook) -> ShardSeen:
    """Everything that can be told of one shard by itself."""
    with shard_brought(look.in_store, look.root, look.name) as (root, pieces):
        seen = _look(replace(look, root=root), pieces)
    seen.faults = [(place, known(what)) for place, what in seen.faults]
    return seen


def _look(look: ShardLook, pieces: Pieces | None) -> ShardSeen:
    seen = ShardSeen()
    path = look.root / look.name
    rows = _rows(look, path, pieces, seen)
    if look.places is None:
        _check_digest(look, path, seen)
    records = RecordReader(TARGETS[look.layout], TARGETS[look.target], odd_frames=look.odd_frames)
    try:
        for key, record in _records(look, path, rows):
            content, faults = records.read(record)
            seen.samples += 1
            if content is not None:
                seen.read.append((key, digests_of(content)))
            for what in [*_key_faults(key), *faults]:
                seen.fault(f"{look.name}/{key}", what)
    except InputError as error:
        seen.fault(look.name, str(error).removeprefix(f"{path}: "))
    seen.images, seen.videos, seen.frames = records.images, records.videos, records.frames
    return seen


def _rows(look: ShardLook, path: Path, pieces: Pieces | None, seen: ShardSeen) -> list[SampleRow]:
    """Where the samples of a shard lie, or those that are looked at alone."""
    if pieces is None:
        return _headers(look, path, None, seen)
    if look.rows is None:
        pieces.whole()
        return _headers(look, path, pieces, seen)
    for place, what in faults_by_offsets(look.root, look.name, look.places or (), look.rows):
        seen.fault(place, what)
    rows = as_indexed(path, look.rows, pieces, partial(seen.fault, look.name))
    _check_parts(look, rows, seen)
    seen.trusted = not seen.faults
    return rows


def _headers(look: ShardLook, path: Path, pieces: Pieces | None, seen: ShardSeen) -> list[SampleRow]:
    try:
        rows, end = sample_rows(path)
    except DamagedTarError as error:
        if look.places is not None:
            seen.fault(look.name, f"{error}; a whole tar was expected; write the shard again")
        return []
    except (OSError, RefusedTarError) as error:
        if look.places is not None:
            seen.fault(look.name, told(error))
        return []
    seen.keys, seen.parts = [row.key for row in rows], sum(len(row.parts) for row in rows)
    if look.number is not None:
        for place, what in row_faults(
            look.root,
            look.name,
            look.number,
            rows,
            end,
            digest=look.rows_digest,
            bring=None if pieces is None else pieces.bring_rows,
        ):
            seen.fault(place, what)
    _check_parts(look, rows, seen)
    seen.trusted = look.number is not None and not seen.faults
    return rows


def _check_parts(look: ShardLook, rows: list[SampleRow], seen: ShardSeen) -> None:
    odd = next(((row.key, part) for row in rows for part, *_ in row.parts if not _is_known(part)), None)
    if odd is not None:
        seen.fault(
            f"{look.name}/{odd[0]}", f"has a part {odd[1]!r}, which no target writes; loaders unpickle some kinds"
        )


def _is_known(part: str) -> bool:
    return part.rpartition(".")[2] in _KNOWN_ENDINGS


def _records(look: ShardLook, path: Path, rows: list[SampleRow]) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    if look.places is None:
        return reader.read_shard(path)
    some = rows if look.rows is not None else [rows[place] for place in look.places if place < len(rows)]
    return reader.read_samples(path, some)


def _check_digest(look: ShardLook, path: Path, seen: ShardSeen) -> None:
    """The bytes are those that were written, where the manifest says which; where they are not, which part it is."""
    kind = "crc32" if "crc32" in look.written else "sha256"
    if kind not in look.written or not path.is_file():
        return
    try:
        if _digest(path, kind) == look.written[kind]:
            return
    except OSError:
        return  # said by those who read its records
    seen.fault(look.name, f"its bytes are not those that were written ({kind})")
    for member, what in odd_bytes(path):
        key = member.partition(".")[0]
        seen.fault(f"{look.name}/{key}" if key else look.name, f"{member}: {what}" if key else what)


def _digest(path: Path, kind: str) -> str:
    sha256, crc32 = hashlib.sha256(), 0
    with open_regular(path) as file:
        while block := file.read(1 << 20):
            if kind == "sha256":
                sha256.update(block)
            else:
                crc32 = zlib.crc32(block, crc32)
    return sha256.hexdigest() if kind == "sha256" else f"{crc32:08x}"


def _key_faults(key: str) -> Iterable[str]:
    return () if valid_key(key) else ("is no valid key",)
