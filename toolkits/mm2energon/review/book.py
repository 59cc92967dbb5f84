"""The book: journal, decisions and standing of a review, kept together; what is written first is applied after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import InputError
from mm2energon.pipeline.sources import JOURNAL_SUFFIX
from mm2energon.review.appending import Appending
from mm2energon.review.decisions import Decisions
from mm2energon.review.identities import Identities, Named
from mm2energon.review.journal import Event, Journal, Shares, beside
from mm2energon.review.standing import Standing
from mm2energon.review.tables import NONE, Ints, distinct, is_distinct
from mm2energon.review.waiting import Waiting

#: So many entries, of however many events, are looked up together; those of one event always are.
_TOGETHER = 1 << 14


@dataclass
class Book:
    """What was decided, of entries that are known."""

    journal: Journal
    #: What is decided on.
    source: Path | None = None
    decisions: Decisions = field(default_factory=Decisions)
    standing: Standing = field(default_factory=Standing)
    _identities: Identities = field(default_factory=lambda: Identities(np.zeros(0, np.uint64)))
    _waiting: Waiting = field(default_factory=Waiting)
    #: Of events some of whose entries wait: who gets which.
    _shares: dict[int, Shares | None] = field(default_factory=dict)
    _base: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))

    @property
    def lost(self) -> int:
        """How often entries were decided on that are not there, though they were in this source."""
        often: Counter[str] = Counter()
        for event, count in self._waiting.left().items():
            often[self.decisions.events[event].source] += count
        return sum(count for name, count in often.items() if not self._is_of_another(name))

    def _is_of_another(self, name: str) -> bool:
        """Whether data of a name, other than ours, lie beside ours and have the same journal: `a.json` and `a.csv`."""
        if self.source is None or name in ("", self.source.name) or Path(name).name != name:
            return False
        other = self.source.with_name(name)
        return beside(other, JOURNAL_SUFFIX) == self.journal.path and other.exists()

    def grow(self, identities: Identities, base: NDArray[np.uint8]) -> None:
        """Know of more entries, also those that decisions have waited for.

        Args:
            base: number of the status that the source gives.
        """
        new = distinct(identities.since(len(self._base)))
        self._identities, self._base = identities, base
        self.decisions.grow(len(base))
        self.standing.grow(base)
        come = self._waiting.come(identities, new)  # in their order, and before all that is decided from now on
        changed = [self._apply(one.event, self._shares.get(one.event), one.numbers, one.places) for one in come]
        if changed:
            self.standing.update(self.decisions, distinct(np.concatenate(changed)))

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
        events: list[Event] = []
        count = 0
        try:
            for event in self.journal.news():
                events.append(event)
                count += 1 + len(event.entries)
                if count >= _TOGETHER:
                    some, events, count = events, [], 0
                    self._take_up(some)
        finally:  # what stands before a line that cannot be read is not read again
            self._take_up(events)
        return True

    def _begin_anew(self) -> None:
        self.journal = Journal(self.journal.path)
        self.decisions, self.standing, self._waiting, self._shares = Decisions(), Standing(), Waiting(), {}
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
        """Apply events to those of their entries that are known; the others wait."""
        if not events:
            return
        named = [event.entries for event in events]
        every = Named(
            np.concatenate([one.digests for one in named]), np.concatenate([one.occurrences for one in named])
        )
        numbers, end, changed = self._identities.numbers(every), 0, []
        for event in events:
            begin, end = end, end + len(event.entries)
            changed.append(self._take_up_one(event, numbers[begin:end]))
        self.standing.update(self.decisions, distinct(np.concatenate(changed)))

    def _take_up_one(self, event: Event, numbers: Ints) -> Ints:
        """Apply an event to its entries, which are NONE where they are not known; those that have changed."""
        noted, places, is_known = self.decisions.note(event), np.arange(len(numbers), dtype=np.int32), numbers != NONE
        if not is_known.all():
            rest = ~is_known
            self._waiting.add(noted, event.entries.some(rest), places[rest])
            self._shares[noted] = event.shares
            numbers, places = numbers[is_known], places[is_known]
        return self._apply(noted, event.shares, numbers, places)

    def _apply(self, event: int, shares: Shares | None, numbers: Ints, places: Ints) -> Ints:
        if not is_distinct(numbers):
            numbers, first = np.unique(numbers, return_index=True)
            places = places[first]
        return self.decisions.apply(event, shares, numbers, places) if len(numbers) else numbers


def open_book(path: Path, source: Path | None = None) -> Book:
    """The book of a journal, which need not be there.

    Args:
        source: what is decided on.

    Raises:
        InputError: it cannot be read.
    """
    return Book(Journal(path), source)
