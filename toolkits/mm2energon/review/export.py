"""Export: what reviewers accepted, as files for trainers; and how that went, as a log.

Decisions are read once, media are opened in workers, splits are dealt, files are written side by side and appear
together. Then the CSV that it came from says what was decided, and last the log appears.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone

from mm2energon.errors import InputError
from mm2energon.jsonio import dumps
from mm2energon.pipeline.account import Account, open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import made_by, write_noted
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.review.export_files import (
    Files,
    add_companions,
    remove_stale,
    require_free,
    write_files,
)
from mm2energon.review.export_job import (
    ANY,
    STATUSES,
    ExportCancelledError,
    Exported,
    ExportJob,
    check_job,
)
from mm2energon.review.export_log import JSON_NAME, TEXT_NAME, log_facts, log_lines
from mm2energon.review.export_media import FoundMedia
from mm2energon.review.export_select import Selection, select
from mm2energon.review.export_splits import deal
from mm2energon.review.model import Reviewed
from mm2energon.review.review import Review
from mm2energon.review.templates import choose
from mm2energon.terminal import shown

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
        is_cancelled: asked again and again; once it says so, nothing has changed.

    Raises:
        InputError: nothing can be exported, or the export would replace a file that is not ours.
        ExportCancelledError: it was cancelled.
    """
    check_job(job)
    return _Run(review, job, progress, told, is_cancelled).run()


class _Run:
    """One export under way."""

    def __init__(
        self, review: Review, job: ExportJob, progress: ProgressMaker, told: Told, is_cancelled: Callable[[], bool]
    ) -> None:
        self._review, self._job = review, job
        self._progress, self._told, self._is_cancelled = progress, told, is_cancelled
        self._chosen = choose(job.templates)
        self._exported = Exported()
        self._begun = time.monotonic()

    def run(self) -> Exported:
        """Select, check, deal, write."""
        media = FoundMedia(self._review.root, self._job.further, looks=self._job.checks_videos)
        selection = Selection(media)
        try:
            self._each("entries", select(self._wanted(), selection))
            self._require_some(selection)
            self._each(
                None, media.open_all(workers=self._job.workers, limits=self._job.limits, progress=self._progress)
            )
            self._job.output.mkdir(parents=True, exist_ok=True)
            with alone_on(self._job.output / JSON_NAME, option="--output"):
                self._write(selection)
        finally:
            selection.close()
        return self._exported

    def _wanted(self) -> Iterator[Reviewed]:
        """The entries of the status that is asked for; of the others it is counted how many they are."""
        for one in self._review.reviewed(STATUSES):
            if self._job.status in (ANY, one.status):
                yield one
            else:
                left_out = self._exported.left_out
                left_out[one.status] = left_out.get(one.status, 0) + 1

    def _each(self, what: str | None, steps: Iterable[None]) -> None:
        """Go through steps, which may be cancelled between two of them."""
        bar = silent("", None) if what is None else self._progress(what, None)
        for _ in steps:
            if self._is_cancelled():
                raise ExportCancelledError("the export was cancelled; nothing was written")
            bar.update(1)
        bar.close()

    def _require_some(self, selection: Selection) -> None:
        if selection.count:
            return
        name, status = self._review.path, self._job.status
        if not self._exported.left_out:
            raise InputError(f"{name}: holds no entries; question and answer about a video were expected")
        counts = ", ".join(f"{other} {count}" for other, count in sorted(self._exported.left_out.items()))
        raise InputError(
            f"{name}: no entry is {status} ({counts}), so there is nothing to export; decide on some with: "
            f"mm2energon studio {name}; or export others with --status pending, or --status any"
        )

    def _write(self, selection: Selection) -> None:
        job, files = self._job, Files(self._job, self._chosen)
        logs = (job.output / name for name in (TEXT_NAME, JSON_NAME))
        paths = [*(path for _, _, path in files.places()), *logs]
        source = self._review.path
        require_free(iter(paths), source=source, overwrite=job.overwrite)
        split_of = None if job.shares is None else deal(selection, job.shares, seed=job.seed)
        sources = [] if source.is_dir() else [source]
        about = made_by("export", paths[0], sources=sources)
        with open_account(job.output / JSON_NAME, command="export", options=job.options(), sources=sources) as account:
            steps = write_files(files, selection, split_of, about=about, account=account, exported=self._exported)
            self._each("samples", steps)
            account.facts["not_held"] = self._exported.not_held
        account.require_written(source)
        self._exported.account = _told_of(account)
        remove_stale(files, self._exported)
        add_companions(self._exported, root=self._review.root)
        self._exported.seconds = time.monotonic() - self._begun
        self._log()

    def _log(self) -> None:
        job, exported = self._job, self._exported
        lines = [shown(line) for line in log_lines(job, self._chosen, exported)]
        for line in lines:
            self._told(line)
        facts = log_facts(job, self._chosen, exported, source=self._review.path.name, at=datetime.now(timezone.utc))
        about = {"by": "export"}
        text = "\n".join(lines).encode("utf-8", "backslashreplace") + b"\n"
        write_noted(job.output / TEXT_NAME, text, about=about)
        write_noted(job.output / JSON_NAME, dumps(facts) + b"\n", about=about)


def _told_of(account: Account) -> dict[str, object]:
    about = account.as_dict()
    return {**about, "set_aside_file": account.path.name if account.set_aside_count else None}
