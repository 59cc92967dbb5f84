"""Samples of a survey that are shown: their turns, and small copies of their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mm2energon.pipeline.record_content import Content
from mm2energon.pipeline.survey_pictures import thumbnail

_SHOWN_LETTERS, _FAULT_LETTERS = 4000, 300
_SHOWN_TURNS, _SHOWN_IMAGES, _SHOWN_VIDEOS, _SHOWN_FRAMES = 40, 12, 6, 10
_STRIP_SIDE = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that is shown: a small JPEG of it, or why there is none."""

    jpeg: bytes = b""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A sample that is shown."""

    #: (role, text) of its turns, and how many there are in all.
    turns: Sequence[tuple[str, str]]
    turn_count: int
    images: Sequence[Shown]
    image_count: int
    #: Of each video, some of its frames in order, and how many there are in all.
    videos: Sequence[tuple[Sequence[Shown], int]]
    video_count: int
    audio_bytes: Sequence[int]


def card_of(content: Content) -> Card:
    """A sample as it is shown."""
    return Card(
        turns=[(turn.role, _cut(turn.text)) for turn in content.turns[:_SHOWN_TURNS]],
        turn_count=len(content.turns),
        images=[shown(data) for data in content.images[:_SHOWN_IMAGES]],
        image_count=len(content.images),
        videos=[
            ([shown(frame, side=_STRIP_SIDE) for frame in _strip(video)], len(video))
            for video in content.videos[:_SHOWN_VIDEOS]
        ],
        video_count=len(content.videos),
        audio_bytes=[len(audio) for audio in content.audios],
    )


def shown(data: bytes, **options: int) -> Shown:
    """A picture as it is shown."""
    try:
        return Shown(thumbnail(data, **options))
    except ValueError as error:
        return Shown(fault=f"cannot be decoded: {error}"[:_FAULT_LETTERS])


def _strip(frames: Sequence[bytes]) -> list[bytes]:
    """Some frames of a video, evenly spread, the first and the last among them."""
    if len(frames) <= _SHOWN_FRAMES:
        return list(frames)
    return [frames[k * (len(frames) - 1) // (_SHOWN_FRAMES - 1)] for k in range(_SHOWN_FRAMES)]


def _cut(text: str) -> str:
    more = len(text) - _SHOWN_LETTERS
    return text if more <= 0 else f"{text[:_SHOWN_LETTERS]} ... ({more:,} more characters)"
