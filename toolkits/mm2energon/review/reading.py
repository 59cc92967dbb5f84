"""Reading: what a dataset holds and what was decided of it, as pages and exports ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import combinations
from typing import Any

import numpy as np

from mm2energon.errors import InputError
from mm2energon.pipeline.record_content import Content
from mm2energon.review.agreement import agreement_of
from mm2energon.review.alike import alike
from mm2energon.review.deciding import labels_of, numbers_in
from mm2energon.review.items import item_of, reviewed_of, rows_of
from mm2energon.review.model import (
    STATUSES,
    Agreement,
    Alike,
    Changes,
    Filter,
    Item,
    Reviewed,
    Row,
    View,
)
from mm2energon.review.opened import Opened
from mm2energon.review.shards_source import ShardsSource
from mm2energon.review.sources import changed
from mm2energon.review.statistics import statistics_of
from mm2energon.review.tables import Ints, distinct
from mm2energon.review.views import chosen, counts, decided_by, terms_of

#: Entries that are read at a time, for export.
_AT_A_TIME = 256


class Reading(Opened):
    """A dataset that is looked at; all methods can be called from several threads."""

    def select(self, wanted: Filter | None = None, sort: str = "number") -> View:
        """The entries that a filter chooses.

        Raises:
            InputError: a status, medium or sort that there is none of.
        """
        wanted = wanted or Filter()
        self._search_ahead(wanted.text)
        with self._lock:
            return self._views.add(chosen(self._fresh(), wanted, sort))

    def _search_ahead(self, text: str) -> None:
        """Look through the texts of a million entries without keeping all others from their work."""
        with self._lock:
            state = self._fresh()
            texts = state.texts_for(text)
        if texts is not None:
            with suppress(ValueError):  # its files were closed meanwhile; then it is done once more
                found = texts.search(terms_of(text))
                with self._lock:
                    state.remember(text, found)

    def view(self, view_id: str) -> View | None:
        """A view of before; None when it is forgotten (the last 32 are kept)."""
        with self._lock:
            return self._views.get(view_id)

    def rows(self, view: View | str, offset: int = 0, limit: int = 100) -> list[Row]:
        """Some entries of a view.

        Raises:
            InputError: the view is forgotten, or the source has changed.
        """
        with self._lock:
            found = self._views.get(view) if isinstance(view, str) else view
            if found is None:
                raise InputError(f"view {view}: is forgotten; choose the entries again")
            begin = max(0, offset)
            numbers, state = found.numbers[begin : begin + max(0, limit)], self._fresh()
            known = numbers[numbers < state.entries.count]  # all, but while a source that was rewritten is indexed
            return rows_of(state, numbers_in_order(known))

    def counts(self, wanted: Filter | None = None) -> dict[str, dict[str, int]]:
        """How many entries have which value of `status`, `category`, `medium`, `warning`, `reviewer` and `reason`.

        As pages with filters want it: of each facet all values are counted among the entries that the rest of the
        filter chooses. Of categories and reasons the 200 most frequent.
        """
        wanted = wanted or Filter()
        self._search_ahead(wanted.text)
        with self._lock:
            return counts(self._fresh(), wanted)

    def item(self, number: int, reviewer: str | None = None) -> Item:
        """All that is known of an entry.

        Args:
            reviewer: who asks, whose undo and redo are told; the first one by default.

        Raises:
            InputError: there is no such entry, or the source has changed.
        """
        with self._lock:
            state = self._fresh()
            numbers_in([number], state.entries.count)
            return item_of(state, number, self._given[0] if reviewer is None else reviewer)

    def content(self, number: int) -> Content:
        """The media of an entry of finished shards, as bytes.

        Raises:
            InputError: the source is no folder of shards, or cannot be read.
            SampleError: the record cannot be.
        """
        with self._lock:
            state = self._fresh()
            numbers_in([number], state.entries.count)
            if not isinstance(self._source, ShardsSource) or state.entries.is_kept(number):
                raise InputError(f"entry {number}: its media are files, and in no shard; shards were expected")
            place = state.entries.place(number)
        return self._source.media(place)

    def changes(self, since: int = 0, *, most: int | None = None) -> Changes:
        """What has happened since, here and in other processes; `changes(-1)` says from where to count.

        Args:
            most: numbers of entries that are told; all by default.
        """
        with self._lock:
            state = self._fresh()
            log = state.book.decisions.log
            begin = 0 if since > log.count else log.count if since < 0 else since
            numbers = numbers_in_order(distinct(log["number"][begin:])[:most])
            return Changes(log.count, tuple(numbers), state.entries.count, state.entries.is_complete)

    def alike(self, number: int) -> Alike:
        """Other entries of the same content, media, question, or text."""
        with self._lock:
            state = self._fresh()
            numbers_in([number], state.entries.count)
            return alike(state.entries, number)

    def agreement(self, *, edits_apart: bool = False) -> list[Agreement]:
        """How far each pair of reviewers agrees.

        Args:
            edits_apart: accepted after an edit is another decision than accepted (tables of 3 x 3).
        """
        labels = ("accepted", "edited", "rejected") if edits_apart else ("accepted", "rejected")
        found = []
        with self._lock:
            state = self._fresh()
            for pair in combinations(state.book.decisions.tracks, 2):
                both = np.flatnonzero(decided_by(state, pair[0]) & decided_by(state, pair[1])).astype(np.int32)
                first, second = (labels_of(state, both, name, edits_apart=edits_apart) for name in pair)
                found.append(agreement_of(pair, labels, first, second))
        return found

    def statistics(self) -> dict[str, Any]:
        """Counts by status, category, reviewer and day, and lengths of questions and answers, as plain values."""
        with self._lock:
            return statistics_of(self._fresh())

    def reviewed(self, status: str | Sequence[str] = "accepted") -> Iterator[Reviewed]:
        """Entries of a status, or of several, in source order; it waits until all are indexed.

        Raises:
            InputError: a status that there is none of; the source cannot be indexed, or has changed.
        """
        wanted = (status,) if isinstance(status, str) else tuple(status)
        self.wait()
        numbers, begun = self.select(Filter(status=wanted or STATUSES)).numbers, self._state
        for begin in range(0, len(numbers), _AT_A_TIME):
            with self._lock:
                if self._fresh() is not begun:
                    raise changed(self.path)
                some = reviewed_of(begun, numbers_in_order(numbers[begin : begin + _AT_A_TIME]))
            yield from some


def numbers_in_order(numbers: Ints) -> list[int]:
    """Numbers as Python has them."""
    found: list[int] = numbers.tolist()
    return found
