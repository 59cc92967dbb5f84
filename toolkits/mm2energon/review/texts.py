"""Texts: what entries say, folded, looked through from front to back, block by block."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm2energon.review.columns import ColumnFiles

#: Bytes looked through at a time: they stay in the processor's cache, and other threads have their turn in between.
_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True)
class Texts:
    """The texts of some entries."""

    files: ColumnFiles | None
    #: How many of these there are in the files; behind them come those that were kept.
    count: int
    kept: tuple[bytes, ...]

    def __len__(self) -> int:
        return self.count + len(self.kept)

    def search(self, terms: Sequence[str]) -> NDArray[np.bool_]:
        """Which entries say all terms, which are folded."""
        wanted = sorted({term.encode("utf-8", "surrogatepass") for term in terms}, key=len, reverse=True)
        found = np.zeros(len(self), np.bool_)
        if self.files is not None and self.count:
            ends = self.files.column("text_end", 0, self.count)
            for start, end in _blocks(ends):
                begin = int(ends[start - 1]) if start else 0
                block = self.files.text(begin, int(ends[end - 1]))
                found[start:end] = _hits(block, ends[start:end] - begin, wanted)
        if self.kept:
            found[self.count :] = _hits(b"".join(self.kept), np.cumsum([len(text) for text in self.kept]), wanted)
        return found


def _blocks(ends: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Which texts to read at a time: from one entry to before another, about so many bytes together."""
    start, count = 0, len(ends)
    while start < count:
        begin = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, begin + _BLOCK_BYTES, side="right")))
        yield start, end
        start = end


def _hits(block: bytes, ends: NDArray[np.int64], terms: Sequence[bytes]) -> NDArray[np.bool_]:
    """Which of the texts that end there hold all terms, of which none holds the end of a text."""
    found = np.zeros(len(ends), np.bool_)
    if not terms:
        return ~found
    first, *others = terms
    bounds, rows = ends.tolist(), []
    at = block.find(first)
    while at >= 0:
        row = bisect_right(bounds, at)
        begin, end = bounds[row - 1] if row else 0, bounds[row]
        if all(block.find(other, begin, end) >= 0 for other in others):
            rows.append(row)
        at = block.find(first, end)
    found[rows] = True
    return found
