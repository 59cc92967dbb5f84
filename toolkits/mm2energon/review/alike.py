"""Alike: other entries of the same content, the same media, the same question, or all the same words."""

from __future__ import annotations

import numpy as np

from mm2energon.review.entries import Entries
from mm2energon.review.model import Alike

#: Of each kind, as many are told.
_MOST = 1000


def alike(entries: Entries, number: int) -> Alike:
    """Entries that are like one of them, without itself."""
    return Alike(*(_same(entries, column, number) for column in ("digest", "media", "question", "text")))


def _same(entries: Entries, column: str, number: int) -> tuple[int, ...]:
    values = entries.column(column)
    if not values[number]:  # there is nothing of it
        return ()
    found = np.flatnonzero(values == values[number])
    return tuple(int(one) for one in found[found != number][:_MOST])
