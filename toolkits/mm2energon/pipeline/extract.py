"""Frames of many videos: each video once, in workers that may die without harm to the others."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from mm2energon.errors import MediaError, SampleError
from mm2energon.pipeline.loop import Limits, ProgressMaker, run_each, silent
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.layout import find_frames

#: What a decoder may come up with in a file that nobody foresaw: it costs one video, as a crash of its process does.
_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

#: What costs one video, whose folder may be the only such one; that the disk is full concerns all.
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True)
class VideoUnit:
    """One video of a dataset: a unit of work."""

    root: Path
    #: Path relative to the root.
    video: str
    options: FrameOptions
    #: Stretches of it that are decoded at the same time.
    threads: int = 1

    def __str__(self) -> str:
        return self.video


@dataclass(frozen=True, slots=True)
class Extraction:
    """How to extract: the frames, and what a video may cost."""

    options: FrameOptions
    workers: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of one video: frames on disk, or the error of the samples that use it."""

    video: str
    frames: int = 0
    error: SampleError | None = None


def extract_all(
    root: Path, videos: Iterable[str], extraction: Extraction, *, progress: ProgressMaker = silent
) -> Iterator[Extracted]:
    """Extract the frames of `videos` (paths relative to `root`), the largest first.

    A long video that came last would keep one worker busy while the others have nothing left to do. One that is a large
    part of all the work is shared out inside its worker. The order of the work decides nothing else: videos of one
    folder that share a stem are placed by their names alone.
    """
    listed = sorted(((_file_bytes(root / video), video) for video in videos), key=lambda one: (-one[0], one[1]))
    fair_bytes = max(1.0, sum(size for size, _ in listed) / max(1, extraction.workers))
    units = (
        VideoUnit(root, video, extraction.options, max(1, min(extraction.workers, ceil(2 * size / fair_bytes))))
        for size, video in listed
    )
    bar = progress("videos", len(listed))
    workers = min(extraction.workers, max(1, len(listed)))
    for outcome in run_each(_extract, units, workers=workers, limits=extraction.limits):
        bar.update(1)
        yield Extracted(outcome.item.video, frames=outcome.result or 0, error=outcome.error)
    bar.close()


def _file_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):  # the extraction says what is wrong with it
        return 0


def _extract(unit: VideoUnit) -> int:
    """The number of frames of a video, extracted where they are not there yet.

    Raises:
        MediaError: it has none.
        OSError: the disk is full, or fails.
    """
    path = unit.root / unit.video
    try:
        if not path.is_file():
            made_elsewhere = find_frames(path)  # frames that came without their video are as good
            if made_elsewhere is not None:
                return len(made_elsewhere.paths)
        return len(extract_frames(path, unit.options, threads=unit.threads).paths)
    except OSError as error:
        if error.errno not in _NOT_ALLOWED:
            raise
        raise MediaError(
            f"{unit.video}: its frames cannot be written beside it ({error.strerror}); "
            "a folder that is ours to write to was expected; change its mode, or copy the dataset",
            "no-permission",
        ) from error
    except _UNFORESEEN as error:
        raise MediaError(
            f"{unit.video}: {type(error).__name__} while it was decoded ({error}); the file is probably damaged",
            "unreadable-video",
        ) from error
