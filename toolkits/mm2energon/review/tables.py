"""Tables: whole numbers in columns that grow, texts as numbers, and where a reviewer stands with each entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Mask = NDArray[np.bool_]

#: In the place of a row, or of a number: there is none.
NONE = -1
_LEAST_ROWS = 1024


class Table:
    """Columns of whole numbers, to which rows are added."""

    def __init__(self, *names: str) -> None:
        self.count = 0
        self._arrays: dict[str, Ints] = {name: np.zeros(_LEAST_ROWS, np.int32) for name in names}

    def __getitem__(self, name: str) -> Ints:
        return self._arrays[name][: self.count]

    def add(self, rows: int, **columns: Ints | int) -> Ints:
        """Add so many rows; where they are."""
        begin, end = self.count, self.count + rows
        for name, array in self._arrays.items():
            if end > len(array):
                larger = np.zeros(max(2 * len(array), end), np.int32)
                larger[:begin] = array[:begin]
                self._arrays[name] = array = larger
            array[begin:end] = columns[name]
        self.count = end
        return np.arange(begin, end, dtype=np.int32)


class Names:
    """Texts and their numbers, from 0."""

    def __init__(self, *known: str) -> None:
        self.all = list(known)
        self._numbers = {name: number for number, name in enumerate(known)}

    def number(self, name: str) -> int:
        """The number of a text, which is added where it is new."""
        if name not in self._numbers:
            self._numbers[name] = len(self.all)
            self.all.append(name)
        return self._numbers[name]

    def known(self, name: str) -> int:
        """The number of a text; NONE where there is none."""
        return self._numbers.get(name, NONE)


@dataclass
class Track:
    """Where one reviewer stands with each entry: rows of the log, or NONE."""

    at: Ints
    #: The last one, to which redo leads.
    tip: Ints

    @staticmethod
    def of(count: int) -> Track:
        """One that begins."""
        return Track(np.full(count, NONE, np.int32), np.full(count, NONE, np.int32))

    def grow(self, count: int) -> None:
        """Make room for more entries."""
        self.at, self.tip = (grown(one, count, NONE) for one in (self.at, self.tip))


def distinct(numbers: NDArray[Any]) -> NDArray[Any]:
    """Numbers in order, each once: as `np.unique`, which hashes them, and takes ten times as long for a million."""
    ordered = np.sort(numbers)
    is_another = np.ones(len(ordered), np.bool_)
    is_another[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_another]


def is_distinct(numbers: NDArray[Any]) -> bool:
    """Whether numbers stand in order, and each once."""
    return bool((numbers[1:] > numbers[:-1]).all())


def grown(array: NDArray[Any], count: int, value: int) -> NDArray[Any]:
    """An array of at least so many values: those of before, then `value`."""
    if count <= len(array):
        return array
    return np.concatenate([array, np.full(count - len(array), value, array.dtype)])


def taken(values: Ints, places: Ints, otherwise: int) -> Ints:
    """Values at places, some of which are below 0."""
    if not len(values):
        return np.full(len(places), otherwise, np.int32)
    return np.where(places >= 0, values[places], np.int32(otherwise))
