"""Clips: what was seen and heard in each conversation of a recording, as files below the folder of the output."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import MediaError
from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.sample import AUDIO_TAG, VIDEO_TAG, Sample
from mm2energon.speech.sound import RATE, Recorded, decoded
from mm2energon.speech.turns import Conversation, SpokenTurn
from mm2energon.speech.utterances import Span, Voice
from mm2energon.storage import write_whole
from mm2energon.video.clip import Footage, write_mp3
from mm2energon.video.encode import FrameOptions
from mm2energon.video.extract import extract_frames
from mm2energon.video.sampling import Sampling

#: Seconds before and after what is spoken.
_AROUND = 0.2
#: Quality of a clip of which the frames alone are kept: they become JPEG, which is loss enough.
_FOR_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is cut out of recordings."""

    #: The folder of the output, to which paths are relative, and the one below it that the files go to.
    root: Path
    folder: str
    #: `clips`, a video file of each conversation; `frames`, the frames of that stretch alone.
    video: Literal["clips", "frames"] | None = None
    #: The user's voice of each turn: `beside` its text, or `only`, instead of it.
    audio: Literal["beside", "only"] | None = None
    #: Seconds between frames.
    interval_seconds: float = 0.5

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to cut."""
        return self.video is None and self.audio is None


@dataclass(frozen=True, slots=True)
class Clip:
    """A conversation, as far as it matters where it is cut."""

    name: str
    span: Span
    #: The turns of the user.
    asked: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ClipUnit:
    """The conversations of one recording: a unit of work."""

    path: Path
    zero: float
    voices: tuple[Voice, ...]
    clips: tuple[Clip, ...]
    wanted: Wanted

    def __str__(self) -> str:
        return self.path.name


def clip_of(conversation: Conversation, name: str) -> Clip:
    """Where a conversation is cut."""
    around = Span(max(0.0, conversation.start - _AROUND), conversation.end + _AROUND)
    return Clip(name, around, tuple(_asked(turn) for turn in conversation.turns if turn.side == "user"))


def _asked(turn: SpokenTurn) -> Span:
    return Span(max(0.0, turn.start - _AROUND), turn.end + _AROUND)


def cut(unit: ClipUnit) -> dict[str, MediaError]:
    """Cut what is not there yet; the conversations that cannot be cut, by name, and why.

    Raises:
        MediaError: the recording cannot be read, or has no video.
    """
    fresh = [clip for clip in unit.clips if not _is_cut(unit, clip)]
    lost: dict[str, MediaError] = {}
    if not fresh:
        return lost
    footage = None if unit.wanted.video is None else Footage(unit.path)
    with decoded(unit.path, unit.voices) as recorded:
        for clip in fresh:
            try:
                _cut_one(unit, clip, recorded, footage)
            except MediaError as error:  # nothing was on the screen then, or what was is damaged
                lost[clip.name] = error
    return lost


def _cut_one(unit: ClipUnit, clip: Clip, recorded: Recorded, footage: Footage | None) -> None:
    if footage is not None:
        _cut_video(unit, clip, recorded, footage)
    if unit.wanted.audio is not None:
        voices = [voice.name for voice in unit.voices if voice.side == "user"]
        for path, span in zip(_audio_names(clip, unit.wanted), clip.asked, strict=True):
            write_mp3(unit.wanted.root / path, _mixed(recorded, voices, span))
    with write_whole(_mark(unit, clip)) as file:
        file.write(_recipe(unit, clip).encode())


def _cut_video(unit: ClipUnit, clip: Clip, recorded: Recorded, footage: Footage) -> None:
    wanted = unit.wanted
    path = wanted.root / _video_name(clip, wanted)
    start, end = unit.zero + clip.span.start, unit.zero + clip.span.end
    if wanted.video == "clips":
        footage.cut(path, start, end, sound=_mixed(recorded, list(recorded.sounds), clip.span), rate=RATE)
    else:
        footage.cut(path, start, end, quality=_FOR_FRAMES)
        extract_frames(path, FrameOptions(Sampling(interval_seconds=wanted.interval_seconds)))
        path.unlink()


def _mixed(recorded: Recorded, names: Sequence[str], span: Span) -> NDArray[np.int16]:
    """Voices together, as they were heard; silence where a track has ended."""
    total = np.zeros(round((span.end - span.start) * RATE), np.float32)
    for name in names:
        piece = recorded.sounds[name].piece(span)[: len(total)]
        total[: len(piece)] += piece
    return np.clip(np.rint(total * 32768), -32768, 32767).astype(np.int16)


def _video_name(clip: Clip, wanted: Wanted) -> str:
    return f"{wanted.folder}/{clip.name}.mp4"


def _audio_names(clip: Clip, wanted: Wanted) -> Iterator[str]:
    return (f"{wanted.folder}/{clip.name}-{number:02d}.mp3" for number in range(1, len(clip.asked) + 1))


def _mark(unit: ClipUnit, clip: Clip) -> Path:
    """Where it is noted how a conversation was cut."""
    return unit.wanted.root / STATE_FOLDER / unit.wanted.folder / f"{clip.name}.txt"


def _recipe(unit: ClipUnit, clip: Clip) -> str:
    state = unit.path.stat()
    wanted = replace(unit.wanted, root=Path())
    about = [str(unit.path), state.st_size, state.st_mtime_ns, unit.voices, clip, wanted]
    return hashlib.sha256(msgspec.json.encode(about, enc_hook=str)).hexdigest()


def _is_cut(unit: ClipUnit, clip: Clip) -> bool:
    wanted, mark = unit.wanted, _mark(unit, clip)
    files = list(_audio_names(clip, wanted)) if wanted.audio is not None else []
    if wanted.video is not None:
        name = _video_name(clip, wanted)
        files.append(name if wanted.video == "clips" else str(Path(name).with_suffix(".json")))
    return (
        mark.is_file() and mark.read_text() == _recipe(unit, clip) and all((wanted.root / f).is_file() for f in files)
    )


def with_media(sample: Sample, clip: Clip, wanted: Wanted) -> Sample:
    """A conversation with what was cut for it: the video before its first question, the voice at each."""
    turns, asked = list(sample.turns), 0
    for number, turn in enumerate(turns):
        if turn.role != "user":
            continue
        text = turn.text
        if wanted.audio is not None:
            text = AUDIO_TAG if wanted.audio == "only" else f"{AUDIO_TAG}\n{text}"
        if wanted.video is not None and not asked:
            text = f"{VIDEO_TAG}\n{text}"
        turns[number] = replace(turn, text=text)
        asked += 1
    about: Mapping[str, object] = {**sample.extra["extra"], "clip_start": round(clip.span.start, 3)}
    return replace(
        sample,
        turns=tuple(turns),
        videos=() if wanted.video is None else (_video_name(clip, wanted),),
        audios=() if wanted.audio is None else tuple(_audio_names(clip, wanted)),
        extra={**sample.extra, "extra": about},
    )
