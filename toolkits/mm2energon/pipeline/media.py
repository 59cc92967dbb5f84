"""The media of a sample, found on disk and measured, so that a plan can say exactly which bytes a shard will hold."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mm2energon import images
from mm2energon.errors import MediaError, SampleError
from mm2energon.images import ImageFacts
from mm2energon.sample import Sample, Video
from mm2energon.shards.records import Media
from mm2energon.storage import PlainFiles, inside_root, media_file
from mm2energon.video.layout import Frames, find_frames
from mm2energon.video.pack import PackReader, Packs
from mm2energon.video.places import frame_name

#: What trainers assume of a list of frames that says nothing.
_USUAL_FPS = 2.0
#: Media remembered from earlier samples: questions about one picture or video mostly stand together.
_PICTURES_REMEMBERED = 16_384
_VIDEOS_REMEMBERED = 4096
#: By how much a JPEG may grow when it is stored anew, in finer quality.
_JPEG_GROWS = 4
#: Bytes copied in the time in which one byte is decoded and encoded anew.
_ANEW_COSTS = 50
#: Header and padding of a member of a tar, at most.
_MEMBER_BYTES = 1024


class PlannedPicture(NamedTuple):
    """A picture file that goes into a shard; path relative to the dataset root."""

    path: str
    width: int
    height: int
    file_bytes: int
    as_is: bool
    #: As `ImageFacts.checksum`; 0 for frames of ours, whose sidecar answers for them.
    checksum: int = 0


@dataclass(frozen=True, slots=True)
class PlannedVideo:
    """The frames of one video that go into a shard, in time order."""

    frames: tuple[PlannedPicture, ...]
    #: Rate of these frames.
    fps: float


@dataclass(frozen=True, slots=True)
class PlannedMedia:
    """All media of one sample, in the order of its tags."""

    images: tuple[PlannedPicture, ...] = ()
    videos: tuple[PlannedVideo, ...] = ()
    #: (path, bytes) of each audio file.
    audios: tuple[tuple[str, int], ...] = ()

    def costs(self, min_side: int) -> tuple[int, int]:
        """Bytes that the media take in a shard at most, and bytes that could be copied while they are stored.

        Each takes a header and padding of its own; some are stored anew, which takes longer than to copy them.

        Args:
            min_side: pixels to which the smaller side of a picture is brought.
        """
        most = work = 0
        for pictures in (self.images, *(video.frames for video in self.videos)):
            for picture in pictures:
                passes = _passes(picture, min_side)
                size = picture.file_bytes if passes else _bytes_anew(picture, min_side)
                most += size + _MEMBER_BYTES
                work += size if passes else _ANEW_COSTS * (size + _MEMBER_BYTES)
        return most + sum([size + _MEMBER_BYTES for _, size in self.audios]), work

    def as_json(self) -> list[Any]:
        """As plain values, for the plan."""
        videos = [[video.fps, _pictures_as_json(video.frames)] for video in self.videos]
        return [_pictures_as_json(self.images), videos, self.audios]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> PlannedMedia:
        """Back from `as_json`."""
        images, videos, audios = value
        return cls(
            images=_pictures_from_json(images),
            videos=tuple(PlannedVideo(_pictures_from_json(frames), fps) for fps, frames in videos),
            audios=tuple((path, size) for path, size in audios),
        )


_NO_MEDIA = PlannedMedia()


def _pictures_as_json(pictures: Sequence[PlannedPicture]) -> list[Any]:
    """Pictures as plain values: frames of one folder, alike in all but size, as their folder, names and sizes."""
    if len(pictures) > 1:
        first = pictures[0]
        folder = first.path.rpartition("/")[0] + "/"
        start, alike = len(folder), first[1:3] + first[4:]
        if all(one.path.startswith(folder) and one[1:3] + one[4:] == alike for one in pictures):
            return [folder, [one.path[start:] for one in pictures], [one.file_bytes for one in pictures], alike]
    return [list(picture) for picture in pictures]


def _pictures_from_json(value: list[Any]) -> tuple[PlannedPicture, ...]:
    if not value or isinstance(value[0], list):
        return tuple(PlannedPicture(*picture) for picture in value)
    folder, names, sizes, (width, height, as_is, checksum) = value
    return tuple(
        PlannedPicture(folder + name, width, height, size, as_is, checksum)
        for name, size in zip(names, sizes, strict=True)
    )


def _passes(picture: PlannedPicture, min_side: int) -> bool:
    """Whether a picture goes into a shard byte for byte."""
    return picture.as_is and picture.width >= min_side and picture.height >= min_side


def _bytes_anew(picture: PlannedPicture, min_side: int) -> int:
    """Bytes of a picture that is stored anew, at most."""
    scale = max(1.0, min_side / max(1, min(picture.width, picture.height)))
    pixels = (picture.width * scale + 1) * (picture.height * scale + 1)
    # Stored anew as RGB: hardly ever larger than without compression, and a JPEG than some times what it was.
    anew = round(pixels * 3)
    if picture.path.lower().endswith((".jpg", ".jpeg")) and scale == 1.0:
        anew = min(anew, picture.file_bytes * _JPEG_GROWS)
    return anew


class MediaFinder:
    """Finds the media of samples below one dataset root."""

    def __init__(
        self,
        root: Path,
        *,
        failures: Mapping[str, SampleError],
        found: Mapping[str, Frames] | None = None,
        packs: Packs | None = None,
        default_fps: float | None = None,
        decode_images: bool = False,
    ) -> None:
        """
        Args:
            failures: videos whose frames could not be extracted, and why.
            found: frames of videos that have been looked for just now.
            packs: frames that have no files of their own.
            default_fps: rate of frame folders without a sidecar; None refuses them.
            decode_images: decode every image and frame once, instead of looking at its header and its end.
        """
        self._root = root
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
        path = inside_root(self._root, path, origin=origin)
        file = media_file(self._root, path, origin=origin)
        facts = images.read_facts(file, origin=origin, decode=self._decode)
        # By its own name where links lead to it, so that samples of one picture are known to share it.
        return PlannedPicture(file.resolve().relative_to(self._root).as_posix(), *facts)

    def _audio(self, path: str, *, origin: str) -> tuple[str, int]:
        file = media_file(self._root, path, origin=origin)
        return inside_root(self._root, path, origin=origin), file.stat().st_size

    def _video(self, video: Video, *, origin: str) -> PlannedVideo:
        if isinstance(video, tuple):
            frames = tuple(self._picture(path, origin=origin) for path in video)
            return PlannedVideo(frames, self._default_fps or _USUAL_FPS)
        known = self._videos.get(video)
        if known is not None:
            return known
        video = inside_root(self._root, video, origin=origin)
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
            media_file(self._root, video, origin=origin)
            if packed := self._packed(video, origin=origin):
                return packed
            raise MediaError(
                f"{origin}: {video!r} has no extracted frames; run mm2energon frames first, or leave out --no-extract",
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
        folder = found.folder.relative_to(self._root).as_posix()
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


def take_frames(video: PlannedVideo, max_frames: int | None) -> PlannedVideo:
    """The video with at most `max_frames` frames, evenly spread from the first to the last, at their lower rate."""
    count = len(video.frames)
    if max_frames is None or count <= max_frames:
        return video
    if max_frames == 1:
        return replace(video, frames=video.frames[:1])
    places = [round(place * (count - 1) / (max_frames - 1)) for place in range(max_frames)]
    fps = video.fps * (max_frames - 1) / (count - 1)
    return PlannedVideo(tuple(video.frames[place] for place in places), fps)


OddFrames = Literal["keep", "cut", "repeat"]


def even_frames(
    video: PlannedVideo, how: OddFrames, *, double_single: bool, max_frames: int | None = None
) -> PlannedVideo:
    """The video with an even number of frames: an odd last one cut or repeated; a single frame doubled where asked.

    Args:
        max_frames: where repeating would lead above it, the odd frame is cut.
    """
    count = len(video.frames)
    if count == 1 and double_single:
        return replace(video, frames=video.frames * 2)
    if count % 2 == 0 or count == 1 or how == "keep":
        return video
    cut = how == "cut" or (max_frames is not None and count >= max_frames)
    frames = video.frames[:-1] if cut else (*video.frames, video.frames[-1])
    return replace(video, frames=frames)


def _looks_whole(data: bytes) -> bool:
    """Whether bytes that go into a shard begin as a picture does, and a JPEG ends as one."""
    if data.startswith(b"\xff\xd8"):
        return data.endswith(b"\xff\xd9") or b"\xff\xd9" in data  # some writers leave megabytes behind it
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"RIFF"))


class MediaReader:
    """Reads the bytes of planned media below one dataset root."""

    def __init__(self, root: Path, *, min_side: int, pai_seconds: bool, packs: Path | None = None) -> None:
        """
        Args:
            min_side: pixels to which the smaller side of a picture is brought when it is below.
            pai_seconds: 1 / fps for `second_per_grid_ts`, as Pai's converter writes it, instead of 2 / fps.
            packs: folder of the frames that have no files of their own.
        """
        self._root = root
        self._packs = None if packs is None else PackReader(packs)
        self._files = PlainFiles(root)
        self._min_side = min_side
        self._seconds = 1 if pai_seconds else 2

    def read(self, planned: PlannedMedia, *, origin: str) -> Media:
        """The bytes of a sample's media.

        Raises:
            MediaError: a file is gone, has changed, or cannot be decoded.
        """
        return Media(
            images=[self._picture(picture, origin) for picture in planned.images],
            videos=[[self._picture(frame, origin) for frame in video.frames] for video in planned.videos],
            audios=[self._audio(path, origin) for path, _ in planned.audios],
            second_per_grid_ts=[self._seconds / video.fps for video in planned.videos],
        )

    def _picture(self, picture: PlannedPicture, origin: str) -> bytes:
        as_is = _passes(picture, self._min_side)
        packed = None if self._packs is None else self._packs.read(picture.path)
        if packed is not None and len(packed) == picture.file_bytes:
            facts, path = ImageFacts(*picture[1:]), self._root / picture.path
            return images.read_bytes(path, facts=facts, origin=origin, min_side=self._min_side, data=packed)
        data = self._files.read(picture.path, picture.file_bytes) if as_is else None
        if data is None:
            data = self._any_picture(picture, origin, as_is=as_is)
        if not _looks_whole(data):  # of frames of ours the plan has looked at nothing but the size
            raise MediaError(
                f"{origin}: {picture.path!r} is empty, damaged or cut off; a whole picture was expected; "
                "replace it, or of a frame remove the folder and extract it anew with mm2energon frames",
                "unreadable-image",
            )
        return data

    def _any_picture(self, picture: PlannedPicture, origin: str, *, as_is: bool) -> bytes:
        """A picture that is stored anew, or that is not there as it was planned."""
        path = media_file(self._root, picture.path, origin=origin)
        data = images.read_bytes(path, facts=ImageFacts(*picture[1:]), origin=origin, min_side=self._min_side)
        if as_is and len(data) != picture.file_bytes:
            raise MediaError(
                f"{origin}: {picture.path!r} has changed since the plan was made; run the command again",
                "missing-media",
            )
        return data

    def _audio(self, path: str, origin: str) -> bytes:
        file = media_file(self._root, path, origin=origin)
        try:
            return file.read_bytes()
        except PermissionError as error:
            raise MediaError(
                f"{origin}: {file.name} may not be read ({error.strerror}); change its mode or its owner",
                "no-permission",
            ) from error
