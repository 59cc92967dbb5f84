"""Workplace: a hidden folder beside a video in which its frames are made, and from which they move in."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mm2energon.errors import MediaError
from mm2energon.locks import ABANDONED_SECONDS, LockFile, make_folder
from mm2energon.storage import sync_folder
from mm2energon.video.places import Place, fold_stem, frame_name, frame_places, is_frame, read_mark, read_own_sidecar

#: How the names of our hidden folders begin; short and of one length, however long the name of the video is.
WORK_PREFIX = ".mm2energon-"
_LOCK_NAME = "lock"

#: Files that are put on the disk at the same time.
_SYNCS_AT_ONCE = 8

#: Errors that concern the place of one video; any other (no space, no permission) concerns the folder with all in it.
_OF_ONE_PLACE = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.EXDEV, errno.EILSEQ}


@contextmanager
def work_folder(video: Path) -> Iterator[Path]:
    """A new folder on the file system of the video, removed in the end.

    One process at a time is inside, for all videos that share a stem; the others wait. The lock goes with the process
    that holds it, so that what a dead one left is known as such, and removed.

    Raises:
        MediaError: `bad-sidecar` an OSError in the block concerns the place of this video alone.
        OSError: any other, with the folder of the video as its file name.
    """
    hall = _hall(video)
    with _naming_the_folder(video):
        lock = LockFile.enter(hall / _LOCK_NAME)
        try:
            _sweep(hall, lock)
            folder = _new_folder(hall)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            lock.leave(with_folder=True)


def sweep_leftovers(video: Path, place: Place | None = None) -> None:
    """Remove what a process left that died at its work; nothing when one is alive there.

    Args:
        place: of the frames, when all of them are there: the mark of unfinished ones goes, too.
    """
    hall = _hall(video)
    if not hall.is_dir() and (place is None or not place.mark.exists()):
        return
    with suppress(OSError):  # a folder that is not ours to write: the frames are as good
        lock = LockFile.enter(hall / _LOCK_NAME, wait=False)
        try:
            _sweep(hall, lock)
            if lock.held and place is not None:
                place.mark.unlink(missing_ok=True)
        finally:
            lock.leave(with_folder=True)


def move_in(work: Path, video: Path, place: Place, sidecar: dict[str, Any]) -> None:
    """Put the new frames in the place of the old ones, then write the sidecar; unfinished, and marked so, meanwhile.

    Only frames are removed that the earlier sidecar, or the mark of a run that was cut off, says are ours.

    Raises:
        MediaError: `bad-sidecar` a file that is not ours bears the name of one of the frames.
    """
    count = len(sidecar["times"])
    names = [frame_name(number, count) for number in range(1, count + 1)]
    earlier = read_own_sidecar(place, video)
    ours = read_mark(place) | ({len(earlier["times"])} if earlier else frozenset())
    place.folder.mkdir(exist_ok=True)
    _refuse_strangers(video, place, names, ours)
    _write(place.mark, " ".join(str(number) for number in sorted(ours | {count})))
    for other in frame_places(video):  # at the other place too: of two the older would be taken for this video's
        if other is not None and read_own_sidecar(other, video) is not None:
            other.sidecar.unlink(missing_ok=True)
    for path in list(place.folder.iterdir()):
        if is_frame(path.name, ours):
            path.unlink(missing_ok=True)
    _sync_all([work / name for name in names])
    for name in names:
        (work / name).replace(place.folder / name)
    sync_folder(place.folder)
    _write(work / "sidecar", json.dumps(sidecar, ensure_ascii=False) + "\n")
    (work / "sidecar").replace(place.sidecar)
    sync_folder(place.sidecar.parent)
    place.mark.unlink(missing_ok=True)


def _refuse_strangers(video: Path, place: Place, names: list[str], ours: frozenset[int]) -> None:
    found = {path.name for path in place.folder.iterdir()}
    strangers = [name for name in names if name in found and not is_frame(name, ours)]
    if strangers:
        raise MediaError(
            f"{video}: {place.folder} holds {strangers[0]}, which was not written here; "
            "expected a free place for its frames; move it away",
            "bad-sidecar",
        )


def _hall(video: Path) -> Path:
    """The folder of the lock and the work folders of all videos that share a stem, and thereby may share a place."""
    digest = hashlib.sha256(os.fsencode(fold_stem(video))).hexdigest()
    return video.with_name(f"{WORK_PREFIX}{digest[:16]}.partial")


def _new_folder(hall: Path) -> Path:
    while True:
        make_folder(hall)
        with suppress(FileNotFoundError):  # where there are no locks, another process may just have removed the hall
            return Path(tempfile.mkdtemp(dir=hall))


def _sweep(hall: Path, lock: LockFile) -> None:
    """Remove the work folders of dead processes: all of them, when the lock says that none is alive."""
    with suppress(FileNotFoundError):
        for left in list(hall.iterdir()):
            if left.name != _LOCK_NAME and (lock.held or time.time() - left.stat().st_mtime > ABANDONED_SECONDS):
                shutil.rmtree(left, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_all(paths: list[Path]) -> None:
    """Have written files on the disk, before a sidecar is that says so.

    Several at once, which a disk answers together: a twentieth of the time of one after another, for many small files.
    """
    with ThreadPoolExecutor(min(_SYNCS_AT_ONCE, len(paths))) as pool:
        for _ in pool.map(_sync, paths):
            pass


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _naming_the_folder(video: Path) -> Iterator[None]:
    """Let an OSError name the folder that cannot be written to, not our work in it; or blame the place of one video."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        if error.errno in _OF_ONE_PLACE:
            raise MediaError(
                f"{video}: its frames cannot be put beside it ({error.strerror}); "
                "expected a free place with a name of usual length; rename the video, or move away what is there",
                "bad-sidecar",
            ) from error
        path = video.parent / os.fsdecode(error.filename2 or error.filename or video.name)
        folder = next(parent for parent in path.parents if WORK_PREFIX not in str(parent))
        raise OSError(error.errno, error.strerror, str(folder)) from error
