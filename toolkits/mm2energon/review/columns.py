"""Columns: what is known of entries, as arrays in files that grow; a cache, which may be removed at any time.

In the folder lie a file for each column, the places of entries, their searched texts one a line, and `about.json`,
written last: it says how many entries count. What stands behind them was cut off, and is written again.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.jsonio import dumps, loads
from mm2energon.review.facets import Facets
from mm2energon.review.model import STATUSES
from mm2energon.review.sources import Place
from mm2energon.storage import write_whole

#: Of the files; another one makes them anew.
VERSION = 6
_ABOUT, _PLACES, _TEXTS = "about.json", "places.bin", "texts.bin"
_PLACE = np.dtype([("start", "<i8"), ("length", "<i8"), ("position", "<i8"), ("within", "<i4"), ("inner", "<i4")])
_NUMBERS = ("digest", "media", "question", "text")
_COUNTS = ("images", "videos", "audios", "turns", "question_words", "answer_words")
COLUMNS: dict[str, str] = {
    **dict.fromkeys(_NUMBERS, "<u8"),
    **dict.fromkeys(_COUNTS, "<u4"),
    #: Where its text ends among the texts.
    "text_end": "<i8",
    "category": "<i4",
    "status": "|u1",
    "format": "|u1",
    #: A bit for each of the warnings.
    "warnings": "<u8",
}
_MOST = 2**32 - 1
#: Categories that are told apart; data with more has none, but a name for each entry.
_MOST_CATEGORIES = 100_000
OTHER_CATEGORY = "(others)"
_MOST_WARNINGS = 63


@dataclass
class Words:
    """What the numbers in columns stand for; they are added to, and never taken out."""

    categories: list[str] = field(default_factory=lambda: [""])
    formats: list[str] = field(default_factory=lambda: [""])
    warnings: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = {name: place for place, name in enumerate(self.categories)}

    def category(self, name: str) -> int:
        """The number of a category."""
        place = self._places.get(name)
        if place is None:
            if len(self.categories) >= _MOST_CATEGORIES and name != OTHER_CATEGORY:
                return self.category(OTHER_CATEGORY)
            place = self._places[name] = len(self.categories)
            self.categories.append(name)
        return place

    def known_category(self, name: str) -> int:
        """The number of a category; -1 where there is none of that name."""
        return self._places.get(name, -1)

    def format(self, name: str) -> int:
        """The number of a format."""
        return _place_in(self.formats, name)

    def bits(self, codes: Sequence[str]) -> int:
        """The bits of some warnings."""
        return sum(1 << min(_place_in(self.warnings, code), _MOST_WARNINGS) for code in dict.fromkeys(codes))

    def known_bits(self, codes: Collection[str]) -> int:
        """The bits of those of some warnings that there are."""
        return sum(1 << place for place, code in enumerate(self.warnings) if code in codes)

    def codes(self, bits: int) -> tuple[str, ...]:
        """The warnings of some bits."""
        return tuple(code for place, code in enumerate(self.warnings) if bits >> place & 1)


def _place_in(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


class Batch:
    """Entries on their way into columns."""

    def __init__(self, words: Words, text_bytes: int) -> None:
        self._words = words
        self.places: list[Place] = []
        self._values: dict[str, list[int]] = {name: [] for name in COLUMNS}
        self._texts: list[bytes] = []
        self.text_bytes = text_bytes

    def __len__(self) -> int:
        return len(self.places)

    def add(self, place: Place, facets: Facets) -> None:
        """Add an entry."""
        text = facets.searched.encode("utf-8", "surrogatepass") + b"\n"
        self._texts.append(text)
        self.text_bytes += len(text)
        self.places.append(place)
        row = {name: getattr(facets, name) for name in _NUMBERS}
        row |= {name: min(getattr(facets, name), _MOST) for name in _COUNTS}
        row["text_end"] = self.text_bytes
        row["category"] = self._words.category(facets.category)
        row["status"] = STATUSES.index(facets.status)
        row["format"] = self._words.format(facets.format)
        row["warnings"] = self._words.bits(facets.warnings)
        for name, value in row.items():
            self._values[name].append(value)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns."""
        return {name: np.array(self._values[name], dtype) for name, dtype in COLUMNS.items()}

    def placed(self) -> NDArray[Any]:
        """The places."""
        return np.array(self.places, _PLACE)

    def texts(self) -> bytes:
        """The texts, one a line."""
        return b"".join(self._texts)


