"""Files that are written whole or not at all, and what runs that were killed left of them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mm2energon.locks import ABANDONED_SECONDS, lock

#: Ending of our temporary files, each locked while it is written; one that is not was left by a run that was cut off.
TEMPORARY_SUFFIX = ".mm2energon-tmp"

#: A link in the last place is refused.
_OPEN_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under `path` when the block ends well, and not at all when it raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), temporary_file(path.parent) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
        file.close()
        Path(file.name).replace(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def naming(path: Path, *, instead_of: Path | None = None) -> Iterator[None]:
    """Let a fault of the disk name `path`, where Python names nothing: it does where a file is opened, not written.

    Args:
        instead_of: a name that nobody but us knows.
    """
    try:
        yield
    except OSError as error:
        unknown = error.filename is None or (instead_of is not None and error.filename == str(instead_of))
        if error.errno is not None and unknown:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def temporary_file(folder: Path) -> Iterator[IO[bytes]]:
    """A new file for writing, known as that of a live run; removed in the end, unless it has another name by then."""
    file, claim = _new_file(folder)
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            file.close()
        with contextlib.suppress(OSError):
            Path(file.name).unlink()
        os.close(claim)


def _new_file(folder: Path) -> tuple[IO[bytes], int]:
    """A new file, and a descriptor that holds its lock, also once the file is closed."""
    while True:
        # With the mode that the umask says, which tempfile would not give.
        file = (folder / f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}").open("xb")
        claim = os.dup(file.fileno())
        lock(claim, wait=True)
        if os.fstat(claim).st_nlink:
            return file, claim
        file.close()  # it was taken for a leftover in the moment before it was locked
        os.close(claim)


def remove_leftovers(folder: Path, *, deep: bool = False) -> None:
    """Take away what runs that were killed left half written in a folder, or everywhere below it."""
    pattern = f".*{TEMPORARY_SUFFIX}"
    for path in folder.rglob(pattern) if deep else folder.glob(pattern):
        with contextlib.suppress(OSError):  # it is written to, or not ours to remove
            _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    descriptor = os.open(path, _OPEN_FLAGS)
    try:
        if lock(descriptor, wait=False) or time.time() - os.fstat(descriptor).st_mtime > ABANDONED_SECONDS:
            path.unlink()
    finally:
        os.close(descriptor)


def expect_folder(folder: Path) -> None:
    """See that a folder is there, on this machine as on that which planned the work.

    Raises:
        FileNotFoundError: it is not; whatever lies in it would be taken for missing.
    """
    if not folder.is_dir():
        raise _not_seen(folder, "is no folder")


def expect_more(folder: Path) -> None:
    """See that a folder in which something is missing is not one that all is missing in: a mount that failed.

    Raises:
        FileNotFoundError: it is.
    """
    expect_folder(folder)
    if next(folder.iterdir(), None) is None:
        raise _not_seen(folder, "is an empty folder")


def expect_file(path: Path, size: int) -> None:
    """See that a file is there that had `size` bytes, more than none, when the work was planned.

    Raises:
        FileNotFoundError: it is not.
    """
    if size and not path.is_file():
        raise _not_seen(path, f"had {size} bytes when the work was planned, and is not there")


def _not_seen(path: Path, why: str) -> FileNotFoundError:
    why += f" on {socket.gethostname()}; all machines must see it, under the same path; mount it there"
    return FileNotFoundError(errno.ENOENT, f"{why}, and run the same command again to go on", str(path))


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut (POSIX; a no-op where folders cannot be opened)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
