"""The book: journal, decisions and standing of a review, kept together; what is written first is applied after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import InputError
from mm2energon.review.decisions import NONE, Decisions, Ints
from mm2energon.review.identities import Identities, parsed
from mm2energon.review.journal import Appending, Event, Journal
from mm2energon.review.standing import Standing


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
        for one in waiting:  # in their order, and before all that is new
            self._apply(one)

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
        for event in self.journal.news():
            self._take_up(event)
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

    def _take_up(self, event: Event) -> None:
        try:
            digests, occurrences = parsed(event.entries)
        except ValueError:
            self.journal.passed_over += 1
            return
        number = self.decisions.note(event)
        places = np.arange(len(digests), dtype=np.int32)
        self._apply(_Waiting(number, event, digests, occurrences, places))

    def _apply(self, one: _Waiting) -> None:
        """Apply an event to those of its entries that are known; the others wait."""
        numbers = self._identities.numbers(one.digests, one.occurrences)
        is_known = numbers != NONE
        if not is_known.all():
            rest = ~is_known
            waits = _Waiting(one.event_number, one.event, one.digests[rest], one.occurrences[rest], one.places[rest])
            self._waiting.append(waits)
        found, first = np.unique(numbers[is_known], return_index=True)
        if len(found):
            places = one.places[is_known][first]
            changed = self.decisions.apply(one.event_number, one.event, found, places)
            self.standing.update(self.decisions, changed)


def open_book(path: Path) -> Book:
    """The book of a journal, which need not be there.

    Raises:
        InputError: it cannot be read.
    """
    return Book(Journal(path))
