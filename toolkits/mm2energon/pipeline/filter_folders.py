"""Videos that are folders of pictures without a rate, as those of T2Vid's synthetic data: the lists of their pictures.

T2Vid's files name a video where the folder is meant (`7.mp4` for `7/`). `shard` asks for the rate of such a folder, and
takes a list without one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from mm2energon.errors import MediaError
from mm2energon.pipeline.convert_media import pictures_of
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.roots import inside_root
from mm2energon.sample import Sample
from mm2energon.video.layout import find_frames

#: Any: whether a folder has a rate of its own is asked.
_ANY_FPS = 1.0


class PictureFolders:
    """Finds such folders below one dataset root."""

    def __init__(self, root: Path, *, further: tuple[Path, ...] = ()) -> None:
        """
        Args:
            further: roots, resolved, of which files may be named by absolute paths.
        """
        self._root = root
        self._further = further
        #: Questions about one video mostly stand together.
        self._is_folder = lru_cache(maxsize=4096)(self._look)

    def with_pictures(self, sample: Sample) -> tuple[Sample, list[int]]:
        """A sample with the pictures of videos that are such folders, and which of its videos these are.

        Raises:
            MediaError: such a folder holds no pictures, or a path leaves the root.
        """
        places = [
            place
            for place, video in enumerate(sample.videos)
            if isinstance(video, str) and self._is_folder(self._inside(video, sample.origin))
        ]
        if not places:
            return sample, places
        how = Reshaping(self._root, self._root, further=self._further)
        videos = [
            pictures_of(str(video), how, sample.origin) if place in places else video
            for place, video in enumerate(sample.videos)
        ]
        return replace(sample, videos=tuple(videos)), places

    def _inside(self, video: str, origin: str) -> str:
        return inside_root(self._root, video, origin=origin, further=self._further)

    def _look(self, video: str) -> bool:
        path = self._root / video
        if path.is_file():
            return False
        if path.is_dir():
            return True
        try:
            found = find_frames(path, default_fps=_ANY_FPS)
        except MediaError:  # whoever looks for its frames says why
            return False
        return found is not None and found.sidecar is None
