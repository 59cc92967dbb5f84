"""Review: a dataset opened for people to look at and decide on; the front of all that lies in this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mm2energon.errors import InputError
from mm2energon.formats import sharegpt
from mm2energon.jsonio import dumps
from mm2energon.pipeline.sources import KEPT_KEY
from mm2energon.review.appending import Appending
from mm2energon.review.deciding import Wanted, assigning, check_wanted, decision, going, numbers_in
from mm2energon.review.indexing import IndexJob
from mm2energon.review.journal import event_line, now
from mm2energon.review.model import View
from mm2energon.review.moves import MOVED, MOVING, Move, renamed
from mm2energon.review.opening import check_options, check_plain, journal_beside, kept_beside
from mm2energon.review.reading import Reading
from mm2energon.review.tables import Ints
from mm2energon.sample import Sample


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
    journal = journal or journal_beside(path)
    check_plain(journal, kept_beside(path))
    root = (root or path.parent).resolve()
    if not root.is_dir():
        raise InputError(f"{root}: is no folder; the one that media paths are relative to was expected")
    job = IndexJob(path, path, root, category_key, read_as, target)
    return Review(job, reviewers=reviewers, journal=journal)


class Review(Reading):
    """A dataset that is reviewed; all methods can be called from several threads."""

    def __enter__(self) -> Review:
        return self

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

    def assign(
        self,
        reviewers: Sequence[str],
        *,
        per_entry: int = 1,
        seed: int = 0,
        view: View | None = None,
        only_new: bool = False,
    ) -> dict[str, int]:
        """Share entries out evenly, each to so many reviewers; how many each has got.

        Args:
            seed: by which they are dealt: the same gives the same shares.
            view: which entries; all by default.
            only_new: of these, those that were given to nobody so far.

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
            if only_new:
                numbers = numbers[~state.book.decisions.is_given(numbers)]
            self._write(event)
        return shares

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
