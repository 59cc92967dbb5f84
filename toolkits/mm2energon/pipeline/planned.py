"""Planned media: which bytes a shard will hold for a sample, as the plan says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

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
                as_it_is = passes(picture, min_side)
                size = picture.file_bytes if as_it_is else _bytes_anew(picture, min_side)
                most += size + _MEMBER_BYTES
                work += size if as_it_is else _ANEW_COSTS * (size + _MEMBER_BYTES)
        return most + sum([size + _MEMBER_BYTES for _, size in self.audios]), work

    def enlarged(self, min_side: int) -> PlannedMedia:
        """The media as they are stored when both sides of each picture are brought to that many pixels at least."""
        return replace(
            self,
            images=tuple(_enlarged(picture, min_side) for picture in self.images),
            videos=tuple(
                replace(video, frames=tuple(_enlarged(frame, min_side) for frame in video.frames))
                for video in self.videos
            ),
        )

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


def passes(picture: PlannedPicture, min_side: int) -> bool:
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


def _enlarged(picture: PlannedPicture, min_side: int) -> PlannedPicture:
    smaller = min(picture.width, picture.height)
    if not 0 < smaller < min_side:
        return picture
    scale = min_side / smaller
    return picture._replace(width=round(picture.width * scale), height=round(picture.height * scale))


def take_frames(video: PlannedVideo, max_frames: int | None) -> PlannedVideo:
    """The video with at most `max_frames` frames, evenly spread from the first to the last, at their lower rate."""
    count = len(video.frames)
    if max_frames is None or count <= max_frames:
        return video
    places = kept_places(count, max_frames)
    fps = video.fps if max_frames == 1 else video.fps * (max_frames - 1) / (count - 1)
    return PlannedVideo(tuple(video.frames[place] for place in places), fps)


def kept_places(count: int, most: int) -> list[int]:
    """Which of `count` frames are taken where there may be `most`: all, or as many, evenly from first to last."""
    if count <= most:
        return list(range(count))
    return [0] if most == 1 else [round(place * (count - 1) / (most - 1)) for place in range(most)]


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
