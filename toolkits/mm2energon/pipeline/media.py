"""The media of a sample, found on disk and measured, so that a plan can say exactly which bytes a shard will hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mm2energon import images
from mm2energon.errors import MediaError, SampleError
from mm2energon.pipeline.planned import PlannedMedia, PlannedPicture, PlannedVideo
from mm2energon.roots import PlainFiles, inside_root, media_file, name_from
from mm2energon.sample import Sample, Video
from mm2energon.video.layout import Frames, find_frames
from mm2energon.video.pack import Packs
from mm2energon.video.places import frame_name

#: What trainers assume of a list of frames that says nothing.
_USUAL_FPS = 2.0
#: Media remembered from earlier samples: questions about one picture or video mostly stand together.
_PICTURES_REMEMBERED = 16_384
_VIDEOS_REMEMBERED = 4096
_NO_MEDIA = PlannedMedia()


class MediaFinder:
    """Finds the media of samples below one dataset root."""

    def __init__(
        self,
        root: Path,
        *,
        further: tuple[Path, ...] = (),
        failures: Mapping[str, SampleError],
        found: Mapping[str, Frames] | None = None,
        packs: Packs | None = None,
        default_fps: float | None = None,
        decode_images: bool = False,
    ) -> None:
        """
        Args:
            further: roots, resolved, of which files may be named by absolute paths.
            failures: videos whose frames could not be extracted, and why.
            found: frames of videos that have been looked for just now.
            packs: frames that have no files of their own.
            default_fps: rate of frame folders without a sidecar; None refuses them.
            decode_images: decode every image and frame once, instead of looking at its header and its end.
        """
        self._root = root
        self._further = further
        self._failures = failures
        self._found = found or {}
        self._packs = packs
        self._default_fps = default_fps
        self._decode = decode_images
        self._files = PlainFiles(root)
        self._pictures: dict[str, PlannedPicture] = {}
        self._videos: dict[str, PlannedVideo] = {}

    def find(self, sample: Sample) -> PlannedMedia:
        """The media of a sample.

        Raises:
            MediaError: one of them is missing, outside the root or unreadable.
        """
        if not (sample.images or sample.videos or sample.audios):
            return _NO_MEDIA
        return PlannedMedia(
            images=tuple(self._picture(path, origin=sample.origin) for path in sample.images),
            videos=tuple(self._video(video, origin=sample.origin) for video in sample.videos),
            audios=tuple(self._audio(path, origin=sample.origin) for path in sample.audios),
        )

    def _picture(self, path: str, *, origin: str) -> PlannedPicture:
        known = self._pictures.get(path)
        if known is None:
            known = self._plain_picture(path) or self._any_picture(path, origin=origin)
            _make_room(self._pictures, _PICTURES_REMEMBERED)
            self._pictures[path] = known
        return known

    def _plain_picture(self, path: str) -> PlannedPicture | None:
        """A plain picture at a plain path, for a tenth of what `_any_picture` costs; None for everything else."""
        descriptor = None if self._decode else self._files.open(path)
        if descriptor is None:
            return None
        try:
            facts = images.plain_facts(descriptor)
        finally:
            os.close(descriptor)
        return None if facts is None else PlannedPicture(path, *facts)

    def _any_picture(self, path: str, *, origin: str) -> PlannedPicture:
        path = inside_root(self._root, path, origin=origin, further=self._further)
        file = media_file(self._root, path, origin=origin, further=self._further)
        facts = images.read_facts(file, origin=origin, decode=self._decode)
        # By its own name where links lead to it, so that samples of one picture are known to share it.
        return PlannedPicture(name_from(self._root, file.resolve()), *facts)

    def _audio(self, path: str, *, origin: str) -> tuple[str, int]:
        name = inside_root(self._root, path, origin=origin, further=self._further)
        return name, media_file(self._root, name, origin=origin, further=self._further).stat().st_size

    def _video(self, video: Video, *, origin: str) -> PlannedVideo:
        if isinstance(video, tuple):
            frames = tuple(self._picture(path, origin=origin) for path in video)
            return PlannedVideo(frames, self._default_fps or _USUAL_FPS)
        known = self._videos.get(video)
        if known is not None:
            return known
        video = inside_root(self._root, video, origin=origin, further=self._further)
        if video in self._failures:
            error = self._failures[video]
            raise MediaError(f"{origin}: {error}", error.code)
        if video not in self._videos:
            _make_room(self._videos, _VIDEOS_REMEMBERED)
            self._videos[video] = self._extracted(video, origin=origin)
        return self._videos[video]

    def _extracted(self, video: str, *, origin: str) -> PlannedVideo:
        path = self._root / video
        try:
            found = self._found.get(video) or find_frames(path, default_fps=self._default_fps)
        except MediaError as error:
            raise MediaError(f"{origin}: {error}", error.code) from error
        if found is None:
            media_file(self._root, video, origin=origin, further=self._further)
            if packed := self._packed(video, origin=origin):
                return packed
            raise MediaError(
                f"{origin}: {video!r} has no extracted frames; run mm2energon frames first (shard does, "
                "without --no-extract)",
                "no-frames",
            )
        return PlannedVideo(tuple(self._frames(found, origin=origin)), found.fps)

    def _packed(self, video: str, *, origin: str) -> PlannedVideo | None:
        """The frames of a pack, under the names that they would have beside the video, so that the plan is the same."""
        try:
            about = None if self._packs is None else self._packs.read(video)
        except MediaError as error:
            raise MediaError(f"{origin}: {error}", error.code) from error
        if self._packs is None or about is None:
            return None
        folder, sizes = self._packs.frames_of(video), about["frame_bytes"]
        names = [f"{folder}/{frame_name(number, len(sizes))}" for number in range(1, len(sizes) + 1)]
        width, height = about["width"], about["height"]
        frames = [PlannedPicture(name, width, height, size, True) for name, size in zip(names, sizes, strict=True)]
        return PlannedVideo(tuple(frames), float(about["fps"]))

    def _frames(self, found: Frames, *, origin: str) -> list[PlannedPicture]:
        folder = inside_root(self._root, str(found.folder), origin=origin, further=self._further)
        names = [f"{folder}/{name}" for name in found.names]
        if found.sizes is None or not (found.width and found.height):  # nothing is known of them
            return [self._picture(name, origin=origin) for name in names]
        if self._decode:
            for name in names:
                self._picture(name, origin=origin)
        return [
            PlannedPicture(name, found.width, found.height, size, True)
            for name, size in zip(names, found.sizes, strict=True)
        ]


def _make_room(remembered: dict[str, Any], limit: int) -> None:
    if len(remembered) >= limit:
        remembered.clear()
