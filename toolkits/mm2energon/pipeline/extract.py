"""Frames of many videos: each video once, in workers that may die without harm to the others."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from stat import S_ISREG
from typing import TypedDict

from mm2energon.errors import MediaError, SampleError
from mm2energon.pipeline.brought import show_places, sidecars_of
from mm2energon.pipeline.loop import Executor, Limits, ProgressMaker, run_each, silent
from mm2energon.pipeline.mirror import Mirror, Mirrored
from mm2energon.pipeline.mirrors import mirror_here
from mm2energon.pipeline.space import warn_of_frames
from mm2energon.stopwatch import Spent, Stopwatch
from mm2energon.storage import expect_file, expect_folder
from mm2energon.terminal import shown
from mm2energon.video.encode import WHOLE_VIDEOS, Allowance, FrameOptions
from mm2energon.video.extract import extract_frames, frames_made
from mm2energon.video.layout import find_frames
from mm2energon.video.pack import Packs, pack_frames
from mm2energon.video.places import frame_places
from mm2energon.video.workplace import sweep_leftovers

#: What a decoder may come up with in a file that nobody foresaw: it costs one video, as a crash of its process does.
_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

#: Codes of videos whose worker could not clean up after itself.
_KILLED = frozenset({"video-timeout", "worker-died"})

#: What costs one video, whose folder may be the only such one; that the disk is full concerns all.
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class _How(TypedDict):
    threads: int
    watch: Stopwatch
    allowance: Allowance


@dataclass(frozen=True, slots=True)
class VideoUnit:
    """One video of a dataset: a unit of work."""

    root: Path
    #: Path relative to the root.
    video: str
    options: FrameOptions
    #: Stretches of it that are decoded at the same time.
    threads: int = 1
    #: Where its frames go, in one file; None: into a folder beside the video.
    packs: Packs | None = None
    allowance: Allowance = WHOLE_VIDEOS
    #: Size of the file, by which it is noticed that it is another one since the units were planned.
    file_bytes: int = 0
    #: What `root` stands for, where that lies in a store.
    root_of: Mirrored | None = None
    #: Then also what lies beside it under the same name, but for JSON: name -> bytes.
    beside: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.video


@dataclass(frozen=True, slots=True)
class Extraction:
    """How to extract: the frames, and what a video may cost."""

    options: FrameOptions
    workers: int
    limits: Limits
    allowance: Allowance = WHOLE_VIDEOS
    #: What runs it instead of workers of this machine.
    executor: Executor | None = None


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of one video: frames on disk, or the error of the samples that use it."""

    video: str
    frames: int = 0
    error: SampleError | None = None
    #: What is wrong with it, where the frames are those before the fault.
    partial: str | None = None
    #: Step -> what it took.
    spent: Mapping[str, Spent] = field(default_factory=dict)


def extract_all(
    root: Path,
    videos: Iterable[str],
    extraction: Extraction,
    *,
    packs: Packs | None = None,
    mirror: Mirror | None = None,
    progress: ProgressMaker = silent,
) -> Iterator[Extracted]:
    """Extract the frames of `videos` (paths relative to `root`), the largest first, beside them or into `packs`.

    A long video that came last would keep one worker busy while the others have nothing left to do. One that is a large
    part of all the work is shared out inside its worker. The order of the work decides nothing else: videos of one
    folder that share a stem are placed by their names alone.

    Args:
        mirror: what `root` is, where it stands for a folder in a store; frames appear there.
    """
    known = {video: _known(root, video, mirror) for video in sorted(videos)}
    sizes = {video: size for video, (size, _) in sorted(known.items(), key=lambda one: (-one[1][0], one[0]))}
    at_once = 1 if extraction.executor else extraction.workers  # the cores elsewhere are not known here
    fair_bytes = max(1.0, sum(sizes.values()) / max(1, at_once))

    def unit(video: str) -> VideoUnit:
        threads = max(1, min(at_once, ceil(2 * sizes[video] / fair_bytes)))
        size, beside = known.pop(video)
        here = VideoUnit(root, video, extraction.options, threads, packs, extraction.allowance, file_bytes=size)
        if mirror is None or video.startswith("/"):
            return here
        # Without the path of a mirror, which means nothing to others.
        elsewhere = None if packs is None else replace(packs, root=Path())
        return replace(here, root=Path(), packs=elsewhere, root_of=mirror.of, beside=beside)

    if mirror is None:
        fresh = {
            name: size for name, size in sizes.items() if size and not _file_bytes((root / name).with_suffix(".json"))
        }
        warn_of_frames(root if packs is None else packs.folder, fresh, extraction.options)
    bar = progress("videos", len(sizes))
    workers = min(extraction.workers, max(1, len(sizes)))
    outcomes = run_each(
        extract_unit,
        map(unit, sizes),
        workers=workers,
        limits=extraction.limits,
        executor=extraction.executor,
        meanwhile=lambda: bar.update(0),  # of a long video, too, one sees that it goes on, and may cancel it
    )
    for outcome in outcomes:
        done = outcome.result or Extracted(outcome.item.video, error=outcome.error)
        bar.update(1, frames=done.frames, MB=sizes[done.video] / 1e6)
        if outcome.error is not None and outcome.error.code in _KILLED:
            sweep_leftovers(root / outcome.item.video)
        yield done
    bar.close()


