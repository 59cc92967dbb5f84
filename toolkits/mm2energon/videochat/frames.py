"""Frames: the pictures that a question is asked about, decoded in a process that a bad video may take down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.pool import Crew
from mm2energon.video.decoders import decode_pyav
from mm2energon.video.index import Index, IndexMismatch, index_video
from mm2energon.video.picture import Pixels

#: Width and height of a frame in the file -> those at which it is wanted; it travels to another process.
Sizing = Callable[[int, int], tuple[int, int]]

#: What reading one stretch of a video may take.
LIMITS = Limits(seconds=600.0, memory_bytes=6 << 30)
#: Frames that are decoded between two looks at whether they are still wanted.
_FRAMES_AT_A_TIME = 16


class Unwanted(Exception):  # noqa: N818 - no error: somebody wants no more of it
    """A question was cancelled."""


@dataclass(frozen=True)
class Shown:
    """When the frames of a video are on its screen."""

    #: float64, seconds since the first one, never falling.
    times: NDArray[np.float64]
    #: When the last one leaves the screen.
    duration: float
    #: By how much a time may have been rounded in the file.
    tolerance: float


@dataclass(frozen=True)
class Bounded:
    """Frames no longer than so many pixels along a side."""

    longest: int

    def __call__(self, width: int, height: int) -> tuple[int, int]:
        """The size at which a frame is wanted."""
        scale = min(1.0, self.longest / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True)
class _Wanted:
    """What the process is asked for: the index, or frames."""

    video: Path
    #: Of frames that are there; None asks for the index.
    times: tuple[float, ...] | None = None
    sizing: Sizing | None = None

    def __str__(self) -> str:
        return self.video.name


class FrameProcess:
    """The process in which videos are read, one after another; where one takes it down, the next has another."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._crew: Crew[_Wanted, Shown | list[Pixels]] = Crew(_read, 1, limits)

    def __enter__(self) -> FrameProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._crew.stop()

    def ask(self, wanted: _Wanted) -> Shown | list[Pixels] | None:
        """What the process makes of it.

        Raises:
            MediaError: the video cannot be read, or took the process down.
        """
        (outcome,) = self._crew.run(iter([wanted]))
        if outcome.error is not None:
            raise outcome.error
        return outcome.result


class FrameReader:
    """One video, read by a process."""

    def __init__(self, video: Path, process: FrameProcess) -> None:
        self.video = video
        self._process = process

    def shown(self) -> Shown:
        """When each frame is shown.

        Raises:
            MediaError: the video cannot be read, or took the process down.
        """
        found = self._process.ask(_Wanted(self.video))
        if not isinstance(found, Shown):
            raise TypeError("expected the times of frames")
        return found

    def read(self, times: Sequence[float], sizing: Sizing, stop: Callable[[], bool]) -> list[Pixels]:
        """The frames that are on the screen at these times: uint8, height x width x 3, RGB, upright, of one size.

        Args:
            times: rising, of frames of `shown`.
            stop: once it says so, no more are read.

        Raises:
            MediaError: as above.
            Unwanted: it was stopped.
        """
        frames: list[Pixels] = []
        for first in range(0, len(times), _FRAMES_AT_A_TIME):
            if stop():
                raise Unwanted
            found = self._process.ask(_Wanted(self.video, tuple(times[first : first + _FRAMES_AT_A_TIME]), sizing))
            if isinstance(found, list):
                frames += found
        return frames


def _read(wanted: _Wanted) -> Shown | list[Pixels]:
    """In the process: the index, or frames."""
    facts = wanted.video.stat() if wanted.video.is_file() else None
    version = (facts.st_size, facts.st_mtime_ns) if facts is not None else (0, 0)
    index = _index(wanted.video, version)
    if wanted.times is None or wanted.sizing is None:
        return Shown(index.times, index.duration_seconds, index.tolerance_seconds)
    try:
        return _decoded(wanted.video, index, wanted.times, wanted.sizing)
    except IndexMismatch:  # the packets promised other frames than the decoder shows: ask the decoder
        return _decoded(wanted.video, _index(wanted.video, version, decode=True), wanted.times, wanted.sizing)


@lru_cache(maxsize=2)
def _index(video: Path, _version: tuple[int, int], *, decode: bool = False) -> Index:
    return index_video(video, decode=decode)


def _decoded(video: Path, index: Index, times: Sequence[float], sizing: Sizing) -> list[Pixels]:
    """The frames on the screen at these times, each at the wanted size."""
    ordinals = np.searchsorted(index.times, np.asarray(times) + 1e-6, side="right") - 1
    wanted = [int(ordinal) for ordinal in np.clip(ordinals, 0, len(index) - 1)]
    decoded = {}
    size = None
    for ordinal, picture in zip(sorted(set(wanted)), decode_pyav(video, index, sorted(set(wanted))), strict=True):
        size = size or sizing(*picture.size)
        decoded[ordinal] = _sized(picture.pixels(), size)
    return [decoded[ordinal] for ordinal in wanted]


def _sized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """As Qwen's processors resize, so that what comes out at a model's own size is not resized again."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return np.ascontiguousarray(pixels)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)
