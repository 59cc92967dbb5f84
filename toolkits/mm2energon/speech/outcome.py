"""What comes of one recording: conversations, utterances set aside, transcripts, and the lines that say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry, EntryWriter
from mm2energon.pipeline.account import Account, write_entry
from mm2energon.speech.clips import Clip, clip_of, with_media
from mm2energon.speech.conversations import sample_of, shared_sides
from mm2energon.speech.hygiene import masked, without_blocked
from mm2energon.speech.job import TranscribeJob, TranscribeReport
from mm2energon.speech.recording import Transcript
from mm2energon.speech.recordings import Recording
from mm2energon.speech.subtitles import write_srt, write_vtt
from mm2energon.speech.transcripts import segment, write_json
from mm2energon.speech.turns import Built, Conversation, TokenCount, build
from mm2energon.speech.utterances import LeftOut, Utterance
from mm2energon.storage import write_whole


@dataclass(frozen=True)
class Told:
    """A recording with what came of it."""

    recording: Recording
    heard: Transcript
    built: Built
    clips: Sequence[Clip]
    error: SampleError | None = None


def tell(
    recording: Recording,
    heard: Transcript | SampleError,
    job: TranscribeJob,
    report: TranscribeReport,
    tokens: TokenCount | None,
) -> Told:
    """The conversations of a recording, and where its clips are.

    Args:
        report: counts what is masked.
        tokens: counts the tokens of turns, for `max_tokens`.
    """
    if isinstance(heard, SampleError):
        return Told(recording, Transcript(0.0, 0.0, {}, ()), Built(), (), heard)
    heard = _masked(heard, job, report)
    built = _build(heard, job, tokens)
    names = (f"{recording.id}-{number:04d}" for number in count(1))
    clips = [clip_of(conversation, name) for conversation, name in zip(built.conversations, names, strict=False)]
    return Told(recording, heard, built, clips)


def without(told: Told, lost: Mapping[str, SampleError]) -> Told:
    """A recording without the conversations of which there is no clip; what was said in them is set aside."""
    if not lost:
        return told
    pairs = list(zip(told.built.conversations, told.clips, strict=True))
    kept = [pair for pair in pairs if pair[1].name not in lost]
    left_out = [
        LeftOut(utterance, lost[clip.name].code, str(lost[clip.name]))
        for conversation, clip in pairs
        if clip.name in lost
        for turn in conversation.turns
        for utterance in turn.utterances
    ]
    conversations = [conversation for conversation, _ in kept]
    built = replace(told.built, conversations=conversations, left_out=[*told.built.left_out, *left_out])
    return replace(told, built=built, clips=[clip for _, clip in kept])


def write(told: Told, job: TranscribeJob, out: EntryWriter, account: Account, report: TranscribeReport) -> None:
    """Write what came of a recording, and count it."""
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


def _entry(conversation: Conversation, clip: Clip, told: Told, job: TranscribeJob) -> dict[str, Any]:
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
    kinds, counts, pause = job.hygiene.masked, report.masked, job.rules.turn_gap
    doubted = masked([one.utterance for one in heard.left_out], kinds, counts, pause=pause)
    return replace(
        heard,
        utterances=tuple(masked(heard.utterances, kinds, counts, pause=pause)),
        left_out=tuple(
            replace(one, utterance=utterance) for one, utterance in zip(heard.left_out, doubted, strict=True)
        ),
    )


def _build(heard: Transcript, job: TranscribeJob, tokens: TokenCount | None) -> Built:
    unfit = {one.utterance: one for one in without_blocked(heard.utterances, job.hygiene.blocked)[1]}
    for one in heard.utterances:
        if one.confidence < job.min_confidence:
            message = f"the engine is {one.confidence:.2f} sure of it; --min-confidence {job.min_confidence:g}"
            unfit[one] = LeftOut(one, "low-confidence", message)
    built = build(heard.utterances, job.rules, job.sides.__getitem__, tokens=tokens, unfit=unfit)
    built.left_out += heard.left_out
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
    sides = job.sides
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
        path = job.output.parent / job.transcripts_folder / f"{recording.id}.{kind}"
        with write_whole(path) as file:
            file.write(writers[kind]())
        report.written.append(path)
