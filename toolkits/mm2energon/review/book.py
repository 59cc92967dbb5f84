"""The book: journal, decisions and standing of a review, kept together; what is written first is applied after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import InputError
from mm2energon.review.decisions import Decisions
from mm2energon.review.identities import Identities, parsed
from mm2energon.review.journal import Appending, Event, Journal
from mm2energon.review.standing import Standing
from mm2energon.review.tables import NONE, Ints

#: So many are looked up together.
_EVENTS_AT_A_TIME = 2000


@dataclass
class _Waiting:
    """Entries of an event that are not indexed yet."""

    event_number: int
    event: Event
    digests: NDArray[np.uint64]
    occurrences: NDArray[np.int64]
    #: Where they stand in the event.
    places: Ints


@dataclass
class Book:
    """What was decided, of entries that are known."""

    journal: Journal
    decisions: Decisions = field(default_factory=Decisions)
    standing: Standing = field(default_factory=Standing)
    _identities: Identities = field(default_factory=lambda: Identities(np.zeros(0, np.uint64)))
    _waiting: list[_Waiting] = field(default_factory=list)
    _base: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))

    @property
    def lost(self) -> int:
        """How often entries were decided on that are not there."""
        return sum(len(one.digests) for one in self._waiting)

    def grow(self, identities: Identities, base: NDArray[np.uint8]) -> None:
        """Know of more entries, also those that decisions have waited for.

        Args:
            base: number of the status that the source gives.
        """
        self._identities, self._base = identities, base
        self.decisions.grow(len(base))
        self.standing.grow(base)
        waiting, self._waiting = self._waiting, []
        self._apply(waiting)  # in their order, and before all that is new

    def refresh(self) -> bool:
        """Take up what others have decided; whether there is anything.

        Raises:
            InputError: the journal cannot be read.
            OSError: the same.
        """
        if self.journal.is_another():
            self._begin_anew()
        elif not self.journal.has_news():
            return False
        news = self.journal.news()
        while events := list(islice(news, _EVENTS_AT_A_TIME)):
            self._take_up(events)
        return True

    def _begin_anew(self) -> None:
        self.journal = Journal(self.journal.path)
        self.decisions, self.standing, self._waiting = Decisions(), Standing(), []
        self.grow(self._identities, self._base)

    def write(self, line: Callable[[], bytes | None]) -> None:
        """Append an event, made once all that others have decided is known, and apply it; None: there is none.

        Raises:
            InputError: the data were rewritten, so that entries have other names.
            OSError: it cannot be saved; nothing has changed.
        """
        with Appending(self.journal.path) as journal:
            self.refresh()
            if self.journal.was_moved:
                raise InputError(f"{self.journal.path}: the data were rewritten in this moment; decide once more")
            if (data := line()) is None:
                return
            journal.add(data)
            self.refresh()

    def _take_up(self, events: list[Event]) -> None:
        noted = []
        for event in events:
            try:
                digests, occurrences = parsed(event.entries)
            except ValueError:
                self.journal.passed_over += 1
                continue
            places = np.arange(len(digests), dtype=np.int32)
            noted.append(_Waiting(self.decisions.note(event), event, digests, occurrences, places))
        self._apply(noted)

    def _apply(self, events: list[_Waiting]) -> None:
        """Apply events to those of their entries that are known; the others wait."""
        if not events:
            return
        every = [np.concatenate(some) for some in zip(*((one.digests, one.occurrences) for one in events), strict=True)]
        numbers, end, changed = self._identities.numbers(*every), 0, []
        for one in events:
            begin, end = end, end + len(one.digests)
            changed.append(self._apply_one(one, numbers[begin:end]))
        self.standing.update(self.decisions, np.unique(np.concatenate(changed)))

    def _apply_one(self, one: _Waiting, numbers: Ints) -> Ints:
        """Apply an event to its entries, which are NONE where they are not known; those that have changed."""
        places, is_known = one.places, numbers != NONE
        if not is_known.all():
            rest = ~is_known
            waits = _Waiting(one.event_number, one.event, one.digests[rest], one.occurrences[rest], places[rest])
            self._waiting.append(waits)
            numbers, places = numbers[is_known], places[is_known]
        if len(numbers) > 1:
            numbers, first = np.unique(numbers, return_index=True)
            places = places[first]
        return self.decisions.apply(one.event_number, one.event, numbers, places) if len(numbers) else numbers


def open_book(path: Path) -> Book:
    """The book of a journal, which need not be there.

    Raises:
        InputError: it cannot be read.
    """
    return Book(Journal(path))
