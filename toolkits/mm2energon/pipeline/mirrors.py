"""Mirrors of a process: made in folders that are locked while it lives, and removed with it.

Those of a process that was killed are removed when the next one makes one in the same place.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.util import Finalize
from pathlib import Path

from mm2energon.locks import LockFile
from mm2energon.pipeline.mirror import Mirror, Mirrored

#: What a mirror is known by on a disk that others write to, too.
_PREFIX = "mm2energon-mirror-"
_LOCK = ".lock"
#: Younger mirrors are left alone: they may not be locked yet.
_FRESH_SECONDS = 60.0


@contextlib.contextmanager
def mirror_of(mirrored: Mirrored) -> Iterator[Mirror]:
    """A mirror of a remote folder, at first empty, which is removed at the end."""
    mirror, remove = _new(mirrored)
    try:
        yield mirror
    finally:
        remove()


def mirror_here(mirrored: Mirrored) -> Mirror:
    """The mirror of a remote folder that units of work share in this process; it is removed with the process."""
    if mirrored not in _mirrors:
        _mirrors[mirrored] = _new(mirrored)
    return _mirrors[mirrored][0]


def remove_mirrors() -> None:
    """Remove the mirrors of this process that units of work shared."""
    for _, remove in _mirrors.values():
        remove()
    _mirrors.clear()


_mirrors: dict[Mirrored, tuple[Mirror, Callable[[], object]]] = {}


def _new(mirrored: Mirrored) -> tuple[Mirror, Callable[[], object]]:
    """A mirror in a folder that is locked while its process lives, and what removes it."""
    where = Path(tempfile.gettempdir()) if mirrored.cache is None else mirrored.cache
    where.mkdir(parents=True, exist_ok=True)
    _sweep(where)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where)).resolve()
    lock_file = LockFile.enter(folder / _LOCK, wait=False)
    files = folder / "files"
    files.mkdir()

    def remove() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        lock_file.leave()

    # Not atexit, which processes of multiprocessing pass over.
    return Mirror(mirrored, files), Finalize(None, remove, exitpriority=0)


def _sweep(where: Path) -> None:
    """Remove the mirrors of processes that were killed."""
    for folder in where.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # it is somebody's, or not ours to remove
            if time.time() - folder.stat().st_mtime < _FRESH_SECONDS:
                continue
            lock_file = LockFile.enter(folder / _LOCK, wait=False)
            if lock_file.held:
                shutil.rmtree(folder, ignore_errors=True)
            lock_file.leave()
