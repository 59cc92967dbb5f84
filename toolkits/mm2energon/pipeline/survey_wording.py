"""Near copies among texts: which say nearly the same in nearly the same letters."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from mm2energon.pipeline.survey_alike import Places, groups_of

#: Texts that are compared at most, the first of them; 40 MB.
MOST_COMPARED = 10_000
#: The part of their groups of three letters that near copies share (Dice).
_SHARED = 0.85
_LETTERS = 3
#: Cells that the groups are dealt to by a hash.
_CELLS = 1024
#: Texts that are compared with all others at a time.
_ROWS = 512
_NUMBER = re.compile(r"\d+")


def worded_alike(texts: Sequence[str]) -> list[list[int]]:
    """Groups of texts that are worded nearly the same, by their places; those of other numbers are not.

    Whatever resembles a member of a group is in the group.
    """
    texts = texts[:MOST_COMPARED]
    return groups_of(len(texts), _near(texts))


def _near(texts: Sequence[str]) -> Iterator[tuple[int, Places]]:
    table = np.zeros((len(texts), _CELLS), dtype=np.float32)
    for place, text in enumerate(texts):
        table[place, _cells(text)] = 1
    sizes = table.sum(axis=1)
    known: dict[tuple[str, ...], int] = {}
    numbers = np.array([known.setdefault(tuple(_NUMBER.findall(text)), len(known)) for text in texts])
    for begin in range(0, len(texts), _ROWS):
        some = slice(begin, begin + _ROWS)
        is_near = 2 * (table[some] @ table[begin:].T) >= _SHARED * np.add.outer(sizes[some], sizes[begin:])
        is_near &= np.equal.outer(numbers[some], numbers[begin:])
        for row in np.flatnonzero(is_near.sum(axis=1) > 1).tolist():
            others = np.flatnonzero(is_near[row, row + 1 :]) + begin + row + 1
            if len(others):
                yield begin + row, others


def _cells(text: str) -> list[int]:
    around = f"  {text} ".encode("utf-32-le", "surrogatepass")
    ends = range(0, len(around) - 4 * (_LETTERS - 1), 4)
    return [zlib.crc32(around[end : end + 4 * _LETTERS]) % _CELLS for end in ends]
