"""Waiting: entries that were decided on and are not indexed yet; those that come are found by their content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm2energon.review.identities import NOBODY, Identities, Named
from mm2energon.review.tables import NONE, Ints, Mask


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """One for each entry of each event."""

    named: Named
    #: Number of the event, and where the entry stands in it.
    events: Ints
    places: Ints

    def some(self, which: NDArray[Any]) -> _Rows:
        """Some of them, by places or a mask."""
        return _Rows(self.named.some(which), self.events[which], self.places[which])


class Come(NamedTuple):
    """Entries of an event that are indexed now."""

    event: int
    numbers: Ints
    #: Where they stand in the event.
    places: Ints


class Waiting:
    """What waits; the same time is spent on what comes, however much does not."""

    def __init__(self) -> None:
        none = np.zeros(0, np.int32)
        #: In the order of their digests; those that came are marked, and taken out when others are added.
        self._rows = _Rows(NOBODY, none, none)
        self._is_left: Mask = np.zeros(0, np.bool_)
        self._added: list[_Rows] = []

    def left(self) -> dict[int, int]:
        """Event -> how many of its entries wait."""
        often = np.bincount(np.concatenate([self._rows.events[self._is_left], *(rows.events for rows in self._added)]))
        return {int(event): int(often[event]) for event in np.flatnonzero(often)}

    def add(self, event: int, named: Named, places: Ints) -> None:
        """Let entries of an event wait."""
        self._added.append(_Rows(named, np.full(len(named), event, np.int32), places))

    def come(self, identities: Identities, digests: NDArray[np.uint64]) -> Iterator[Come]:
        """Those that are indexed now, in the order of their events; they wait no more.

        Args:
            digests: of what was indexed since somebody asked last, each once.
        """
        self._take_in()
        found = _places_of(digests, self._rows.named.digests)
        found = found[self._is_left[found]]
        numbers = identities.numbers(self._rows.named.some(found))
        is_known = numbers != NONE
        found, numbers = found[is_known], numbers[is_known]
        self._is_left[found] = False
        rows = self._rows.some(found)
        order = np.argsort(rows.events, kind="stable")
        ends = np.flatnonzero(np.diff(rows.events[order])) + 1
        for some in np.split(order, ends) if len(order) else ():
            yield Come(int(rows.events[some[0]]), numbers[some], rows.places[some])

    def _take_in(self) -> None:
        if not self._added:
            return
        every = [self._rows.some(self._is_left), *self._added]
        named = Named(*(np.concatenate([getattr(rows.named, name) for rows in every]) for name in Named.__slots__))
        events, places = (np.concatenate([getattr(rows, name) for rows in every]) for name in ("events", "places"))
        self._rows = _Rows(named, events, places).some(np.argsort(named.digests, kind="stable"))
        self._is_left, self._added = np.ones(len(named), np.bool_), []


def _places_of(wanted: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Where values stand that are in order, each as often as it stands there."""
    begins, ends = (np.searchsorted(ordered, wanted, side=side) for side in ("left", "right"))
    often = ends - begins
    behind = np.cumsum(often)
    return np.repeat(begins - behind + often, often) + np.arange(behind[-1] if len(behind) else 0)
