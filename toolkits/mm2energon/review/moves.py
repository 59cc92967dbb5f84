"""Moves: what entries are called since their source was rewritten, as the journal says.

    {"version": 1, "at": "2026-11-21T16:00:00.123Z", "reviewer": "", "do": "moving", "sha256": "...",
     "entries": ["1f0e3dad99908345.0"], "became": ["0c8ce55163055c4d.0"]}
    {"version": 1, "at": "2026-11-21T16:00:00.150Z", "reviewer": "", "do": "moved", "entries": []}

An export writes edited texts into a CSV, whose rows are known by what they say: those that were edited have other names
from then on, and so may have others that said the same. What was decided before is about the new names. The first line
is written before the CSV is exchanged, the second one after it; where a run was killed in between, whoever opens the
CSV next tells by the digest of its bytes whether that has happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.jsonio import loads
from mm2energon.review.identities import Identities, Named, parsed
from mm2energon.review.model import Identity

MOVING, MOVED = "moving", "moved"
#: By which a line is told from others before it is read: most are none.
_MARK, _HEAD_BYTES = b'"do":"mov', 2048


@dataclass(frozen=True)
class Move:
    """Names that change, and the digest of the source from then on."""

    entries: list[Identity]
    became: list[Identity]
    sha256: str


@dataclass(frozen=True, eq=False)
class _Moved:
    """One that has happened."""

    #: Bytes before the line that says so.
    end: int
    #: Old name -> new name, and the digests of the old ones, in order.
    names: Mapping[Identity, Identity]
    digests: NDArray[np.uint64]


class Moves:
    """The moves of a journal."""

    def __init__(self) -> None:
        self._moves: list[_Moved] = []
        #: One of which nobody has said that it has happened.
        self.pending: Move | None = None
        #: Bytes of the journal in which they were looked for.
        self.end = 0

    def read(self, file: IO[bytes]) -> None:
        """Find those of a journal, which is read from its beginning and is there again afterwards."""
        file.seek(0)
        for line in file:
            if line.find(_MARK, 0, _HEAD_BYTES) >= 0 and line.endswith(b"\n"):
                self._take_up(line)
            self.end += len(line)
        file.seek(0)

    def _take_up(self, line: bytes) -> None:
        try:
            value: Any = loads(line)
            if value["do"] == MOVING:
                self.pending = Move(value["entries"], value.get("became", []), value["sha256"])
            elif value["do"] == MOVED and self.pending is not None:
                names = dict(zip(self.pending.entries, self.pending.became, strict=True))
                self._moves.append(_Moved(self.end, names, np.unique(parsed(list(names)).digests)))
                self.pending = None
        except (ValueError, KeyError, TypeError):  # the line is damaged, or none of ours
            return

    def now(self, entries: Named, offset: int) -> Named:
        """What entries are called now that a line names which begins there."""
        for move in self._moves:
            if move.end > offset and move.names:
                entries = _called(entries, move)
        return entries


def _called(entries: Named, move: _Moved) -> Named:
    """Entries by their new names; all others keep theirs."""
    places = np.searchsorted(move.digests, entries.digests)
    touched = np.flatnonzero(move.digests[np.minimum(places, len(move.digests) - 1)] == entries.digests)
    if not len(touched):
        return entries
    became = parsed([move.names.get(one, one) for one in entries.some(touched).as_texts()])
    digests, occurrences = entries.digests.copy(), entries.occurrences.copy()
    digests[touched], occurrences[touched] = became.digests, became.occurrences
    return Named(digests, occurrences)


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
