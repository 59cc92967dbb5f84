"""Identities: an entry is known by its content, and by which of those of the same content it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mm2energon.review.model import Identity

_MOST = 1 << 31


class Identities:
    """Finds entries by identity, and identities of entries; what was found once stays when entries are added behind."""

    def __init__(self, digests: NDArray[np.uint64]) -> None:
        self._digests = digests
        self._order: NDArray[np.int32] = np.argsort(digests, kind="stable").astype(np.int32)
        self._sorted = digests[self._order]
        #: Number -> its place in the order.
        self._places: NDArray[np.int32] = np.empty_like(self._order)
        self._places[self._order] = np.arange(len(digests), dtype=np.int32)

    def of(self, numbers: NDArray[np.int32]) -> list[Identity]:
        """The identities of entries."""
        digests = self._digests[numbers]
        occurrences = self._places[numbers] - np.searchsorted(self._sorted, digests, side="left")
        pairs = zip(digests.tolist(), occurrences.tolist(), strict=True)
        return [f"{digest:016x}.{occurrence}" for digest, occurrence in pairs]

    def numbers(self, digests: NDArray[np.uint64], occurrences: NDArray[np.int64]) -> NDArray[np.int32]:
        """The entries of these identities; -1 for those that there are none of."""
        if not len(self._digests):
            return np.full(len(digests), -1, np.int32)
        places = np.searchsorted(self._sorted, digests, side="left") + occurrences
        inside = np.minimum(places, len(self._sorted) - 1)
        is_found = (places < len(self._sorted)) & (self._sorted[inside] == digests)
        found: NDArray[np.int32] = np.where(is_found, self._order[inside], np.int32(-1)).astype(np.int32)
        return found


def parsed(identities: Sequence[Identity]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The digests and occurrences of identities.

    Raises:
        ValueError: one of them is none.
    """
    try:
        count = len(identities)
        digests = np.fromiter((int(one[:16], 16) for one in identities), np.uint64, count)
        occurrences = np.fromiter((int(one[17:]) for one in identities), np.int64, count)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"no identities ({error})") from error
    if any(one[16] != "." for one in identities) or ((occurrences < 0) | (occurrences >= _MOST)).any():
        raise ValueError("no identities")
    return digests, occurrences
