"""The sources of a dataset: which entry a sample came from, and its pictures compared with those of the entry.

A picture that went through OpenCV into Pillow has red and blue swapped. Which way it lies nearer to its source decides;
a picture that lies near to it neither way is another picture, and a gray one is near both ways.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image, ImageChops, ImageStat

from mm2energon import formats
from mm2energon.database import faults_of_the_disk
from mm2energon.errors import InputError, SampleError, ToolkitError
from mm2energon.jsonio import Entry, dumps, read_entries
from mm2energon.pipeline.doctor_records import DECODE_FAULTS, Chat
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.media_reader import MediaReader
from mm2energon.sample import Sample, Turn
from mm2energon.shards.records import Media

Colours = Literal["right", "swapped", "gray"]

#: Pictures are compared at this size: what encoding anew changes in single pixels evens out.
_COMPARED_SIDE = 64
#: Mean difference of the colour values, of 255, up to which two pictures are taken for the same.
_NEAR = 4.0
#: And of no part of it more than this: a picture pasted into another is found by it.
_NEAR_IN_PARTS = 32
_PARTS = 16
#: How much nearer (in those values, and as a factor) one way has to be than the other to decide.
_CLEARLY, _CLEARLY_IN_PARTS, _TIMES = 0.25, 3.0, 1.5
#: Differences up to which nobody would see which way it is.
_UNSEEN = 1.0
#: Entries with the key of a sample that are compared with it at most.
_MOST_CANDIDATES = 16
_UPRIGHT: Sequence[Image.Transpose | None] = (None, *Image.Transpose)


class Undecided(ToolkitError):
    """The sources do not tell; the message says why."""


@dataclass(frozen=True, slots=True)
class Match:
    """The source of a sample."""

    #: The bytes that `shard` would store, with 2 / fps.
    media: Media
    #: How the stored pictures lie to those of the source.
    colours: Colours


class _Difference(NamedTuple):
    """How much the colour values of two pictures differ, of 255."""

    mean: float
    #: In the part (a sixteenth of the sides) that differs most.
    most: float

    @property
    def is_near(self) -> bool:
        """Whether they are the same picture."""
        return self.mean <= _NEAR and self.most <= _NEAR_IN_PARTS


class Sources:
    """The entries of an annotation file, found by key and by what they say."""

    @faults_of_the_disk()
    def __init__(self, root: Path, annotations: Path, further: tuple[Path, ...] = ()) -> None:
        """
        Args:
            annotations: the file that the dataset was made from, below `root`.
            further: roots, resolved, of which files may be named by absolute paths.

        Raises:
            InputError: there is no such file.
        """
        if not annotations.is_file():
            raise InputError(f"--from-sources {root}: no {annotations.name} in it; --annotations names another file")
        self._finder = MediaFinder(root.resolve(), further=further, failures={})
        self._reader = MediaReader(root.resolve(), min_side=1, pai_seconds=False, further=further)
        self._entries = sqlite3.connect("")  # of its own, on disk where it grows, and gone with us
        self._entries.execute("CREATE TABLE entries (key TEXT, said BLOB, media TEXT)")
        self._entries.executemany("INSERT INTO entries VALUES (?, ?, ?)", _rows(annotations))
        self._entries.execute("CREATE INDEX by_key ON entries (key)")
        self._entries.execute("CREATE INDEX by_said ON entries (said)")

    def close(self) -> None:
        """Let go of the entries."""
        self._entries.close()

    @faults_of_the_disk()
    def match(self, key: str, chat: Chat) -> Match:
        """The source of a sample.

        Raises:
            Undecided: none of its pictures can be compared with it.
        """
        why = "no entry has its key, or says the same"
        for sample in self._candidates(key, chat.sample.turns):
            try:
                media = self._reader.read(self._finder.find(sample), origin=sample.origin)
                return _compared(chat.media, media)
            except (SampleError, Undecided) as error:
                why = str(error)
        raise Undecided(f"{chat.sample.origin}: {why}")

    def _candidates(self, key: str, turns: Sequence[Turn]) -> Iterator[Sample]:
        """Entries that may be the source, the likeliest first."""
        said = _digest(turns)
        ways = (("key = ? AND said = ?", (key, said)), ("said = ?", (said,)), ("key = ?", (key,)))
        for where, values in ways:
            query = f"SELECT DISTINCT media FROM entries WHERE {where} LIMIT {_MOST_CANDIDATES}"  # noqa: S608 - ours
            for (media,) in self._entries.execute(query, values).fetchall():
                images, videos = json.loads(media)
                videos = [tuple(video) if isinstance(video, list) else video for video in videos]
                yield Sample((), images=tuple(images), videos=tuple(videos), origin="its source")


def _rows(annotations: Path) -> Iterator[tuple[str, bytes, str]]:
    for number, entry in enumerate(_entries(annotations)):
        try:
            if entry.error is not None:
                continue
            sample = formats.load(entry.value, origin=entry.origin)
        except SampleError:
            continue  # what cannot be read is the source of nothing
        key = str(number if sample.id is None else sample.id)
        media = dumps([sample.images, sample.videos]).decode()
        yield key.encode("utf-8", "replace").decode(), _digest(sample.turns), media


def _entries(annotations: Path) -> Iterator[Entry]:
    for entry in read_entries(annotations):
        yield from formats.unwrap(entry)


def _digest(turns: Sequence[Turn]) -> bytes:
    said = "\0".join(f"{turn.role}\0{turn.text}" for turn in turns)
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _compared(stored: Media, source: Media) -> Match:
    """The source's media cut to what is stored, and how the stored pictures lie to them.

    Raises:
        Undecided: they are others.
    """
    if len(stored.images) != len(source.images) or len(stored.videos) != len(source.videos):
        raise Undecided("its entry has another number of media")
    source = replace(source, videos=[_as_many(*pair) for pair in zip(stored.videos, source.videos, strict=True)])
    ways: set[str] = {
        compare(one, other)
        for ours, theirs in zip([stored.images, *stored.videos], [source.images, *source.videos], strict=True)
        for one, other in zip(ours, theirs, strict=True)
    }
    if "swapped" in ways and "right" in ways:
        raise Undecided("some of its pictures are swapped, some are not")
    return Match(source, "swapped" if "swapped" in ways else "right" if "right" in ways else "gray")


def _as_many(stored: Sequence[bytes], source: Sequence[bytes]) -> Sequence[bytes]:
    """The frames of the source, without the odd last one that the original script cuts."""
    if len(source) - len(stored) not in (0, 1):
        raise Undecided(f"a video of {len(stored)} frames, of which the source has {len(source)}")
    return source[: len(stored)]


def compare(stored: bytes, source: bytes) -> Colours:
    """Which way the colours of a stored picture lie to those of its source.

    Raises:
        Undecided: it is another picture, or both cannot be told apart clearly enough.
    """
    if stored == source:
        return "right"
    (one, size), (other, source_size) = _small(stored), _small(source)
    if size not in (source_size, source_size[::-1]):
        raise Undecided(
            f"a picture of {size[0]}x{size[1]} pixels, where its source has {source_size[0]}x{source_size[1]}"
        )
    for turned in _UPRIGHT:  # OpenCV leaves a picture as it lies, where its source is turned upright
        upright = other if turned is None else other.transpose(turned)
        same, swapped = _difference(one, upright), _difference(one, _swapped(upright))
        if same.is_near or swapped.is_near:
            return _decided(same, swapped)
    raise Undecided("its picture is none that its entry names")


def _decided(same: _Difference, swapped: _Difference) -> Colours:
    """The nearer way: by the part that differs most, where a spot of colour tells, else by the whole."""
    for one, other, clearly in ((same.most, swapped.most, _CLEARLY_IN_PARTS), (same.mean, swapped.mean, _CLEARLY)):
        least, most = sorted((one, other))
        if most > least * _TIMES + clearly:
            return "swapped" if other < one else "right"
    if max(same.mean, swapped.mean) <= _UNSEEN:
        return "gray"
    raise Undecided("red and blue of its picture are too much alike to tell")


def _small(data: bytes) -> tuple[Image.Image, tuple[int, int]]:
    """A picture as RGB, at the size of comparison, and its own size."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                size = image.size
                image.draft("RGB", (2 * _COMPARED_SIDE, 2 * _COMPARED_SIDE))
                small = image.convert("RGB").resize((_COMPARED_SIDE, _COMPARED_SIDE), Image.Resampling.BOX)
                return small, size
    except DECODE_FAULTS as error:
        raise Undecided(f"a picture cannot be decoded ({error})") from error


def _swapped(image: Image.Image) -> Image.Image:
    return Image.merge("RGB", image.split()[::-1])


def _difference(one: Image.Image, other: Image.Image) -> _Difference:
    pixels = ImageChops.difference(one, other)
    parts = pixels.resize((_PARTS, _PARTS), Image.Resampling.BOX).split()
    most = max(int(part.getextrema()[1]) for part in parts)  # type: ignore[arg-type]
    return _Difference(sum(ImageStat.Stat(pixels).mean) / 3, most)
