"""Identities: an entry is known by its content, and by which of those of the same content it is."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.review.model import Identity

_MOST = 1 << 31
#: So many are looked up at a time, for which a few megabytes are enough.
_AT_A_TIME = 1 << 16
_DIGEST, _OCCURRENCE = np.dtype("<u8"), np.dtype("<u4")


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """Identities, as numbers."""

    digests: NDArray[np.uint64]
    occurrences: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.digests)

    def some(self, which: NDArray[Any] | slice) -> Named:
        """Some of them, by places or a mask."""
        return Named(self.digests[which], self.occurrences[which])

    def as_texts(self) -> list[Identity]:
        """As people read them."""
        pairs = zip(self.digests.tolist(), self.occurrences.tolist(), strict=True)
        return [f"{digest:016x}.{occurrence}" for digest, occurrence in pairs]

    def packed(self) -> dict[str, Any]:
        """As JSON has them in little room: `{"count": 2, "digests": "<base64>", "occurrences": "<base64>"}`.

        These are little-endian numbers of 64 and of 32 bits; where all occurrences are 0, they are left out.
        """
        told = {"count": len(self), "digests": _base64(self.digests.astype(_DIGEST))}
        return told | ({"occurrences": _base64(self.occurrences.astype(_OCCURRENCE))} if self.occurrences.any() else {})


NOBODY = Named(np.zeros(0, np.uint64), np.zeros(0, np.uint32))


class Identities:
    """Finds entries by identity, and identities of entries; what was found once stays when entries are added behind."""

    def __init__(self, digests: NDArray[np.uint64]) -> None:
        self._digests = digests
        self._order: NDArray[np.int32] = np.argsort(digests, kind="stable").astype(np.int32)
        self._sorted = digests[self._order]
        self._occurrences: NDArray[np.int32] = np.empty_like(self._order)
        self._occurrences[self._order] = _since_another(self._sorted)

    def since(self, number: int) -> NDArray[np.uint64]:
        """The digests of entries from one on."""
        return self._digests[number:]

    def named(self, numbers: NDArray[np.int32]) -> Named:
        """The identities of entries."""
        return Named(self._digests[numbers], self._occurrences[numbers].astype(np.uint32))

    def of(self, numbers: NDArray[np.int32]) -> list[Identity]:
        """The identities of entries, as people read them."""
        return self.named(numbers).as_texts()

    def numbers(self, named: Named) -> NDArray[np.int32]:
        """The entries of these identities; -1 for those that there are none of."""
        found = np.full(len(named), -1, np.int32)
        if len(self._digests):
            for begin in range(0, len(named), _AT_A_TIME):
                some = slice(begin, begin + _AT_A_TIME)
                found[some] = self._some(named.digests[some], named.occurrences[some])
        return found

    def _some(self, digests: NDArray[np.uint64], occurrences: NDArray[np.uint32]) -> NDArray[np.int32]:
        places = np.searchsorted(self._sorted, digests, side="left") + occurrences.astype(np.int64)
        inside = np.minimum(places, len(self._sorted) - 1)
        is_found = (places < len(self._sorted)) & (self._sorted[inside] == digests)
        found: NDArray[np.int32] = np.where(is_found, self._order[inside], np.int32(-1)).astype(np.int32)
        return found


def _since_another(values: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Of values in order, how many of the same stand before each."""
    places = np.arange(len(values), dtype=np.int32)
    is_another = np.ones(len(values), np.bool_)
    is_another[1:] = values[1:] != values[:-1]
    return places - np.maximum.accumulate(np.where(is_another, places, np.int32(0)))


def parsed(identities: Any) -> Named:
    """Identities from a journal: a list of texts, or as `Named.packed` has them.

    Raises:
        ValueError: they are none.
    """
    try:
        return _unpacked(identities) if isinstance(identities, Mapping) else _of_texts(identities)
    except (TypeError, OverflowError, KeyError, IndexError) as error:
        raise ValueError(f"no identities ({error})") from error


def _of_texts(identities: Sequence[Identity]) -> Named:
    count = len(identities)
    digests = np.fromiter((int(one[:16], 16) for one in identities), np.uint64, count)
    occurrences = np.fromiter((int(one[17:]) for one in identities), np.int64, count)
    if any(one[16] != "." for one in identities) or ((occurrences < 0) | (occurrences >= _MOST)).any():
        raise ValueError("no identities")
    return Named(digests, occurrences.astype(np.uint32))


def _unpacked(packed: Mapping[str, Any]) -> Named:
    digests, count = np.frombuffer(_bytes(packed["digests"]), _DIGEST), packed["count"]
    told = packed.get("occurrences")
    occurrences = np.zeros(len(digests), np.uint32) if told is None else np.frombuffer(_bytes(told), _OCCURRENCE)
    if count != len(digests) or len(occurrences) != count or (occurrences >= _MOST).any():
        raise ValueError("no identities")
    return Named(digests, occurrences)


def _base64(numbers: NDArray[Any]) -> str:
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
