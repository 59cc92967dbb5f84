"""VideoInstruct100K of Video-ChatGPT: a question, an answer, and the id of a video, whose ending is found on the disk.

    {"q": "What is this?", "a": "A cat.", "video_id": "films/v_7"}

Shape: https://huggingface.co/datasets/MBZUAI/VideoInstruct-100K (VideoInstruct100K.json).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from mm2energon.formats.pairs import ONE_PAIR, asked, pair, read_path, read_text, rest_of, with_extra
from mm2energon.sample import Sample

HOLDS = ONE_PAIR


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format."""
    return "video_id" in entry and "q" in entry


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample, whose video still lacks its ending.

    Raises:
        SampleError: a field is missing, or no string.
    """
    return Sample(
        turns=pair(read_text(entry, "q", origin=origin), read_text(entry, "a", origin=origin)),
        videos=(read_path(entry, "video_id", origin=origin),),
        id=entry.get("id"),
        extra=rest_of(entry, "q", "a", "video_id"),
        origin=origin,
    )


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry.

    Raises:
        SampleError: `cannot-hold`.
    """
    held = asked(sample, name="video-instruct")
    video = PurePosixPath(str(held.videos[0])).with_suffix("")
    entry = {"q": held.turns[0].text, "a": held.turns[1].text, "video_id": str(video)}
    return with_extra(entry, held)
