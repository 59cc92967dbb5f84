"""InternVL: as LLaVA's entries, one a line.

    {"id": "7", "image": "pictures/7.jpg",
     "conversations": [{"from": "human", "value": "<image>\\nWhat is this?"}, {"from": "gpt", "value": "A cat."}]}

Shape: "Chat Data Format" of its documentation. Its loader puts the tag of a medium before the first turn where that
has none; but it takes images that are in a list as they are, and finds a video by its tag and a line break behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mm2energon.formats import llava
from mm2energon.formats.holds import Holds, require_held
from mm2energon.formats.media import with_front_tag
from mm2energon.sample import IMAGE_TAG, VIDEO_TAG, Sample

HOLDS = Holds(videos=1, audios=0, mixed=False, frame_lists=False, alternate=True, tags="questions")
#: What is true of an entry with a video besides.
_WITH_VIDEO = replace(HOLDS, system=False, tags="first question")

matches = llava.matches


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample, as llava; the tag of a medium that no text names stands in front."""
    return with_front_tag(llava.load(entry, origin=origin))


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry.

    Raises:
        SampleError: `cannot-hold`, also for a video beside a system turn, before which its tag would be put.
    """
    require_held(sample, _WITH_VIDEO if sample.videos else HOLDS, "internvl")
    first, *others = sample.turns
    if sample.videos and f"{VIDEO_TAG}\n" not in first.text:
        first = replace(first, text=first.text.replace(VIDEO_TAG, f"{VIDEO_TAG}\n"))
    entry = llava.dump(replace(sample, turns=(first, *others)))
    if sample.images and IMAGE_TAG not in first.text:
        entry["image"] = list(sample.images)
    return entry
