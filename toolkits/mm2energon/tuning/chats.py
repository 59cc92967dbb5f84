"""A chat: one conversation with decoded pictures, however it was stored; what the model's inputs are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mm2energon.errors import MediaError, SampleError
from mm2energon.images import library
from mm2energon.pipeline.planned import kept_places
from mm2energon.pipeline.prepare import Prepared
from mm2energon.sample import AUDIO_TAG, Role, Turn
from mm2energon.shards.records import Media
from mm2energon.videochat.qwen_inputs import Film, Pixels

_ROLES: Mapping[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}
#: Frames of which the model makes one patch in time: what `second_per_grid_ts` speaks of.
_FRAMES_PER_GRID = 2


@dataclass(frozen=True)
class Chat:
    """One conversation."""

    turns: tuple[Turn, ...]
    images: tuple[Pixels, ...]
    videos: tuple[Film, ...]
    origin: str


def chat_of_prepared(prepared: Prepared, media: Media) -> Chat:
    """The chat of a prepared sample.

    Raises:
        MediaError: a picture cannot be decoded.
    """
    origin = prepared.sample.origin
    return Chat(
        turns=prepared.sample.turns,
        images=tuple(decode_pixels(data, origin=origin) for data in media.images),
        videos=tuple(
            film([decode_pixels(data, origin=origin) for data in frames], seconds)
            for frames, seconds in zip(media.videos, media.second_per_grid_ts, strict=True)
        ),
        origin=origin,
    )


def chat_of_sample(sample: Any, *, max_frames: int, seconds_factor: float = 1.0) -> Chat:
    """The chat of a sample as Energon gives it, by the reader of any target.

    Args:
        seconds_factor: makes the model's seconds of stored ones; 2 where Pai's were written.

    Raises:
        SampleError: the conversation is not as a target writes it, or a picture cannot be decoded; `audio-unsupported`.
    """
    origin = str(sample.__key__)
    if hasattr(sample, "messages"):  # crude, cooked
        stored: Mapping[str, Any] = {"conversations": sample.messages, "second_per_grid_ts": sample.second_per_grid_ts}
        pictures, videos = sample.images, sample.videos
    else:
        stored = sample.conversation
        stored = json.loads(stored) if isinstance(stored, (str, bytes)) else stored
        pictures, videos = sample.imgs or [], sample.videos or []
    try:
        turns = tuple(_turn(turn) for turn in stored["conversations"])
        told = stored.get("second_per_grid_ts")
        seconds = [one * seconds_factor for one in told] if told else [1.0] * len(videos)
        films = tuple(
            _taken(frames, one, max_frames, origin=origin) for frames, one in zip(videos, seconds, strict=True)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SampleError(
            f"{origin}: its json is not what a target writes ({type(error).__name__}: {error}); write the shards again",
            "bad-part",
        ) from error
    if any(AUDIO_TAG in turn.text for turn in turns):
        raise SampleError(
            f"{origin}: holds audio, which the model does not hear; a sample without was expected; leave it out of the "
            "shards",
            "audio-unsupported",
        )
    return Chat(turns, tuple(_pixels(picture, origin=origin) for picture in pictures), films, origin)


def film(frames: Sequence[Pixels], second_per_grid: float) -> Film:
    """Frames at an even rate, from two of them to the next two in so many seconds."""
    return Film(frames, [number * second_per_grid / _FRAMES_PER_GRID for number in range(len(frames))])


def decode_pixels(data: bytes, *, origin: str) -> Pixels:
    """The pixels of a picture file.

    Raises:
        MediaError: `unreadable-image`.
    """
    try:
        return np.asarray(library.decode(data))
    except ValueError as error:
        raise MediaError(f"{origin}: a picture cannot be decoded ({error}); replace it", "unreadable-image") from error


def _turn(turn: Mapping[str, Any]) -> Turn:
    text = turn["content"] if "content" in turn else turn["value"]
    return Turn(_ROLES[turn.get("role") or turn["from"]], text)


def _taken(frames: Sequence[Any], second_per_grid: float, most: int, *, origin: str) -> Film:
    """The frames of a stored video, no more than the most, evenly spread, as they are taken of a planned one."""
    places = kept_places(len(frames), most)
    slower = 1.0 if len(places) < 2 else (len(frames) - 1) / (len(places) - 1)
    return film([_pixels(frames[place], origin=origin) for place in places], second_per_grid * slower)


def _pixels(picture: Any, *, origin: str) -> Pixels:
    """A picture as a reader gives it: encoded, or float32 in 0..1, channels x height x width."""
    if isinstance(picture, bytes):
        return decode_pixels(picture, origin=origin)
    values: Pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
    return values
