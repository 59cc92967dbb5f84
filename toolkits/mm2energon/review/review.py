"""Review: a dataset opened for people to look at and decide on; the front of all that lies in this folder."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from mm2energon.errors import InputError
from mm2energon.formats import sharegpt
from mm2energon.jsonio import dumps
from mm2energon.pipeline.record_content import Content
from mm2energon.pipeline.sources import KEPT_KEY
from mm2energon.review.agreement import agreement_of
from mm2energon.review.alike import alike
from mm2energon.review.book import open_book
from mm2energon.review.deciding import Wanted, assigning, check_wanted, decision, going, labels_of, numbers_in
from mm2energon.review.decisions import Ints
from mm2energon.review.editing import edited
from mm2energon.review.entries import Entries
from mm2energon.review.facets import folded_turns
from mm2energon.review.indexing import IndexJob
from mm2energon.review.items import item_of, reviewed_of, rows_of
from mm2energon.review.journal import Appending, Journal, event_line, now
from mm2energon.review.model import (
    STATUSES,
    Agreement,
    Alike,
    Changes,
    Filter,
    Item,
    Kind,
    Reviewed,
    Row,
    View,
)
from mm2energon.review.moves import MOVED, MOVING, Move, renamed
from mm2energon.review.opening import check_options, index_place, journal_beside, kept_beside
from mm2energon.review.shards_source import ShardsSource
from mm2energon.review.sources import Source, changed
from mm2energon.review.statistics import statistics_of
from mm2energon.review.views import State, Views, chosen, counts, decided_by, terms_of
from mm2energon.sample import Sample

#: Entries that are read at a time, for export.
_AT_A_TIME = 256
#: Seconds between two looks at an index that is waited for.
_LOOK_SECONDS = 0.1
_EDITS_REMEMBERED = 10_000


def open_review(
    path: Path,
    *,
    root: Path | None = None,
    reviewers: Sequence[str] = ("",),
    category_key: str = "category",
    read_as: str | None = None,
    target: str = "pai-v1",
    journal: Path | None = None,
) -> Review:
    """Open an annotation file, a CSV, or a folder of finished shards; `with` closes it. The source is never changed.

    Args:
        root: the folder that media paths are relative to; the source's folder by default.
        reviewers: who decides here; names that the journal knows come to them.
        category_key: of a JSON entry, the key by which it has a category (also inside of "extra").
        read_as: a name of FORMATS, where entries are of another format than they look like.
        target: the reader whose rules for texts give warnings.
        journal: where decisions are kept; `<name>.review.jsonl` beside the data by default.

    Raises:
        InputError: there is no such source, or it is none that can be reviewed.
    """
    path = path.absolute()
    check_options(path, read_as, reviewers)
    root = (root or path.parent).resolve()
    if not root.is_dir():
        raise InputError(f"{root}: is no folder; the one that media paths are relative to was expected")
    job = IndexJob(path, path, root, category_key, read_as, target)
    return Review(job, reviewers=reviewers, journal=journal or journal_beside(path))


class _Opened(NamedTuple):
    """A source with its entries, and a folder that goes when it is closed."""

    source: Source
    entries: Entries
    temporary: Path | None


def _opened(job: IndexJob) -> _Opened:
    source = job.source()
    place = index_place(job, source)
    entries = Entries(replace(job, folder=place.folder), source, kept_beside(job.path))
    return _Opened(source, entries, place.folder if place.is_temporary else None)


class Review:
    """A dataset that is reviewed; all methods can be called from several threads."""

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
        self._state = State(entries, open_book(journal), self._edited_text)
        self._texts: dict[int, str] = {}
        try:
            self._grow()
            self._state.book.refresh()
        except BaseException:
            entries.close()
            raise

    def __enter__(self) -> Review:
        return self

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
        self._state = State(entries, open_book(self.journal_path), self._edited_text)
        self._texts.clear()
        self._grow()
        self._state.book.refresh()

    def _let_go(self) -> None:
        self._state.entries.close()
        if self.temporary is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)

    @contextmanager
    def rewriting(self, digests: Mapping[int, int], sha256: str) -> Iterator[None]:
        """Let the source say in place what was decided: the block exchanges it, and whoever asks next has it as it is.

        Args:
            digests: number of an entry whose content changes -> its digest; the others are what they were.
            sha256: of the source from then on.

        Raises:
            InputError: it was rewritten by somebody else in this moment.
            OSError: that cannot be saved.
        """
        with self._lock:
            state = self._fresh()
            before = state.entries.held["digest"][: state.entries.about.count]
            move = Move(*renamed(before, digests), sha256)
            if state.book.journal.moves.pending != move:  # as a run that was killed has said already
                line = event_line(MOVING, move.entries, "", became=move.became, sha256=sha256)
                state.book.write(lambda: line)
            yield
            state.book.write(lambda: event_line(MOVED, [], ""))  # who asks next takes it up

    def _edited_text(self, event_number: int) -> str:
        """What an edit says, folded."""
        if event_number not in self._texts:
            place = self._state.book.decisions.events[event_number].sample_at
            text = (
                "" if place is None else folded_turns(edited(None, self._state.book.journal.sample(place), origin=""))
            )
            if len(self._texts) >= _EDITS_REMEMBERED:
                self._texts.clear()
            self._texts[event_number] = text
        return self._texts[event_number]

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

    def decide(
        self,
        numbers: Sequence[int] | View,
        do: str,
        *,
        reviewer: str = "",
        reason: str = "",
        sample: Sample | None = None,
        category: str | None = None,
    ) -> int:
        """Decide on entries, one of DOES; all of them or, where it cannot be saved, none. How many that changed.

        Args:
            sample: as edited; of one entry alone.
            category: a new one.

        Raises:
            InputError: there is no such entry or decision.
            OSError: it cannot be saved; nothing has changed.
        """
        wanted = Wanted(do, reviewer, " ".join(reason.split()), sample, category)
        with self._lock:
            asked = numbers_in(numbers.numbers if isinstance(numbers, View) else numbers, self._fresh().entries.count)
            check_wanted(wanted, len(asked))
            return len(self._write(lambda: decision(self._state, wanted, asked)))

    def _write(self, event: Callable[[], tuple[Ints, bytes]]) -> Ints:
        """Write an event, unless it is about nothing; the entries that it changes."""
        found: list[Ints] = []

        def line() -> bytes | None:
            numbers, data = event()
            found.append(numbers)
            return data if len(numbers) else None

        self._state.book.write(line)
        return found[0]

    def undo(self, number: int, reviewer: str = "") -> bool:
        """Take back what a reviewer did last to an entry; False when there is nothing."""
        return self._go(number, reviewer, back=True)

    def redo(self, number: int, reviewer: str = "") -> bool:
        """Do again what was taken back; False when there is nothing."""
        return self._go(number, reviewer, back=False)

    def _go(self, number: int, reviewer: str, *, back: bool) -> bool:
        with self._lock:
            numbers = numbers_in([number], self._fresh().entries.count)
            return len(self._write(lambda: going(self._state, reviewer, numbers, back=back))) > 0

    def undo_last(self, reviewer: str = "") -> tuple[int, ...]:
        """Take back what a reviewer did last, to however many entries; their numbers."""
        with self._lock:
            decisions = self._fresh().book.decisions
            found = self._write(lambda: going(self._state, reviewer, decisions.to_undo_last(reviewer), back=True))
        return tuple(found.tolist())

    def changes(self, since: int = 0) -> Changes:
        """What has happened since, here and in other processes; `changes(-1)` says from where to count."""
        with self._lock:
            state = self._fresh()
            log = state.book.decisions.log
            begin = 0 if since > log.count else log.count if since < 0 else since
            numbers = np.unique(log["number"][begin:]).tolist()
            return Changes(log.count, tuple(numbers), state.entries.count, state.entries.is_complete)

    def alike(self, number: int) -> Alike:
        """Other entries of the same content, media, question, or text."""
        with self._lock:
            state = self._fresh()
            numbers_in([number], state.entries.count)
            return alike(state.entries, number)

    def assign(
        self, reviewers: Sequence[str], *, per_entry: int = 1, seed: int = 0, view: View | None = None
    ) -> dict[str, int]:
        """Share entries out evenly, each to so many reviewers; how many each has got.

        Args:
            seed: by which they are dealt: the same gives the same shares.
            view: which entries; all by default.

        Raises:
            InputError: fewer reviewers than one entry wants; not all entries are known yet.
        """
        shares: dict[str, int] = {}

        def event() -> tuple[Ints, bytes]:
            found, line = assigning(self._state, numbers, reviewers, per_entry=per_entry, seed=seed)
            shares.update(found)
            return numbers, line

        with self._lock:
            state = self._fresh()
            if view is None and not state.entries.is_complete:
                raise InputError(
                    f"{self.path}: is still being indexed; wait for it, so that all entries are shared out"
                )
            every = np.arange(state.entries.count, dtype=np.int32)
            numbers = numbers_in(every if view is None else view.numbers, state.entries.count)
            self._write(event)
        return shares

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

    def keep(self, sample: Sample, about: Mapping[str, Any]) -> int | None:
        """Add an answer as a sample for review; its number, or None while those of the source are still counted.

        Args:
            about: where it came from, kept with it (`extra`).

        Raises:
            OSError: it cannot be saved.
        """
        entry = sharegpt.dump(sample)
        extra = entry.get("extra")
        entry["extra"] = {**(extra if isinstance(extra, Mapping) else {}), **about, KEPT_KEY: now()}
        with self._lock, Appending(self.kept_path) as kept:
            kept.add(dumps(entry) + b"\n")
            entries = self._fresh().entries
            return entries.count - 1 if entries.is_complete else None


def numbers_in_order(numbers: Ints) -> list[int]:
    """Numbers as Python has them."""
    found: list[int] = numbers.tolist()
    return found
