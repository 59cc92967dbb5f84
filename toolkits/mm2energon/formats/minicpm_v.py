"""MiniCPM-V fine-tuning: one image, or a dict of them, each named in the text by its key.

    {"image": {"<image_00>": "pictures/7.jpg", "<image_01>": "pictures/8.jpg"},
     "conversations": [{"role": "user", "content": "<image_00>\\n<image_01>\\nWhat is this?"},
                       {"role": "assistant", "content": "A cat."}]}

Shape: finetune/readme.md of OpenBMB's MiniCPM-V. An entry of one image is as one of llava.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats import llava
from mm2energon.formats.holds import Holds, require_held
from mm2energon.formats.pairs import with_extra
from mm2energon.jsonio import type_name
from mm2energon.sample import IMAGE_TAG, Sample, Turn

HOLDS = Holds(videos=0, audios=0, system=False, alternate=True)

_KEY = re.compile(r"<image_\d+>")


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format, and of no other: it names several images."""
    return isinstance(entry.get("image"), dict) and "conversations" in entry


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample; the images stand in the order in which the text names them.

    Raises:
        SampleError: the turns are none; `bad-media-list` the text names an image that is not there, or the other way
            round.
    """
    named = entry.get("image")
    if not isinstance(named, dict):
        return llava.load(entry, origin=origin)
    without = {key: value for key, value in entry.items() if key != "image"}
    sample = llava.load(without, origin=origin)
    used = [key for turn in sample.turns for key in _KEY.findall(turn.text)]
    if set(used) != named.keys():
        odd = ", ".join(sorted(map(str, set(used) ^ named.keys()))[:5])
        raise SampleError(
            f'{origin}: {odd}: in the text or in "image" alone; each key of "image" was expected in the text; mend one',
            "bad-media-list",
        )
    for key in used:
        if not isinstance(named[key], str) or not named[key]:
            raise SampleError(
                f'{origin}: "image" has {type_name(named[key])} at {key}; a path was expected; mend it',
                "bad-media-list",
            )
    turns = tuple(replace(turn, text=_KEY.sub(IMAGE_TAG, turn.text)) for turn in sample.turns)
    return replace(sample, turns=turns, images=tuple(named[key] for key in used))


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry.

    Raises:
        SampleError: `cannot-hold`, also where images and tags are not as many.
    """
    require_held(sample, HOLDS, "minicpm-v")
    if sample.count_tags(IMAGE_TAG) != len(sample.images) or any(_KEY.search(turn.text) for turn in sample.turns):
        raise SampleError(
            f"{sample.origin}: {sample.count_tags(IMAGE_TAG)} {IMAGE_TAG} tags for {len(sample.images)} images, which "
            "an entry of minicpm-v cannot hold; put a tag in the text for each image",
            "cannot-hold",
        )
    image: dict[str, Any] = {}
    turns = sample.turns
    if len(sample.images) == 1:
        image = {"image": sample.images[0]}
    elif sample.images:
        keys = [f"<image_{number:02d}>" for number in range(len(sample.images))]
        image = {"image": dict(zip(keys, sample.images, strict=True))}
        turns = _named(turns, keys)
    conversations = [{"role": turn.role, "content": turn.text} for turn in turns]
    return with_extra({**image, "conversations": conversations}, sample)


def _named(turns: tuple[Turn, ...], keys: list[str]) -> tuple[Turn, ...]:
    """The turns with the keys in the place of the tags, in their order."""
    left = iter(keys)
    return tuple(replace(turn, text=re.sub(IMAGE_TAG, lambda _: next(left), turn.text)) for turn in turns)
