"""Opened: a dataset with its index and its journal, each of which goes on while it is open."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from mm2energon.errors import InputError
from mm2energon.review.book import open_book
from mm2energon.review.editing import edited
from mm2energon.review.entries import Entries
from mm2energon.review.indexing import IndexJob
from mm2energon.review.journal import Journal
from mm2energon.review.model import Kind
from mm2energon.review.opening import index_place, kept_beside
from mm2energon.review.sources import Source
from mm2energon.review.views import State, Views

#: Seconds between two looks at an index that is waited for.
_LOOK_SECONDS = 0.1
_EDITS_REMEMBERED = 10_000


class _Parts(NamedTuple):
    """A source with its entries, and a folder that goes when it is closed."""

    source: Source
    entries: Entries
    temporary: Path | None


def _opened(job: IndexJob) -> _Parts:
    source = job.source()
    place = index_place(job, source)
    entries = Entries(replace(job, folder=place.folder), source, kept_beside(job.path))
    return _Parts(source, entries, place.folder if place.is_temporary else None)


class Opened:
    """A dataset that is open: its index, and the decisions of its journal; they are looked at each time one asks."""

    def __init__(self, job: IndexJob, *, reviewers: Sequence[str], journal: Path) -> None:
        """
        Raises:
            InputError: the source or the journal cannot be read.
        """
        self._job = job
        Journal(journal).complete_move(job.path)
        source, entries, temporary = _opened(job)
        #: What the source is called.
        self.name = source.name
        self.path = source.path
        self.kind: Kind = source.kind
        self.root = job.root
        #: By which an entry has its category; that of a CSV is a column.
        self.category_key = "category" if source.kind == "csv" else job.category_key
        #: Where the decisions are.
        self.journal_path = journal
        #: Of samples that were kept from answers.
        self.kept_path = kept_beside(source.path)
        #: A folder that goes when this is closed.
        self.temporary = temporary
        self._source, self._given = source, tuple(reviewers)
        self._lock, self._views = threading.RLock(), Views()
        self._state = State(entries, open_book(journal, self.path), self._edited_text)
        self._texts: dict[tuple[int, int], str] = {}
        try:
            self._grow()
            self._state.book.refresh()
        except BaseException:
            entries.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files, and end the process that builds the index."""
        with self._lock:
            self._let_go()

    def _grow(self) -> None:
        entries = self._state.entries
        self._state.book.grow(entries.identities, entries.held["status"])

    def _fresh(self) -> State:
        """What is known now: of the index, of samples that were kept, and of decisions of others."""
        if self._state.entries.refresh():
            self._grow()
        self._state.book.refresh()
        if self._state.book.journal.was_moved:
            self._reload()
        return self._state

    def _reload(self) -> None:
        """Take up the source as it is since it was rewritten, entry by entry, and the journal from its beginning."""
        self._let_go()
        self._source, entries, self.temporary = _opened(self._job)
        self._state = State(entries, open_book(self.journal_path, self.path), self._edited_text)
        self._texts.clear()
        self._grow()
        self._state.book.refresh()

    def _let_go(self) -> None:
        self._state.entries.close()
        if self.temporary is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)

    def _edited_text(self, number: int, event: int) -> str:
        """What an entry is looked for by, as an event has edited it."""
        if (number, event) not in self._texts:
            place = self._state.book.decisions.events[event].sample_at
            sample = None if place is None else edited(None, self._state.book.journal.sample(place), origin="")
            if len(self._texts) >= _EDITS_REMEMBERED:
                self._texts.clear()
            self._texts[number, event] = self._state.entries.searched(number, sample)
        return self._texts[number, event]

    @property
    def reviewers(self) -> tuple[str, ...]:
        """Those who were named at opening, and those whom the journal knows."""
        with self._lock:
            decisions = self._fresh().book.decisions
            named = [*self._given, *decisions.tracks, *decisions.shares]
        return tuple(dict.fromkeys(name for name in named if name or name in self._given))

    @property
    def count(self) -> int:
        """Entries that can be shown so far."""
        with self._lock:
            return self._fresh().entries.count

    @property
    def total(self) -> int | None:
        """All entries; None until they are counted."""
        with self._lock:
            return self._fresh().entries.total

    @property
    def is_indexed(self) -> bool:
        """Whether all entries are known."""
        with self._lock:
            return self._fresh().entries.is_complete

    @property
    def progress(self) -> float:
        """Which share of the source is indexed, 0 to 1."""
        with self._lock:
            return self._fresh().entries.progress

    @property
    def problem(self) -> str | None:
        """What is wrong with the source, the index or the journal, for people; None when nothing is."""
        with self._lock:
            state = self._fresh()
            book, found = state.book, [state.entries.problem]
            if book.journal.passed_over:
                found.append(f"{self.journal_path}: {book.journal.passed_over} lines are no decisions; passed over")
            if state.entries.is_complete and book.lost:
                found.append(
                    f"{self.journal_path}: {book.lost} decisions are about entries that are not there any more"
                )
        return "; ".join(filter(None, found)) or None

    def wait(self) -> None:
        """Wait until all entries are indexed.

        Raises:
            InputError: they cannot be.
        """
        while not self.is_indexed:
            with self._lock:
                if problem := self._state.entries.problem:
                    raise InputError(problem)
            time.sleep(_LOOK_SECONDS)
