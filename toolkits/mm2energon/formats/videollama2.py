"""VideoLLaMA2: a video or an image, whose tag stands in the first question.

    {"id": "7", "video": "films/7.mp4",
     "conversations": [{"from": "human", "value": "<video>\\nWhat is this?"}, {"from": "gpt", "value": "A cat."}]}

Shape: README.md of DAMO-NLP-SG/VideoLLaMA2. An image is named by `image` where its loader reads it, and by `video` in
the example of that file; its tag says which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mm2energon.formats import llava
from mm2energon.formats.holds import Holds, require_held
from mm2energon.formats.media import is_picture
from mm2energon.sample import IMAGE_TAG, Sample

_ONE_KIND = Holds(images=1, videos=1, audios=0, mixed=False, frame_lists=False, system=False, alternate=True)
HOLDS = replace(_ONE_KIND, tags="first question")

matches = llava.matches


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample, as llava; a picture in the place of the video is an image where its tag says so."""
    video = entry.get("video")
    if is_picture(video) and not entry.get("image") and IMAGE_TAG in str(entry["conversations"]):
        entry = {**{key: value for key, value in entry.items() if key != "video"}, "image": video}
    return llava.load(entry, origin=origin)


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry.

    Raises:
        SampleError: `cannot-hold`.
    """
    require_held(sample, HOLDS, "videollama2")
    return llava.dump(sample)
