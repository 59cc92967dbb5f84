"""LLaVA-Video-178K, and the trainer of LLaVA-NeXT-Video: `<image>` stands for the one video.

{"id": "7", "video": "films/7.mp4",
 "conversations": [{"from": "human", "value": "<image>\\nWhat is this?"}, {"from": "gpt", "value": "A cat."}]}
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats import llava
from mm2energon.formats.holds import Holds, require_held
from mm2energon.sample import IMAGE_TAG, VIDEO_TAG, Sample

HOLDS = Holds(videos=1, audios=0, mixed=False, frame_lists=False, system=False, alternate=True)

matches = llava.matches
load = llava.load


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry.

    Raises:
        SampleError: `cannot-hold`.
    """
    require_held(sample, HOLDS, "llava-video-178k")
    if not sample.videos:
        return llava.dump(sample)
    asked = sum(turn.text.count(VIDEO_TAG) for turn in sample.turns if turn.role == "user")
    tags, others = sample.count_tags(VIDEO_TAG), sample.count_tags(IMAGE_TAG)
    if others or (asked, tags) != (1, 1):
        raise SampleError(
            f"{sample.origin}: {tags} {VIDEO_TAG} and {others} {IMAGE_TAG} tags for one video, which an entry of "
            "llava-video-178k cannot hold; leave one tag, in a question",
            "cannot-hold",
        )
    turns = tuple(replace(turn, text=turn.text.replace(VIDEO_TAG, IMAGE_TAG)) for turn in sample.turns)
    return llava.dump(replace(sample, turns=turns))
