"""Export: what reviewers accepted, as files for trainers; and how that went, as a log.

Decisions are read once, media are opened in workers, splits are dealt, files are written side by side and appear
together. Then the CSV that it came from says what was decided, and last the log appears.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.errors import InputError, ToolkitError
from mm2energon.jsonio import dumps
from mm2energon.pipeline.account import Account, open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import made_by, sha256_of, write_noted
from mm2energon.pipeline.loop import Progress, ProgressMaker, silent
from mm2energon.review.csv_backup import back_up
from mm2energon.review.csv_source import CsvSource
from mm2energon.review.csv_update import CsvChanges, take_place, updated
from mm2energon.review.export_files import (
    ENTRIES_NAME,
    Files,
    add_companions,
    remove_stale,
    require_free,
    write_files,
)
from mm2energon.review.export_job import (
    ANY,
    STATUSES,
    CsvUpdate,
    ExportCancelledError,
    Exported,
    ExportJob,
    check_job,
)
from mm2energon.review.export_log import JSON_NAME, TEXT_NAME, log_facts, log_lines
from mm2energon.review.export_media import FoundMedia
from mm2energon.review.export_records import loader_of
from mm2energon.review.export_select import Selection, select
from mm2energon.review.export_shards import make_shards, require_apart
from mm2energon.review.export_splits import count_moved, deal
from mm2energon.review.model import PENDING, Reviewed
from mm2energon.review.review import Review
from mm2energon.review.templates import choose
from mm2energon.terminal import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Different words of a status column that are counted.
_MOST_WORDS = 1000
#: Is told each line of the log.
Told = Callable[[str], object]


def export(
    review: Review,
    job: ExportJob,
    *,
    progress: ProgressMaker = silent,
    told: Told = lambda _line: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Exported:
    """Export what was decided on.

    Args:
        told: takes the lines of the log as they come.
        is_cancelled: asked again and again; before the files appear nothing has changed, and afterwards all but the
            shards is complete.

    Raises:
        InputError: nothing can be exported, or the export would replace a file that is not ours.
        ExportCancelledError: it was cancelled.
    """
    check_job(job)
    return _Run(review, replace(job, output=job.output.resolve()), progress, told, is_cancelled).run()


class _Run:
    """One export under way."""

    def __init__(
        self, review: Review, job: ExportJob, progress: ProgressMaker, told: Told, is_cancelled: Callable[[], bool]
    ) -> None:
        self._review, self._job, self._told = review, job, told
        self._progress = _cancellable(progress, is_cancelled)
        self._chosen = choose(job.templates)
        #: What media are relative to: those of shards become files of the output.
        self._root = job.output if review.kind == "shards" else review.root
        self._exported = Exported()
        self._split_of: NDArray[Any] | None = None
        self._begun, self._at = time.monotonic(), datetime.now().astimezone()

    def run(self) -> Exported:
        """Select, check, deal, write."""
        job = self._job
        require_apart(job.shards, self._review.path)
        with ExitStack() as stack:
            media = FoundMedia(self._root, job.further, looks=job.checks_videos)
            selection = stack.enter_context(closing(Selection(media)))
            changes, csv = None, CsvSource(self._review.path) if self._review.kind == "csv" else None
            if csv is not None and job.updates_csv:
                changes = stack.enter_context(closing(CsvChanges(csv)))
            load = loader_of(self._review, job.output) if self._review.kind == "shards" else None
            key = self._review.category_key
            self._each("entries", select(self._wanted(changes, csv), selection, category_key=key, load=load))
            self._exported.problem = self._review.problem or ""
            self._exported.turned_rows = 0 if changes is None else changes.turned
            self._require_some(selection)
            media.open_all(workers=job.workers, limits=job.limits, progress=self._progress)
            if job.shares is not None or job.shards is not None:
                media.find_copies(progress=self._progress)
            job.output.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone_on(job.output / JSON_NAME, option="--output"))
            self._write_all(selection, changes)
        return self._exported

    def _wanted(self, changes: CsvChanges | None, csv: CsvSource | None) -> Iterator[Reviewed]:
        """The entries of the status that is asked for; of the others it is counted how many they are."""
        for one in self._review.reviewed(STATUSES):
            if changes is not None:
                changes.add(one)
            if csv is not None and one.status == PENDING:
                self._note_word(csv.unknown_status(one.fields))
            if self._job.status in (ANY, one.status):
                yield one
            else:
                left_out = self._exported.left_out
                left_out[one.status] = left_out.get(one.status, 0) + 1

    def _note_word(self, word: str) -> None:
        words = self._exported.unknown_words
        if word and (word in words or len(words) < _MOST_WORDS):
            words[word] = words.get(word, 0) + 1

    def _each(self, what: str, steps: Generator[None, None, None], *, total: int | None = None) -> None:
        bar = self._progress(what, total)
        with closing(steps):
            for _ in steps:
                bar.update(1)
        bar.close()

    def _require_some(self, selection: Selection) -> None:
        if selection.count:
            self._exported.advice += self._exported.notes
            return
        name, status = self._review.path, self._job.status
        if not self._exported.left_out:
            raise InputError(f"{name}: holds no entries; questions with their answers were expected")
        counts = ", ".join(f"{other} {count}" for other, count in sorted(self._exported.left_out.items()))
        counts = "; ".join([counts, *self._exported.notes])
        raise InputError(
            f"{name}: no entry is {status} ({counts}), so there is nothing to export; decide on some in the "
            f"studio (mm2energon studio {name}), or export those of another status (--status pending, --status any)"
        )

    def _write_all(self, selection: Selection, changes: CsvChanges | None) -> None:
        """Write the files, bring the CSV up to the decisions, make shards, and last write the log."""
        with ExitStack() as stack:
            fresh = None
            if changes is not None:
                stack.enter_context(alone_on(changes.source.path, option="the CSV"))
                fresh = stack.enter_context(updated(changes)) if changes.rows else None
            self._write(selection, changes, about=_made_from(self._review.path, fresh, job=self._job))
            if changes is not None and fresh is not None:
                changes.require_unchanged()
                with self._review.rewriting(changes.digests, sha256_of(fresh) or ""):
                    take_place(fresh, changes.source.path)
        try:
            self._make_shards(selection)
        except (ToolkitError, OSError) as error:
            self._exported.shards, self._exported.shards_status = [f"not written: {error}"], 1
            raise
        finally:
            self._exported.seconds = time.monotonic() - self._begun
            self._log()

    def _make_shards(self, selection: Selection) -> None:
        job, exported = self._job, self._exported
        aside = make_shards(job.output / ENTRIES_NAME, self._root, job, exported, progress=self._progress)
        if job.shares is None or self._split_of is None:
            return
        moved = count_moved(selection, self._split_of, job.shares, seed=job.seed, without=aside)
        if moved:
            exported.shards.append(
                f"note: {moved} samples are in other splits of the shards than of the files, as {len(aside)} are in no "
                "shard; reject these, and export again, for the same splits"
            )

    def _write(self, selection: Selection, changes: CsvChanges | None, *, about: Mapping[str, Any]) -> None:
        job, files, source = self._job, Files(self._job, self._chosen), self._review.path
        logs = [job.output / name for name in (TEXT_NAME, JSON_NAME)]
        require_free([*files.all_paths(), *logs], source=source, overwrite=job.overwrite)
        self._split_of = None if job.shares is None else deal(selection, job.shares, seed=job.seed)
        sources = [] if source.is_dir() else [source]
        with open_account(job.output / JSON_NAME, command="export", options=job.options(), sources=sources) as account:
            steps = write_files(
                files,
                selection,
                self._split_of,
                about=about,
                account=account,
                exported=self._exported,
                ready=lambda: self._back_up(changes, account),
            )
            self._each("samples", steps, total=selection.count)
            account.facts["not_held"] = self._exported.not_held
        account.require_written(source)
        self._exported.account = _told_of(account)
        if empty := [split for split in job.splits if self._split_of is not None and not account.written[split]]:
            few = "there are too few samples that share no video or picture with others"
            self._exported.advice.append(f"{' and '.join(empty)}: no samples, for {few}")
        remove_stale(files, self._exported)
        add_companions(self._exported, root=self._root)

    def _back_up(self, changes: CsvChanges | None, account: Account) -> None:
        if changes is None or not sum(account.written.values()):
            return
        path = changes.source.path
        backup = back_up(path, at=self._at, changes=changes.rows > 0)
        changes.require_unchanged()
        self._exported.csv = CsvUpdate(path, backup, changes.rows, tuple(changes.not_held))

    def _log(self) -> None:
        job, exported = self._job, self._exported
        lines = [shown(line) for line in log_lines(job, self._chosen, exported)]
        for line in lines:
            self._told(line)
        facts = log_facts(job, self._chosen, exported, source=self._review.path.name, at=self._at)
        about = {"by": "export"}
        text = "\n".join(lines).encode("utf-8", "backslashreplace") + b"\n"
        write_noted(job.output / TEXT_NAME, text, about=about)
        write_noted(job.output / JSON_NAME, dumps(facts) + b"\n", about=about)


def _made_from(source: Path, fresh: Path | None, *, job: ExportJob) -> Mapping[str, Any]:
    """What the ledger says of files: they are made from a source, which is a CSV that is about to be exchanged."""
    about = made_by("export", job.output / JSON_NAME, sources=[] if source.is_dir() else [source])
    if fresh is None:
        return about
    return {**about, "sources": dict.fromkeys(about["sources"], sha256_of(fresh))}


def _told_of(account: Account) -> dict[str, object]:
    about = account.as_dict()
    return {**about, "set_aside_file": account.path.name if account.set_aside_count else None}


def _cancellable(progress: ProgressMaker, is_cancelled: Callable[[], bool]) -> ProgressMaker:
    """Progress that stops whoever tells it of a step, once somebody has cancelled."""
    return lambda what, total: _Cancellable(progress(what, total), is_cancelled)


class _Cancellable:
    def __init__(self, bar: Progress, is_cancelled: Callable[[], bool]) -> None:
        self._bar, self._is_cancelled = bar, is_cancelled

    def update(self, count: int, /, **also: float) -> None:
        if self._is_cancelled():
            raise ExportCancelledError("the export was cancelled; files that had not appeared by then are as before")
        self._bar.update(count, **also)

    def close(self) -> None:
        self._bar.close()