def _known(root: Path, video: str, mirror: Mirror | None) -> tuple[int, Mapping[str, int]]:
    """Bytes of a video, and what lies beside it in a store under the same name, but for sidecars, which come and go."""
    if mirror is None or video.startswith("/"):
        return _file_bytes(root / video), {}
    beside = mirror.beside(video)
    return beside.get(video, 0), {name: size for name, size in beside.items() if not name.endswith(".json")}


def _file_bytes(path: Path) -> int:
    try:
        found = path.stat()
    except (OSError, ValueError):  # the extraction says what is wrong with it
        return 0
    return found.st_size if S_ISREG(found.st_mode) else 0


def extract_unit(unit: VideoUnit) -> Extracted:
    """The frames of a video, extracted where they are not there yet.

    Raises:
        MediaError: it has none.
        OSError: the disk is full, or fails.
    """
    if unit.root_of is not None:
        return _extract_remote(unit, mirror_here(unit.root_of))
    watch = Stopwatch()
    try:
        frames, partial = _frames(unit, watch)
        return Extracted(unit.video, frames, partial=partial, spent=watch.spent)
    except OSError as error:
        if unit.packs is not None or error.errno not in _NOT_ALLOWED:
            raise
        raise MediaError(
            f"{unit.video}: its frames cannot be written beside it ({error.strerror}); "
            "a folder that is ours to write to was expected; change its mode, copy the dataset, or use shard --extract",
            "no-permission",
        ) from error
    except _UNFORESEEN as error:
        raise MediaError(
            f"{unit.video}: {type(error).__name__} while it was decoded ({error}); the file is probably damaged",
            "unreadable-video",
        ) from error


def _extract_remote(unit: VideoUnit, mirror: Mirror) -> Extracted:
    """Bring a video, extract its frames here, and publish them: the pictures, and then the sidecar."""
    path = mirror.folder / unit.video
    try:
        show_places(unit.video, unit.beside, mirror)
        if unit.packs is None and path.is_file():
            made = frames_made(path, unit.options, unit.allowance)
            if made is not None:  # then the video need not come
                return Extracted(unit.video, len(made.names), partial=made.partial)
        mirror.fetch([unit.video])
        packs = None if unit.packs is None else replace(unit.packs, root=mirror.folder)
        extracted = extract_unit(replace(unit, root=mirror.folder, packs=packs, root_of=None))
        if packs is not None:
            return extracted
        places = [place for place in frame_places(path) if place is not None]
        names = [mirror.name_of(path) for place in places for path in sorted(place.folder.glob("*"))]
        mirror.publish(name for name in names if mirror.is_new(name))
        mirror.publish(name for name in sidecars_of(unit.video, mirror) if mirror.is_new(name))
        return extracted
    except SampleError as error:  # by its URL: nobody else knows the mirror
        raise type(error)(shown(str(error)), error.code) from error
    finally:
        mirror.clear()


def _frames(unit: VideoUnit, watch: Stopwatch) -> tuple[int, str | None]:
    """How many frames there are, and what is wrong with the video where they are those before the fault."""
    path = unit.root / unit.video
    if not path.is_file():
        expect_folder(unit.root)
        made_elsewhere = find_frames(path)  # frames that came without their video are as good
        if made_elsewhere is not None:
            return len(made_elsewhere.names), made_elsewhere.partial
        expect_file(path, unit.file_bytes)
    how: _How = {"threads": unit.threads, "watch": watch, "allowance": unit.allowance}
    if unit.packs is not None:
        pack = unit.packs.pack_of(unit.video)
        about = pack_frames(path, unit.options, pack, by_size=unit.packs.by_size, **how)
        return len(about["times"]), about.get("partial")
    frames = extract_frames(path, unit.options, **how)
    return len(frames.names), frames.partial