@dataclass
class About:
    """How far the columns have come."""

    stamp: Any = None
    count: int = 0
    text_bytes: int = 0
    #: How far in the source, and of how much.
    reached: int = 0
    size: int = 0
    is_complete: bool = False
    #: Why it cannot go on.
    problem: str = ""
    words: Words = field(default_factory=Words)


def read_about(folder: Path) -> About | None:
    """How far the columns in a folder have come; None where there are none that we could read."""
    try:
        found = loads((folder / _ABOUT).read_bytes())
        if found["version"] != VERSION:
            return None
        words = Words(found["categories"], found["formats"], found["warnings"])
        about = About(**{name: found[name] for name in _SAID}, words=words)
        is_whole = all(
            (folder / f"{name}.bin").stat().st_size >= about.count * np.dtype(dtype).itemsize
            for name, dtype in COLUMNS.items()
        )
        is_whole &= (folder / _PLACES).stat().st_size >= about.count * _PLACE.itemsize
        is_whole &= (folder / _TEXTS).stat().st_size >= about.text_bytes
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return about if is_whole else None


_SAID = ("stamp", "count", "text_bytes", "reached", "size", "is_complete", "problem")


class ColumnWriter:
    """Appends entries to the columns of a folder; `with` closes its files."""

    def __init__(self, folder: Path, about: About) -> None:
        """Cut off what does not count.

        Raises:
            OSError: the folder cannot be written to.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.about, self._folder = about, folder
        self._files: dict[str, IO[bytes]] = {}
        self._open = ExitStack()
        sizes = {f"{name}.bin": about.count * np.dtype(dtype).itemsize for name, dtype in COLUMNS.items()}
        sizes |= {_PLACES: about.count * _PLACE.itemsize, _TEXTS: about.text_bytes}
        for name, size in sizes.items():
            file = self._files[name] = self._open.enter_context((folder / name).open("ab"))
            file.truncate(size)

    def __enter__(self) -> ColumnWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def append(self, batch: Batch) -> None:
        """Add entries, which count after `commit`."""
        for name, values in batch.arrays().items():
            self._files[f"{name}.bin"].write(values.tobytes())
        self._files[_PLACES].write(batch.placed().tobytes())
        self._files[_TEXTS].write(batch.texts())
        self.about.count += len(batch)
        self.about.text_bytes = batch.text_bytes

    def commit(self) -> None:
        """Let all that was added count."""
        for file in self._files.values():
            file.flush()
            if self.about.is_complete:
                os.fsync(file.fileno())
        words = self.about.words
        said = {name: getattr(self.about, name) for name in _SAID}
        said |= {"categories": words.categories, "formats": words.formats, "warnings": words.warnings}
        with write_whole(self._folder / _ABOUT) as file:
            file.write(dumps({"version": VERSION, **said}))


class ColumnFiles:
    """The columns of a folder, for reading; a folder that is removed meanwhile can be read to the end."""

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            OSError: there are none.
        """
        self._open = ExitStack()
        names = [*(f"{name}.bin" for name in COLUMNS), _PLACES, _TEXTS]
        self._files = {name: self._open.enter_context((folder / name).open("rb", buffering=0)) for name in names}

    def close(self) -> None:
        """Let go of the files."""
        self._open.close()

    def column(self, name: str, start: int, end: int) -> NDArray[Any]:
        """A column of some entries."""
        return self._rows(f"{name}.bin", np.dtype(COLUMNS[name]), start, end)

    def places(self, start: int, end: int) -> list[Place]:
        """Where entries stand."""
        return [Place(*map(int, row)) for row in self._rows(_PLACES, _PLACE, start, end).tolist()]

    def text(self, start: int, end: int) -> bytes:
        """Some bytes of the texts."""
        return os.pread(self._files[_TEXTS].fileno(), end - start, start)

    def _rows(self, name: str, dtype: np.dtype[Any], start: int, end: int) -> NDArray[Any]:
        size = dtype.itemsize
        data = os.pread(self._files[name].fileno(), (end - start) * size, start * size)
        return np.frombuffer(data, dtype)
