"""Videos that are folders of pictures without a rate, as those of T2Vid's synthetic data: the lists of their pictures.

T2Vid's files name a video where the folder is meant (`7.mp4` for `7/`). `shard` asks for the rate of such a folder, and
takes a list without one.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from mm2energon.errors import MediaError
from mm2energon.pipeline.convert_media import Reshaping, pictures_of
from mm2energon.roots import inside_root
from mm2energon.sample import Sample, Video
from mm2energon.video.layout import find_frames

#: Any: whether a folder has a rate of its own is asked.
_ANY_FPS = 1.0


def with_pictures(sample: Sample, root: Path, *, further: tuple[Path, ...] = ()) -> tuple[Sample, list[int]]:
    """A sample with the pictures of videos that are such folders, and which of its videos these are.

    Args:
        further: roots, resolved, of which files may be named by absolute paths.

    Raises:
        MediaError: such a folder holds no pictures, or leaves the root.
    """
    places = [
        place
        for place, video in enumerate(sample.videos)
        if _is_folder(video, root, origin=sample.origin, further=further)
    ]
    if not places:
        return sample, places
    how = Reshaping(root, root, further=further)
    videos = [
        pictures_of(str(video), how, sample.origin) if place in places else video
        for place, video in enumerate(sample.videos)
    ]
    return replace(sample, videos=tuple(videos)), places


def _is_folder(video: Video, root: Path, *, origin: str, further: tuple[Path, ...]) -> bool:
    if not isinstance(video, str) or os.path.isfile(root / video):  # noqa: PTH113 (false also for an odd name)
        return False
    if os.path.isdir(root / video):  # noqa: PTH112
        return True
    path = root / inside_root(root, video, origin=origin, further=further)
    try:
        found = find_frames(path, default_fps=_ANY_FPS)
    except MediaError:  # whoever looks for its frames says why
        return False
    return found is not None and found.sidecar is None
