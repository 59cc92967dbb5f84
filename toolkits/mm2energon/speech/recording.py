"""One recording: decoded, speech found, what bleeds over put out, and recognised; its outcome is a file, so that it is
not recognised again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mm2energon.errors import MediaError
from mm2energon.speech import engines
from mm2energon.speech.activity import Activity, find_speech
from mm2energon.speech.bleed import SILENCE_DB, Gate, are_same, gated, level_db
from mm2energon.speech.engines.languages import choose_languages
from mm2energon.speech.engines.settings import Recognized, Settings
from mm2energon.speech.notes import Note
from mm2energon.speech.sound import Recorded, Sound, decoded
from mm2energon.speech.tracks import open_recording, tracks_of, zero_of
from mm2energon.speech.transcripts import find_transcript, read_transcript
from mm2energon.speech.utterances import LeftOut, Utterance, Voice
from mm2energon.storage import write_whole

#: Seconds by which a track may end before the recording without a word about it, and by which packets may lack.
_ENDS_EARLY = 2.0
_GAPS = 0.5
_DOUBTS = {
    "no-speech": "the engine hears no speech in it",
    "repetition": "the engine repeats itself, as it does where nothing can be understood",
}


@dataclass(frozen=True, slots=True)
class Hearing:
    """How recordings are heard: what decides their transcript, whatever is made of it then."""

    voices: tuple[Voice, ...]
    settings: Settings
    activity: Activity = field(default_factory=Activity)
    gate: Gate = field(default_factory=Gate)
    #: Voice -> its transcript, for the engine that recognises nothing.
    transcripts: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordingUnit:
    """A recording: a unit of work."""

    path: Path
    hearing: Hearing
    #: Where its transcript is written.
    place: Path

    def __str__(self) -> str:
        return self.path.name


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard in a recording."""

    #: Seconds of the recording; the time stamp at which its clock shows 0.
    seconds: float
    zero: float
    #: Voice -> the track it was taken from, in words.
    tracks: Mapping[str, str]
    utterances: tuple[Utterance, ...]
    #: What the engine's own scores speak against.
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    language: str | None = None
    #: Voice -> seconds of speech that were recognised.
    speech: Mapping[str, float] = field(default_factory=dict)
    #: Step -> seconds it took.
    spent: Mapping[str, float] = field(default_factory=dict)


def hear(unit: RecordingUnit) -> float:
    """Write the transcript of a recording; its seconds.

    Raises:
        MediaError: it cannot be read, or lacks a track, or its tracks do not tell who speaks.
        InputError: the engine's model is not here.
        DependencyError: a package of the extra is missing.
    """
    if unit.hearing.settings.engine == engines.TRANSCRIPT:
        transcript = _read(unit)
    else:
        unit.place.parent.mkdir(parents=True, exist_ok=True)
        note = Note(unit.place)
        try:
            transcript = transcript_of(unit.path, unit.hearing, told=note.tell)
        finally:
            note.remove()
    with write_whole(unit.place) as file:
        file.write(msgspec.json.encode(transcript))
    return transcript.seconds


def read_heard(place: Path) -> Transcript:
    """The transcript that `hear` wrote.

    Raises:
        OSError: there is none.
        ValueError: it is that of another version.
    """
    return msgspec.json.decode(place.read_bytes(), type=Transcript)


def _read(unit: RecordingUnit) -> Transcript:
    """The transcript of a recording from the files that somebody else wrote."""
    with open_recording(unit.path) as container:
        tracks = {str(track.index): str(track) for track in tracks_of(container)}
        zero = zero_of(container)
        seconds = 0.0 if container.duration is None else container.duration / 1e6
    utterances: list[Utterance] = []
    speech: dict[str, float] = {}
    for voice in unit.hearing.voices:
        path = find_transcript(unit.path, voice.name, unit.hearing.transcripts)
        others = [other.name for other in unit.hearing.voices if other != voice]
        own = read_transcript(path, voice.name, others)
        utterances += own
        speech[voice.name] = sum(one.end - one.start for one in own)
    named = {voice.name: tracks.get(voice.track, "") for voice in unit.hearing.voices}
    utterances.sort(key=lambda one: (one.start, one.end))
    return Transcript(seconds, zero, named, tuple(utterances), speech=speech)


