"""Transcribe: recordings to conversations, each utterance part of one or set aside with its reason."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from mm2energon import formats
from mm2energon.errors import InputError, SampleError
from mm2energon.jsonio import Entry, EntryWriter
from mm2energon.pipeline.account import Account, open_account, write_entry
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import STATE_FOLDER, made_by, noted, write_output
from mm2energon.pipeline.loop import Limits, ProgressMaker, run_each, silent
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.speech.clips import Clip, ClipUnit, Wanted, clip_of, cut, with_media
from mm2energon.speech.conversations import sample_of, shared_sides, token_counter
from mm2energon.speech.hygiene import Hygiene, masked, without_blocked
from mm2energon.speech.recording import Hearing, RecordingUnit, Transcript, hear, read_heard
from mm2energon.speech.recordings import Recording
from mm2energon.speech.subtitles import write_srt, write_vtt
from mm2energon.speech.transcripts import segment, write_json
from mm2energon.speech.turns import Built, Conversation, TurnRules, build
from mm2energon.speech.utterances import LeftOut, Side, Utterance
from mm2energon.storage import remove_leftovers, write_whole
from mm2energon.tokens.text import load_tokenizer

#: Warnings that an error shows.
_TOLD = 4


@dataclass(frozen=True)
class TranscribeJob:
    """What `mm2energon transcribe` is asked to do."""

    recordings: Sequence[Recording]
    output: Path
    hearing: Hearing
    rules: TurnRules = field(default_factory=TurnRules)
    hygiene: Hygiene = field(default_factory=Hygiene)
    min_confidence: float = 0.0
    system: str | None = None
    #: Folder of the tokenizer that `max_tokens` is counted by.
    tokenizer: Path | None = None
    #: What is cut out of the recordings, for samples with media.
    wanted: Wanted | None = None
    #: Endings of transcripts that are written: `srt`, `vtt`, `json`.
    transcripts: Sequence[str] = ()
    workers: int = 1
    overwrite: bool = False
    #: Recognise again what has been recognised.
    restart: bool = False


@dataclass
class TranscribeReport:
    """What `mm2energon transcribe` did."""

    account: dict[str, Any] = field(default_factory=dict)
    conversations: int = 0
    turns: int = 0
    recordings: int = 0
    failed: int = 0
    #: Recordings whose transcript was there already.
    known: int = 0
    #: Seconds of all recordings, and of the speech in them, all voices together.
    seconds: float = 0.0
    speech_seconds: float = 0.0
    #: Recording -> what somebody should know of it.
    warnings: dict[str, list[str]] = field(default_factory=dict)
    #: Kind -> how often it was masked.
    masked: Counter[str] = field(default_factory=Counter)
    #: Step -> seconds it took, over all recordings and workers.
    spent: Counter[str] = field(default_factory=Counter)
    written: list[Path] = field(default_factory=list)
    already_done: bool = False
    first_error: SampleError | None = None

    def facts(self) -> dict[str, Any]:
        """What the account says besides the utterances."""
        return {
            "recordings": self.recordings,
            "recordings_failed": self.failed,
            "conversations": self.conversations,
            "turns": self.turns,
            "recorded_seconds": round(self.seconds, 3),
            "speech_seconds": round(self.speech_seconds, 3),
            "masked": dict(sorted(self.masked.items())),
            "warnings": self.warnings,
        }


def transcribe(job: TranscribeJob, *, progress: ProgressMaker = silent) -> TranscribeReport:
    """Write the conversations of recordings to `output`: JSON lines where its name ends in `.jsonl`, else an array.

    Raises:
        InputError: nothing can be written, or the output would replace a file that is not ours.
        DependencyError: a package of the extra is missing.
    """
    if not job.overwrite and job.output.exists() and noted(job.output) is None:
        raise InputError(
            f"--output {job.output}: exists, and was not written by mm2energon (or was changed since); "
            "choose another name, or --overwrite it"
        )
    with alone_on(job.output, option="--output"):
        for folder in (STATE_FOLDER, _transcripts_folder(job), "" if job.wanted is None else job.wanted.folder):
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
            for told in _told(job, report, progress):
                _write(told, job, out, account, report)
            account.facts = report.facts()
        _require_written(account, job, report)
        report.account = account.as_dict()
        report.already_done = was_left_alone(job.output, before)
        return report


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
    known = {unit.place for unit in units if unit.place.is_file() and not job.restart}
    fresh = [unit for unit in units if unit.place not in known]
    report.known = len(units) - len(fresh)
    bar = progress("recordings", len(units))
    outcomes = run_each(hear, fresh, workers=min(job.workers, len(fresh)), limits=Limits())
    for recording, unit in zip(job.recordings, units, strict=True):
        error = None if unit.place in known else next(outcomes).error
        bar.update(1)
        yield recording, error or read_heard(unit.place)
    bar.close()


def _place(job: TranscribeJob, recording: Recording) -> Path:
    """Where the transcript of a recording is kept: by its place, its state, and how it is heard."""
    found = recording.path.stat()
    what = [str(recording.path.resolve()), found.st_size, found.st_mtime_ns]
    texts = {str(path): path.stat().st_mtime_ns for path in job.hearing.transcripts.values()}
    how = msgspec.json.encode([what, texts, job.hearing], enc_hook=str, order="deterministic")
    digest = hashlib.sha256(how).hexdigest()[:16]
    return job.output.parent / STATE_FOLDER / "transcripts" / f"{recording.path.stem}.{digest}.json"


@dataclass(frozen=True)
class _Told:
    """A recording with what came of it."""

    recording: Recording
    heard: Transcript
    built: Built
    clips: Sequence[Clip]
    error: SampleError | None = None


def _told(job: TranscribeJob, report: TranscribeReport, progress: ProgressMaker) -> Iterator[_Told]:
    """Each recording with its conversations, and the clips of these cut."""
    waiting: deque[_Told] = deque()

    def units() -> Iterator[ClipUnit]:
        for recording, heard in _heard(job, report, progress):
            told = _tell(recording, heard, job, report)
            waiting.append(told)
            wanted = job.wanted or Wanted(job.output.parent, "")
            clips = () if wanted.is_nothing else tuple(told.clips)
            yield ClipUnit(recording.path.absolute(), told.heard.zero, job.hearing.voices, clips, wanted)

    workers = 0 if job.wanted is None or job.wanted.is_nothing else job.workers
    for outcome in run_each(cut, units(), workers=workers):
        told = waiting.popleft()
        yield told if outcome.error is None else replace(told, error=outcome.error)


def _tell(recording: Recording, heard: Transcript | SampleError, job: TranscribeJob, report: TranscribeReport) -> _Told:
    if isinstance(heard, SampleError):
        return _Told(recording, Transcript(0.0, 0.0, {}, ()), Built(), (), heard)
    heard = _masked(heard, job, report)
    built = _build(heard, job)
    names = (f"{recording.id}-{number:04d}" for number in count(1))
    clips = [clip_of(conversation, name) for conversation, name in zip(built.conversations, names, strict=False)]
    return _Told(recording, heard, built, clips)


def _write(told: _Told, job: TranscribeJob, out: EntryWriter, account: Account, report: TranscribeReport) -> None:
    recording, heard = told.recording, told.heard
    if told.error is not None:
        report.failed += 1
        report.first_error = report.first_error or told.error
        account.read += 1
        account.set_aside(Entry(recording.name, {"recording": recording.name}), told.error)
        return
    report.seconds += heard.seconds
    report.speech_seconds += sum(heard.speech.values())
    report.spent.update(heard.spent)
    if warnings := [*heard.warnings, *_swapped(heard, job)]:
        report.warnings[recording.name] = warnings
    for conversation, clip in zip(told.built.conversations, told.clips, strict=True):
        write_entry(out, _entry(conversation, clip, told, job), origin=clip.name)
        report.conversations += 1
        report.turns += len(conversation.turns)
        spoken = sum(len(turn.utterances) for turn in conversation.turns)
        account.read += spoken
        account.written["utterances"] += spoken
    _set_aside(recording, told.built.left_out, account)
    _write_transcripts(recording, heard, job, report)


def _entry(conversation: Conversation, clip: Clip, told: _Told, job: TranscribeJob) -> dict[str, Any]:
    """ChatML of what was said; ShareGPT of what was seen and heard as well."""
    sample = sample_of(
        conversation,
        name=clip.name,
        recording=told.recording.name,
        language=told.heard.language,
        system=job.system,
        named=shared_sides(job.hearing.voices),
    )
    if job.wanted is None or job.wanted.is_nothing:
        return formats.FORMATS["messages"].dump(sample)
    return formats.FORMATS["sharegpt"].dump(with_media(sample, clip, job.wanted))


def _masked(heard: Transcript, job: TranscribeJob, report: TranscribeReport) -> Transcript:
    """What was heard as it may be written, whatever becomes of it: trained on, set aside, or a transcript."""
    kinds, counts = job.hygiene.masked, report.masked
    left_out = (replace(one, utterance=masked(one.utterance, kinds, counts)) for one in heard.left_out)
    return replace(
        heard,
        utterances=tuple(masked(one, kinds, counts) for one in heard.utterances),
        left_out=tuple(left_out),
    )


def _build(heard: Transcript, job: TranscribeJob) -> Built:
    sides: Mapping[str, Side] = {voice.name: voice.side for voice in job.hearing.voices}
    sure = [one for one in heard.utterances if one.confidence >= job.min_confidence]
    kept, blocked = without_blocked(sure, job.hygiene.blocked)
    tokenizer = None if job.tokenizer is None else load_tokenizer(job.tokenizer)
    tokens = token_counter(job.system, tokenizer, shared_sides(job.hearing.voices))
    built = build(kept, job.rules, sides.__getitem__, tokens=tokens)
    built.left_out += [*heard.left_out, *blocked]
    unsure = [one for one in heard.utterances if one.confidence < job.min_confidence]
    for one in unsure:
        message = f"the engine is {one.confidence:.2f} sure of it; --min-confidence {job.min_confidence:g}"
        built.left_out.append(LeftOut(one, "low-confidence", message))
    return built


def _set_aside(recording: Recording, left_out: Sequence[LeftOut], account: Account) -> None:
    for one in sorted(left_out, key=lambda one: (one.utterance.start, one.utterance.end)):
        said = one.utterance
        origin = f"{recording.name}[{said.speaker} {said.start:.2f}-{said.end:.2f}]"
        account.read += 1
        error = SampleError(f"{origin}: {one.message}", one.code)
        account.set_aside(Entry(origin, segment(said)), error)


def _swapped(heard: Transcript, job: TranscribeJob) -> Iterator[str]:
    """A hint that user and assistant have each other's track."""
    sides = {voice.name: voice.side for voice in job.hearing.voices}
    others = {"user": "assistant", "assistant": "user"}
    for name, track in heard.tracks.items():
        title = track.partition("'")[2].casefold()
        if others.get(sides.get(name, ""), "?") in title:
            yield f"{name!r} is track {track}, whose title says the other side: are the tracks swapped?"
            return
    spoken: list[Utterance] = list(heard.utterances)
    if len(spoken) > 1 and sides[spoken[0].speaker] == "assistant" and sides[spoken[-1].speaker] == "user":
        yield "the assistant speaks first and the user last: are the tracks swapped?"


def _write_transcripts(recording: Recording, heard: Transcript, job: TranscribeJob, report: TranscribeReport) -> None:
    about = {"recording": recording.name, "seconds": round(heard.seconds, 3), "language": heard.language}
    writers = {
        "srt": lambda: write_srt(heard.utterances),
        "vtt": lambda: write_vtt(heard.utterances),
        "json": lambda: write_json(heard.utterances, about=about),
    }
    for kind in job.transcripts:
        path = job.output.parent / _transcripts_folder(job) / f"{recording.id}.{kind}"
        with write_whole(path) as file:
            file.write(writers[kind]())
        report.written.append(path)


def _transcripts_folder(job: TranscribeJob) -> str:
    """Where transcripts go that are asked for, beside the output."""
    return f"{job.output.stem}.transcripts"
