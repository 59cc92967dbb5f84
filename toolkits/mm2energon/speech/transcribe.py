"""Transcribe: recordings to conversations, each utterance part of one or set aside with its reason."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from mm2energon.errors import InputError, SampleError
from mm2energon.pipeline.account import Account, open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import STATE_FOLDER, made_by, noted, write_output
from mm2energon.pipeline.loop import Limits, ProgressMaker, run_each, silent
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.speech.clips import ClipUnit, Wanted, cut
from mm2energon.speech.conversations import shared_sides, token_counter
from mm2energon.speech.engines import TRANSCRIPT
from mm2energon.speech.job import TranscribeJob, TranscribeReport
from mm2energon.speech.notes import Watch, seconds_of
from mm2energon.speech.outcome import Told, tell, without, write
from mm2energon.speech.recording import RecordingUnit, Transcript, hear, read_heard
from mm2energon.speech.recordings import Recording, shortened
from mm2energon.speech.telling import told_in_full
from mm2energon.speech.transcripts import require_meant
from mm2energon.storage import remove_leftovers
from mm2energon.tokens.text import load_tokenizer

#: Counts up when what is kept of a recording has another shape, or would say something else.
_KEPT_VERSION = 1
#: Warnings that an error shows.
_TOLD = 4


def transcribe(job: TranscribeJob, *, progress: ProgressMaker = silent) -> TranscribeReport:
    """Write the conversations of recordings to `output`: JSON lines where its name ends in `.jsonl`, else an array.

    Raises:
        InputError: nothing can be written, or the output would replace a file that is not ours.
        DependencyError: a package of the extra is missing.
    """
    _require_free(job)
    names = [voice.name for voice in job.hearing.voices]
    require_meant(job.hearing.transcripts, job.hearing.settings.engine, names, len(job.recordings))
    with alone_on(job.output, option="--output"):
        for folder in (STATE_FOLDER, job.transcripts_folder, "" if job.wanted is None else job.wanted.folder):
            if folder:
                remove_leftovers(job.output.parent / folder, deep=True)
        report = TranscribeReport(recordings=len(job.recordings))
        before = standing(job.output)
        paths = [one.path for one in job.recordings]
        about = made_by("transcribe", job.output, sources=[])
        with (
            open_account(job.output, command="transcribe", options=_options(job), sources=paths) as account,
            write_output(job.output, about=about) as out,
        ):
            for number, told in enumerate(_told(job, report, progress)):
                write(told, job, out, account, report)
                if number < job.told_in_full:
                    report.told += told_in_full(told)
            account.facts = report.facts()
        _require_written(account, job, report)
        report.account = account.as_dict()
        report.already_done = was_left_alone(job.output, before)
        return report


def _require_free(job: TranscribeJob) -> None:
    """Refuse an output that would replace a recording, a transcript that is read, or a file that is not ours.

    Raises:
        InputError: it would.
    """
    if not job.output.exists():
        return
    if job.output.is_dir():
        raise InputError(f"--output {job.output}: is a folder; the name of a file was expected, such as output.jsonl")
    sources = [*(one.path for one in job.recordings), *job.hearing.transcripts.values()]
    if any(path.exists() and job.output.samefile(path) for path in sources):
        raise InputError(f"--output {job.output}: is the input itself; another name was expected")
    if not job.overwrite and noted(job.output) is None:
        raise InputError(
            f"--output {job.output}: exists, and was not written by mm2energon (or was changed since); "
            "choose another name, or --overwrite it"
        )


def _require_written(account: Account, job: TranscribeJob, report: TranscribeReport) -> None:
    """Refuse a run that wrote nothing; what is wrong with its first recording is said at once.

    Raises:
        InputError: it did.
    """
    if report.conversations:
        return
    if report.first_error is not None and len(job.recordings) == report.failed == 1:
        raise InputError(str(report.first_error))
    if not account.read:
        found = next(iter(report.warnings.values()), ["nobody speaks in it"])
        raise InputError(f"{job.recordings[0].path}: no speech was found ({'; '.join(found)}); nothing was written")
    try:
        account.require_written(*(one.path for one in job.recordings), earlier=job.output)
    except InputError as error:
        told = [f"{name}: {one}" for name, ones in report.warnings.items() for one in ones]
        raise InputError("; ".join([str(error), *told[:_TOLD]])) from error


def _options(job: TranscribeJob) -> dict[str, Any]:
    how = msgspec.to_builtins(
        {"hearing": job.hearing, "rules": job.rules, "hygiene": job.hygiene},
        enc_hook=str,
    )
    return {**how, "min_confidence": job.min_confidence, "system": job.system}


def _heard(
    job: TranscribeJob, report: TranscribeReport, progress: ProgressMaker
) -> Iterator[tuple[Recording, Transcript | SampleError]]:
    """Each recording with what was heard in it, in their order; what was recognised before is not again."""
    units = [RecordingUnit(one.path.absolute(), job.hearing, _place(job, one)) for one in job.recordings]
    # What transcripts of others say is read anew each time: it costs nothing, and they may have been mended.
    keeps = not job.restart and job.hearing.settings.engine != TRANSCRIPT
    known = {unit.place for unit in units if keeps and unit.place.is_file()}
    fresh = [unit for unit in units if unit.place not in known]
    report.known = len(units) - len(fresh)
    seconds = {unit.place: seconds_of(unit.path) for unit in fresh}
    bar = progress("seconds of recordings", round(sum(seconds.values())))
    watch = Watch(seconds, bar)
    outcomes = run_each(hear, fresh, workers=min(job.workers, len(fresh)), limits=Limits())
    with watch.looking():
        for recording, unit in zip(job.recordings, units, strict=True):
            error = None if unit.place in known else next(outcomes).error
            watch.ended(unit.place)
            yield recording, error or read_heard(unit.place)
    bar.close()


def _place(job: TranscribeJob, recording: Recording) -> Path:
    """Where the transcript of a recording is kept: by its place, its state, and how it is heard."""
    found = recording.path.stat()
    what = [_KEPT_VERSION, str(recording.path.resolve()), found.st_size, found.st_mtime_ns, job.hearing]
    digest = hashlib.sha256(msgspec.json.encode(what, enc_hook=str, order="deterministic")).hexdigest()[:16]
    return job.output.parent / STATE_FOLDER / "transcripts" / f"{shortened(recording.path.stem)}.{digest}.json"


def _told(job: TranscribeJob, report: TranscribeReport, progress: ProgressMaker) -> Iterator[Told]:
    """Each recording with its conversations, and the clips of these cut."""
    waiting: deque[Told] = deque()
    tokenizer = None if job.tokenizer is None else load_tokenizer(job.tokenizer)
    tokens = token_counter(job.system, tokenizer, shared_sides(job.hearing.voices))

    def units() -> Iterator[ClipUnit]:
        for recording, heard in _heard(job, report, progress):
            told = tell(recording, heard, job, report, tokens)
            waiting.append(told)
            wanted = job.wanted or Wanted(job.output.parent, "")
            clips = () if wanted.is_nothing else tuple(told.clips)
            yield ClipUnit(recording.path.absolute(), told.heard.zero, job.hearing.voices, clips, wanted)

    workers = 0 if job.wanted is None or job.wanted.is_nothing else job.workers
    for outcome in run_each(cut, units(), workers=workers):
        told = waiting.popleft()
        if outcome.error is not None:
            yield replace(told, error=outcome.error)
        else:
            yield without(told, outcome.result or {})
