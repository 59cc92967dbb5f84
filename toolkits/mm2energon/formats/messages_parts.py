"""Messages whose contents are lists of parts, as Hugging Face's processors, TRL and qwen-vl-utils take them.

{"messages": [{"role": "user", "content": [{"type": "image", "image": "pictures/7.jpg"},
                                           {"type": "text", "text": "\\nWhat is this?"}]},
              {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]}]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats import messages
from mm2energon.formats.holds import Holds
from mm2energon.formats.pairs import with_extra
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Sample, Turn

HOLDS = Holds()

_KINDS = {IMAGE_TAG: "image", VIDEO_TAG: "video", AUDIO_TAG: "audio"}
_TAGS = re.compile("|".join(f"({tag})" for tag in _KINDS))

matches = messages.matches
load = messages.load


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry, each medium at the place of its tag.

    Raises:
        SampleError: `cannot-hold`, where the tags are not as many as the media.
    """
    media: dict[str, list[Any]] = {
        IMAGE_TAG: list(sample.images),
        VIDEO_TAG: [list(video) if isinstance(video, tuple) else video for video in sample.videos],
        AUDIO_TAG: list(sample.audios),
    }
    for tag, paths in media.items():
        if sample.count_tags(tag) != len(paths):
            raise SampleError(
                f"{sample.origin}: {sample.count_tags(tag)} {tag} tags for {len(paths)} media, which an entry of "
                "messages-parts cannot hold; put a tag in the text for each",
                "cannot-hold",
            )
    left = {tag: iter(paths) for tag, paths in media.items()}
    turns = [_dumped(turn, left) for turn in sample.turns]
    return with_extra({"messages": turns}, sample)


def _dumped(turn: Turn, left: Mapping[str, Iterator[Any]]) -> dict[str, Any]:
    """A turn, what was said of each medium in its part again."""
    extra = dict(turn.extra or {})
    parts = list(_parts(turn.text, left))
    shown = [part for part in parts if part["type"] != "text"]
    options = extra.get(messages.MEDIA_OPTIONS)
    if isinstance(options, list) and len(options) == len(shown) and all(isinstance(one, dict) for one in options):
        del extra[messages.MEDIA_OPTIONS]
        for part, more in zip(shown, options, strict=True):
            part.update({key: value for key, value in more.items() if key not in part})
    return {"role": turn.role, "content": parts, **extra}


def _parts(text: str, left: Mapping[str, Iterator[Any]]) -> Iterator[dict[str, Any]]:
    for piece in _TAGS.split(text):
        if piece in _KINDS:
            kind = _KINDS[piece]
            yield {"type": kind, kind: next(left[piece])}
        elif piece:
            yield {"type": "text", "text": piece}
    if not text:
        yield {"type": "text", "text": ""}
