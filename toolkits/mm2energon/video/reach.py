"""Reach: which packets a decoder must be fed for the wanted frames, and which of the others can be passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PacketOrder:
    """The packets of a video stream as they are to be decoded."""

    #: int64, of each packet in file order, in ticks; all different among those that are shown.
    pts: NDArray[np.int64]
    #: bool: the packet is decoded and its frame never shown (an edit list says so).
    discarded: NDArray[np.bool_]
    #: Packets that decoding can begin with, rising.
    entries: NDArray[np.int64]
    #: int64, the time by which the container finds each packet, in ticks; None: it does not.
    seek_ticks: NDArray[np.int64] | None

    @cached_property
    def _by_time(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The shown packets as they are shown, and their pts."""
        shown = np.flatnonzero(~self.discarded)
        by_time = shown[np.argsort(self.pts[shown])]
        return by_time, self.pts[by_time]

    def place_of(self, ticks: Sequence[int]) -> NDArray[np.int64]:
        """The packets that are shown at `ticks`."""
        by_time, pts = self._by_time
        places = np.searchsorted(pts, np.asarray(ticks, dtype=np.int64))
        found: NDArray[np.int64] = by_time[np.minimum(places, by_time.size - 1)]
        return found


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of packets to decode in one go, and the wanted frames that come of it."""

    first: int
    last: int
    #: pts of the wanted frames, in ticks, rising.
    wanted: tuple[int, ...]


def plan_runs(order: PacketOrder, wanted: Sequence[int]) -> list[Run]:
    """The stretches to decode for the frames shown at the ticks `wanted` (rising): each from an entry to the last one.

    A picture that is shown before the entry in front of it (a leading picture, where groups of pictures are open) may
    need what stands before: its stretch begins at an earlier entry. Without one, it begins with the first packet.
    """
    runs: list[Run] = []
    for ticks, place in zip(wanted, order.place_of(wanted).tolist(), strict=True):
        run = Run(_entry_before(order, place, ticks), place, (ticks,))
        while runs and run.first <= runs[-1].last:  # one lies in the other, or they overlap
            before = runs.pop()
            run = Run(min(before.first, run.first), max(before.last, run.last), before.wanted + run.wanted)
        runs.append(run)
    return runs


def _entry_before(order: PacketOrder, place: int, ticks: int) -> int:
    number = int(np.searchsorted(order.entries, place, side="right")) - 1
    while number >= 0 and order.pts[order.entries[number]] > ticks:
        number -= 1
    return int(order.entries[number]) if number >= 0 else 0


def share_out(runs: Sequence[Run], parts: int) -> list[list[Run]]:
    """The runs in at most `parts` rows, in order, with about as many packets in each."""
    whole = sum(run.last - run.first + 1 for run in runs)
    rows: list[list[Run]] = [[]]
    done = 0
    for run in runs:
        if rows[-1] and done * parts >= whole * len(rows):
            rows.append([])
        rows[-1].append(run)
        done += run.last - run.first + 1
    return rows
