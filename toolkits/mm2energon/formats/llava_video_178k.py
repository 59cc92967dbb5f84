"""LLaVA-Video-178K, and the trainer of LLaVA-NeXT-Video: `<image>` stands for the one video.

{"id": "7", "video": "films/7.mp4",
 "conversations": [{"from": "human", "value": "<image>\\nWhat is this?"}, {"from": "gpt", "value": "A cat."}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mm2energon.formats import llava
from mm2energon.formats.holds import Holds, require_held
from mm2energon.sample import IMAGE_TAG, VIDEO_TAG, Sample


@dataclass(frozen=True, slots=True)
class LlavaVideo:
    """One of the two."""

    name: str
    HOLDS: Holds = Holds(
        videos=1, audios=0, mixed=False, frame_lists=False, system=False, alternate=True, tags="questions"
    )

    def matches(self, entry: Mapping[str, Any], /) -> bool:
        """Whether an entry may be of this format: it is one of llava."""
        return llava.matches(entry)

    def load(self, entry: Mapping[str, Any], /, *, origin: str) -> Sample:
        """An entry as a Sample, as llava."""
        return llava.load(entry, origin=origin)

    def dump(self, sample: Sample, /) -> dict[str, Any]:
        """A Sample as an entry.

        Raises:
            SampleError: `cannot-hold`.
        """
        require_held(sample, self.HOLDS, self.name)
        if not sample.videos:
            return llava.dump(sample)
        turns = tuple(replace(turn, text=turn.text.replace(VIDEO_TAG, IMAGE_TAG)) for turn in sample.turns)
        return llava.dump(replace(sample, turns=turns))


LLAVA_VIDEO_178K = LlavaVideo("llava-video-178k")
LLAVA_NEXT_VIDEO = LlavaVideo("llava-next-video")