def transcript_of(path: Path, hearing: Hearing, *, told: Callable[[float], None] = lambda _: None) -> Transcript:
    """What is said in a recording, recognised.

    Args:
        told: is told again and again how much of it is heard, 0 to 1.

    Raises:
        MediaError, InputError, DependencyError: as `hear`.
    """
    spent: dict[str, float] = {}
    recognizer = engines.load(hearing.settings)  # before hours of sound are decoded, it is known that it is here
    begin = time.perf_counter()
    with decoded(path, hearing.voices) as recorded:
        _require_different(path, recorded, hearing.gate)
        spent["decode"] = time.perf_counter() - begin
        begin = time.perf_counter()
        sounds = gated(recorded.sounds, hearing.gate)
        spent["bleed"] = time.perf_counter() - begin
        begin = time.perf_counter()
        spans = {name: find_speech(sound, hearing.activity) for name, sound in sounds.items()}
        spent["activity"] = time.perf_counter() - begin
        begin = time.perf_counter()
        spoken = {name: recognizer.languages(sound, spans[name]) for name, sound in sounds.items()}
        common, languages = choose_languages(spoken)
        found: dict[str, list[Recognized]] = {name: [] for name in sounds}
        total, done = sum(span.end - span.start for ones in spans.values() for span in ones), 0.0
        for name, sound in sounds.items():
            for one in recognizer.recognize(sound, spans[name], languages[name]):
                found[name].append(one)
                done += one.span.end - one.span.start
                told(done / max(total, 0.01))
        spent["recognize"] = time.perf_counter() - begin
        heard = [_utterance(name, one) for name, ones in found.items() for one in ones]
        heard.sort(key=lambda one: (one[0].start, one[0].end))
        return Transcript(
            recorded.seconds,
            recorded.zero,
            {name: str(track) for name, track in recorded.tracks.items()},
            tuple(one for one, doubt in heard if doubt is None),
            tuple(LeftOut(one, doubt, _DOUBTS[doubt]) for one, doubt in heard if doubt is not None),
            tuple(_warnings(recorded, sounds, {name: bool(ones) for name, ones in spans.items()})),
            common,
            {name: sum(span.end - span.start for span in ones) for name, ones in spans.items()},
            spent,
        )


def _utterance(speaker: str, found: Recognized) -> tuple[Utterance, str | None]:
    text = "".join(word.text for word in found.words).strip()
    span, words = found.span, found.words
    doubt = found.doubt if text or found.doubt else "no-speech"
    return Utterance(speaker, span.start, span.end, text, found.confidence, words), doubt


def _require_different(path: Path, recorded: Recorded, gate: Gate) -> None:
    names = list(recorded.sounds)
    for number, name in enumerate(names):
        for other in names[number + 1 :]:
            if are_same(recorded.sounds[name], recorded.sounds[other], gate):
                raise MediaError(
                    f"{path}: {name!r} (track {recorded.tracks[name]}) and {other!r} (track {recorded.tracks[other]}) "
                    "are the same sound, in which nobody can tell who speaks; expected a voice of its own on each; "
                    "choose other tracks, or record them apart",
                    "same-sound",
                )


def _warnings(recorded: Recorded, sounds: Mapping[str, Sound], speaks: Mapping[str, bool]) -> Iterator[str]:
    """What somebody should know of the tracks before the words are trained on."""
    for name, sound in sounds.items():
        track = recorded.tracks[name]
        which = f"{name!r} (track {track})"
        if not len(sound.samples):
            yield f"{which} has no sound at all"
            continue
        level = level_db(sound)
        if level == float("-inf"):
            yield f"{which} is silent: nothing in it is above {SILENCE_DB:g} dBFS"
        elif not speaks[name]:
            yield f"{which}: nobody speaks in it (level {level:.0f} dBFS)"
        if recorded.seconds - sound.seconds > _ENDS_EARLY:
            yield f"{which} ends {recorded.seconds - sound.seconds:.1f} s before the recording does"
        if sound.gaps > _GAPS or sound.overlaps > _GAPS:
            yield f"{which}: {sound.gaps:.1f} s are missing in it, {sound.overlaps:.1f} s came twice"
        if sound.clock_sets:
            yield f"{which}: its clock was set anew {sound.clock_sets} times; what follows is put after what was before"
        if sound.damaged_packets:
            yield f"{which}: {sound.damaged_packets} packets cannot be decoded, and are silence"
        bleed = sum(span.end - span.start for span in sound.muted)
        if bleed > 1.0:
            yield f"{which}: {bleed:.1f} s in it are another speaker's voice, and were put out"
