"""T2Vid's synthetic videos (longalpaca, longqlora): `video` is a folder of pictures, all of which are its frames.

    {"video": "pages/7", "conversations": [{"from": "human", "value": "<video>\\nWhat is this?"},
                                           {"from": "gpt", "value": "A cat."}]}

Shape: https://huggingface.co/datasets/xjtupanda/T2Vid-Synthetic. The published files name a video file where the
folder is meant; which it is, the disk says. Its scripts (utils/preprocess/minicpm-filter.py of xjtupanda/T2Vid) want
the tag in the first turn, once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats import llava
from mm2energon.formats.holds import Holds, require_held
from mm2energon.sample import Sample

HOLDS = Holds(images=0, videos=1, audios=0, needs_video=True, system=False, alternate=True, tags="first question")

matches = llava.matches
load = llava.load


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry; of a list of frames the folder is written, which must hold them all.

    Raises:
        SampleError: `cannot-hold`, also where frames lie in several folders.
    """
    require_held(sample, HOLDS, "t2vid-synthetic")
    videos = tuple(_folder(video, sample) if isinstance(video, tuple) else video for video in sample.videos)
    return llava.dump(replace(sample, videos=videos))


def _folder(frames: tuple[str, ...], sample: Sample) -> str:
    folders = {str(PurePosixPath(frame).parent) for frame in frames}
    if len(folders) != 1 or folders == {"."}:
        where = "the dataset root" if folders == {"."} else f"{len(folders)} folders"
        raise SampleError(
            f"{sample.origin}: a video whose frames lie in {where}, which an entry of t2vid-synthetic "
            "cannot hold; put them into a folder of their own",
            "cannot-hold",
        )
    return folders.pop()
