"""Moves: what entries are called since their source was rewritten, as the journal says.

    {"version": 1, "at": "2026-11-21T16:00:00.123Z", "reviewer": "", "do": "moved",
     "entries": ["1f0e3dad99908345.0"], "became": ["0c8ce55163055c4d.0"]}

An export writes edited texts into a CSV, whose rows are known by what they say: those that were edited have other names
from then on, and so may have others that said the same. What was decided before is about the new names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.jsonio import loads
from mm2energon.review.identities import Identities
from mm2energon.review.model import Identity

MOVED = "moved"
#: By which a line is told from others before it is read: most are none.
_MARK, _HEAD_BYTES = f'"do":"{MOVED}"'.encode(), 2048


class Moves:
    """The moves of a journal."""

    def __init__(self) -> None:
        #: Bytes before each of them, and old name -> new name.
        self._moves: list[tuple[int, Mapping[Identity, Identity]]] = []
        #: Bytes of the journal in which they were looked for.
        self.end = 0

    def read(self, file: IO[bytes]) -> None:
        """Find those of a journal, which is read from its beginning and is there again afterwards."""
        file.seek(0)
        for line in file:
            if line.find(_MARK, 0, _HEAD_BYTES) >= 0 and line.endswith(b"\n"):
                self._moves.append((self.end, _renamed(line)))
            self.end += len(line)
        file.seek(0)

    def now(self, entries: list[Identity], offset: int) -> list[Identity]:
        """What entries are called now that a line names which begins there."""
        for place, names in self._moves:
            if place > offset and names:
                entries = [names.get(one, one) for one in entries]
        return entries


def _renamed(line: bytes) -> Mapping[Identity, Identity]:
    try:
        value: Any = loads(line)
        return dict(zip(value["entries"], value["became"], strict=True))
    except (ValueError, KeyError, TypeError):  # nothing was renamed, or the line is damaged
        return {}


def renamed(before: NDArray[np.uint64], digests: Mapping[int, int]) -> tuple[list[Identity], list[Identity]]:
    """The entries whose identities change, before and after, when some have another content.

    Args:
        before: the digests of all entries.
        digests: number of an entry -> its digest from now on.
    """
    after = before.copy()
    after[list(digests)] = np.array(list(digests.values()), np.uint64)
    differ = before != after
    touched = np.concatenate([before[differ], after[differ]])
    numbers = np.flatnonzero(np.isin(before, touched) | np.isin(after, touched)).astype(np.int32)
    pairs = zip(Identities(before).of(numbers), Identities(after).of(numbers), strict=True)
    found = [(old, new) for old, new in pairs if old != new]
    return [old for old, _ in found], [new for _, new in found]
