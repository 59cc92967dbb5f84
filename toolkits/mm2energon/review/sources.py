"""Sources: what can be reviewed. Each goes through its entries once, and finds any of them again by its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple, Protocol

from mm2energon import formats
from mm2energon.errors import InputError, SampleError
from mm2energon.jsonio import Entry, broken_entry, dumps, goes_by_lines
from mm2energon.jsonplaces import Placed, read_again, read_placed
from mm2energon.review.model import Kind
from mm2energon.roots import open_regular
from mm2energon.sample import Sample
from mm2energon.terminal import told

#: Bytes of a file that are shown where it breaks off.
_SHOWN_BYTES = 4096
_BLOCK_BYTES = 1 << 20
_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


class Place(NamedTuple):
    """Where an entry stands in its source."""

    #: Bytes before what holds it, and how many hold it; of an entry that breaks off, which has no end, none do.
    start: int
    length: int
    #: What it is called there: its line, its place in the array, or the number of its shard.
    position: int
    #: Which of the values that these bytes hold it is, and which of the entries that are packed in that value.
    within: int = 0
    inner: int = 0


class Found(NamedTuple):
    """An entry, and where it was found."""

    place: Place
    entry: Entry
    #: Of a CSV: column -> value.
    fields: Mapping[str, str] = _NO_FIELDS


class Loaded(NamedTuple):
    """What an entry is."""

    #: None where it is no sample.
    sample: Sample | None
    #: Why it is none, or none that can be used as it is.
    error: SampleError | None
    format: str


class Source(Protocol):
    """What can be reviewed."""

    kind: Kind
    path: Path
    name: str

    @property
    def size(self) -> int:
        """Of what there is to go through, compared with `reached`."""

    def stamp(self) -> tuple[Any, ...]:
        """What is another when the source has changed."""

    def found(self) -> Iterator[Found]:
        """All entries, in order."""

    def reached(self, place: Place) -> int:
        """How far one has come at an entry."""

    def read(self, places: Sequence[Place]) -> list[Found]:
        """Some entries again.

        Raises:
            InputError: the source cannot be read, or is not what it was.
        """

    def load(self, found: Found) -> Loaded:
        """An entry as a sample, or why it is none."""

    def content(self, found: Found) -> bytes:
        """By what an entry is known, wherever it stands."""


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of a file.

    Raises:
        InputError: it is not there.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({told(error)}); a file was expected") from error
    return about.st_size, about.st_mtime_ns


class JsonSource:
    """An annotation file: an array, or lines."""

    kind: Kind = "json"

    def __init__(self, path: Path, *, read_as: str | None = None, name: str | None = None) -> None:
        """
        Raises:
            InputError: there is no such file.
        """
        self.path = path
        self.name = name or path.name
        self._read_as = read_as
        self.size = stamp_of(path)[0]
        self._by_lines: bool | None = None

    def stamp(self) -> tuple[Any, ...]:
        """As of `Source`."""
        return (*stamp_of(self.path), self._read_as)

    def reached(self, place: Place) -> int:
        """As of `Source`."""
        return place.start + place.length

    def found(self) -> Iterator[Found]:
        """As of `Source`."""
        for placed in read_placed(self.path, name=self.name):
            yield from self._unpacked(placed, placed.entries)

    def _unpacked(self, where: Placed, entries: Sequence[Entry], *, first: int = 0) -> Iterator[Found]:
        for within, entry in enumerate(entries, start=first):
            if entry.breaks_off:
                place = Place(where.start, 0, where.number + within)
                yield Found(place, self._broken_off(place))
                continue
            for inner, one in enumerate(formats.unwrap(entry)):
                place = Place(where.start, where.end - where.start, where.number + within, within, inner)
                yield Found(place, one)

    def read(self, places: Sequence[Place]) -> list[Found]:
        """As of `Source`."""
        often = Counter(place.start for place in places)
        held: dict[int, list[Found]] = {}  # of those that stand together, all are decoded, once
        found = []
        with opened(self.path) as file:
            if self._by_lines is None:
                self._by_lines = goes_by_lines(self.path)
            for place in places:
                if not place.length:
                    found.append(Found(place, self._broken_off(place)))
                    continue
                if place.start not in held:
                    alone = often[place.start] == 1
                    held[place.start] = self._read_stretch(file, place, self._by_lines, alone=alone)
                wanted = (place.within, place.inner)
                met = next((one for one in held[place.start] if one.place[3:] == wanted), None)
                if met is None:
                    raise changed(self.path)
                found.append(met)
        return found

    def _read_stretch(self, file: IO[bytes], place: Place, by_lines: bool, *, alone: bool) -> list[Found]:
        """What stands where an entry does.

        Args:
            alone: no other entry is wanted.
        """
        file.seek(place.start)
        data = file.read(place.length)
        end = place.start + place.length
        where = Placed(place.start, end, place.position - place.within, by_lines, [])
        entries = read_again(data, where, name=self.name, only=place.within if alone else None)
        return list(self._unpacked(where, entries, first=place.within if alone and not by_lines else 0))

    def _broken_off(self, place: Place) -> Entry:
        """The rest of a file that cannot be read: its beginning, as text."""
        with opened(self.path) as file:
            line = 1 + sum(block.count(b"\n") for block in _blocks(file, place.start))
            text = file.read(_SHOWN_BYTES).decode("utf-8", "replace")
        advice = "mend it, for it and all behind it cannot be read"
        fault = f"behind line {line}, byte {place.start} of the file"
        broken = broken_entry(f"{self.name}[{place.position}]", fault, text=text, advice=advice)
        return broken._replace(breaks_off=True)

    def load(self, found: Found) -> Loaded:
        """As of `Source`."""
        entry = found.entry
        name = ""
        try:
            if entry.error is not None:
                raise entry.error
            name = self._read_as or formats.detect(entry.value, origin=entry.origin)
            return Loaded(formats.FORMATS[name].load(entry.value, origin=entry.origin), None, name)
        except SampleError as error:
            return Loaded(None, error, name)

    def content(self, found: Found) -> bytes:
        """As of `Source`."""
        return dumps(found.entry.value)


def opened(path: Path) -> IO[bytes]:
    """A regular file, for reading.

    Raises:
        InputError: it is none.
    """
    try:
        return open_regular(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({told(error)}); a regular file was expected") from error


def changed(path: Path) -> InputError:
    """The error for a source that is not what was indexed."""
    return InputError(
        f"{path}: has changed since it was opened; the file as it was then was expected; stop, and start again"
    )


def _blocks(file: IO[bytes], size: int) -> Iterator[bytes]:
    """The next bytes of a file, so many of them; then it stands behind them."""
    while size and (block := file.read(min(size, _BLOCK_BYTES))):
        size -= len(block)
        yield block
