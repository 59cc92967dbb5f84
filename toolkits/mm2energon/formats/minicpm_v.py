"""MiniCPM-V fine-tuning: one image, or a dict of them, each named in the text by its key.

    {"image": {"<image_00>": "pictures/7.jpg", "<image_01>": "pictures/8.jpg"},
     "conversations": [{"role": "user", "content": "<image_00>\\n<image_01>\\nWhat is this?"},
                       {"role": "assistant", "content": "A cat."}]}

Shape: finetune/readme.md of OpenBMB's MiniCPM-V. An entry of one image, which belongs into the first question, is as
one of llava; one of text alone has a dict without images, for the loader asks each for its `image`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats import llava
from mm2energon.formats.holds import Holds, require_held
from mm2energon.formats.media import named_path, with_front_tag
from mm2energon.formats.pairs import with_extra
from mm2energon.jsonio import type_name
from mm2energon.sample import IMAGE_TAG, Sample, Turn

HOLDS = Holds(videos=0, audios=0, system=False, alternate=True, tags="one each")

_KEY = re.compile(r"<image_\d+>")


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format, and of no other: it names several images."""
    return "conversations" in entry and _names_images(entry.get("image"))


def _names_images(named: Any) -> bool:
    return isinstance(named, dict) and named_path(named) is named  # else it is one image, {"path": ...}


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample; the images stand in the order in which the text names them.

    Raises:
        SampleError: the turns are none; `bad-media-list` the text names an image that is not there, or the other way
            round.
    """
    named: Any = entry.get("image")
    if not _names_images(named):
        return with_front_tag(llava.load(entry, origin=origin))
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
    if any(_KEY.search(turn.text) for turn in sample.turns):
        raise SampleError(
            f"{sample.origin}: a text that says <image_...> itself, which an entry of minicpm-v cannot hold; "
            "choose another format, or change the text",
            "cannot-hold",
        )
    turns = sample.turns
    if len(sample.images) == 1 and IMAGE_TAG in turns[0].text:
        return _entry(sample.images[0], turns, sample)
    keys = [f"<image_{number:02d}>" for number in range(len(sample.images))]
    return _entry(dict(zip(keys, sample.images, strict=True)), _named(turns, keys), sample)


def _entry(image: str | dict[str, str], turns: tuple[Turn, ...], sample: Sample) -> dict[str, Any]:
    conversations = [{"role": turn.role, "content": turn.text, **(turn.extra or {})} for turn in turns]
    return with_extra({"image": image, "conversations": conversations}, sample)


def _named(turns: tuple[Turn, ...], keys: list[str]) -> tuple[Turn, ...]:
    """The turns with the keys in the place of the tags, in their order."""
    left = iter(keys)
    return tuple(replace(turn, text=re.sub(IMAGE_TAG, lambda _: next(left), turn.text)) for turn in turns)
