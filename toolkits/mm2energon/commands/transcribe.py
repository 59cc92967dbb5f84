"""`mm2energon transcribe` = video_to_chatml.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.guided import ask
from mm2energon.commands.options import accounted
from mm2energon.commands.transcribe_options import add_arguments
from mm2energon.commands.transcribe_shards import make_shards, next_command
from mm2energon.commands.voices import voices
from mm2energon.errors import InputError, MediaError
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.machine import usual_workers
from mm2energon.speech.bleed import Gate
from mm2energon.speech.clips import Wanted
from mm2energon.speech.engines.settings import Settings
from mm2energon.speech.hygiene import Hygiene, read_blocked
from mm2energon.speech.job import TranscribeJob, TranscribeReport
from mm2energon.speech.listing import list_tracks
from mm2energon.speech.recording import Hearing
from mm2energon.speech.recordings import Recording, find_recordings
from mm2energon.speech.transcribe import transcribe
from mm2energon.speech.turns import TurnRules

__all__ = ["add_arguments", "run"]

#: Engines whose model has all cores at work by itself.
_THREADED = ("faster-whisper", "whisper")
#: Lines of one kind that a summary shows.
_SHOWN = 20


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Transcribe, or show tracks."""
    if arguments.interactive:
        ask(arguments)
    recordings = find_recordings(arguments.video_path)
    if arguments.target is not None and arguments.shards is None:
        raise InputError(f"--target {arguments.target}: --shards FOLDER was expected beside it")
    if arguments.list_tracks:
        return _tracks(recordings)
    report = transcribe(job_of(arguments, recordings), progress=progress)
    result = accounted(_lines(arguments, report), report.account, allowed=arguments.allow_set_aside)
    if arguments.shards is None:
        return Result([*result.lines, "", f"Next: {next_command(arguments, len(recordings))}"], result.status)
    made = make_shards(arguments, len(recordings), progress)
    return Result([*result.lines, *made.lines], 1 if made.status == 1 else max(result.status, made.status))


def _tracks(recordings: list[Recording]) -> Result:
    """The tracks of each recording; one that cannot be read is named, and the others are shown."""
    lines, status = [], 0
    for one in recordings:
        try:
            lines += list_tracks(one.path)
        except MediaError as error:
            lines.append(str(error))
            status = 1
    return Result(lines, status)


def job_of(arguments: argparse.Namespace, recordings: list[Recording]) -> TranscribeJob:
    """What `add_arguments` parsed.

    Raises:
        InputError: options contradict each other.
    """
    blocked = () if arguments.blocked_words is None else read_blocked(arguments.blocked_words)
    return TranscribeJob(
        recordings=recordings,
        output=arguments.output,
        hearing=_hearing(arguments),
        rules=_rules(arguments),
        hygiene=Hygiene(blocked, arguments.mask),
        min_confidence=arguments.min_confidence,
        system=arguments.system,
        tokenizer=arguments.tokenizer,
        wanted=_wanted(arguments),
        transcripts=[kind for kind in ("srt", "vtt", "json") if getattr(arguments, kind)],
        workers=arguments.workers or (1 if arguments.engine in _THREADED else usual_workers()),
        overwrite=arguments.overwrite,
        restart=arguments.restart,
        told_in_full=_SHOWN if arguments.verbose else 0,
    )


def _hearing(arguments: argparse.Namespace) -> Hearing:
    settings = Settings(
        engine=arguments.engine,
        model=arguments.model,
        language=arguments.language,
        device=arguments.device,
        compute_type=arguments.compute_type,
        batch_size=arguments.batch_size,
        threads=arguments.threads,
    )
    gate = Gate(arguments.bleed_db, arguments.bleed_correlation)
    transcripts = {name: Path(path) for name, path in map(_named_file, arguments.transcript)}
    return Hearing(voices(arguments), settings, gate=gate, transcripts=transcripts)


def _rules(arguments: argparse.Namespace) -> TurnRules:
    return TurnRules(
        turn_gap=arguments.turn_gap,
        overlap=arguments.overlap,
        drops_backchannels=arguments.backchannels == "drop",
        conversation_gap=arguments.conversation_gap,
        max_seconds=arguments.max_seconds,
        max_tokens=arguments.max_tokens,
        min_words=arguments.min_words,
    )


def _wanted(arguments: argparse.Namespace) -> Wanted:
    return Wanted(
        root=arguments.output.parent.absolute(),
        folder=f"{arguments.output.stem}.media",
        video=arguments.video_as if arguments.with_video else None,
        audio="only" if arguments.audio_only else "beside" if arguments.with_audio else None,
        interval_seconds=arguments.time_interval,
    )


def _named_file(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise InputError(f"--transcript {text}: NAME=FILE was expected, such as user=talk.user.srt")
    return name, path


def _lines(arguments: argparse.Namespace, report: TranscribeReport) -> list[str]:
    lines = [*report.told, *([""] if report.told else []), f"{arguments.output}"]
    if report.already_done:
        lines.append("  was complete already, nothing was written")
    if report.known:
        lines.append(f"  {report.known} recordings were recognised before; --restart does it again")
    for name, warnings in list(report.warnings.items())[:_SHOWN]:
        lines += [f"  {name}: {warning}" for warning in warnings]
    if len(report.warnings) > _SHOWN:
        lines.append(f"  ... {len(report.warnings)} recordings with warnings in all")
    lines += [f"  {path}" for path in report.written[:_SHOWN]]
    lines.append(f"recordings {report.recordings:>8}   ({report.failed} failed; {_hours(report.seconds)})")
    lines.append(
        f"turns      {report.turns:>8}   (in {report.conversations} conversations; "
        f"{_hours(report.speech_seconds)} of speech)"
    )
    if report.masked:
        lines.append(f"masked     {report.masked.total():>8}   ({_counts(report.masked)})")
    if arguments.verbose and report.spent:
        before = " (when they were recognised)" if report.known else ""
        lines.append("seconds    " + ", ".join(f"{step} {spent:.1f}" for step, spent in report.spent.items()) + before)
    return lines


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items() if number)


def _hours(total: float) -> str:
    minutes, rest = divmod(round(total), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
