"""The LLaVA-Next-Video template of the first annotation tool: as the port's, with `<|video|>` behind the question.

{"prompt": "USER: What is this?\\n<|video|>\\nASSISTANT:", "answer": "A cat.", "video_path": "films/7.mp4"}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm2energon.formats import llava_next_video_hf
from mm2energon.sample import Sample

HOLDS = llava_next_video_hf.HOLDS

_TAG = "<|video|>"


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format."""
    return llava_next_video_hf.matches(entry) and isinstance(entry["prompt"], str) and _TAG in entry["prompt"]


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample.

    Raises:
        SampleError: as of llava-next-video-hf.
    """
    return llava_next_video_hf.load_prompt(entry, _TAG, origin=origin)


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry.

    Raises:
        SampleError: `cannot-hold`.
    """
    return llava_next_video_hf.dump_prompt(sample, f"USER: {{}}\n{_TAG}\nASSISTANT:", name="legacy-llava-next")
