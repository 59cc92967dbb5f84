"""Locks that die with the process that holds them, where the file system has any."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: Without locks, what nobody has touched for this long belongs to a process that died.
ABANDONED_SECONDS = 3600

#: A folder that is gone so often in a row, each time just after it was made, is none that others remove.
_MOST_ATTEMPTS = 1000

#: What a file system says that has no locks, or (NFS) none of what is open for reading, such as a folder.
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL, errno.EBADF}

#: A link in the place of a lock would let us make, and lock, a file anywhere.
_OPEN_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


def lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file or folder until it is closed; False where there are no locks.

    Raises:
        BlockingIOError: another process holds it, and we do not wait.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def make_folder(folder: Path) -> None:
    """Make a folder that other processes may be making or removing at this moment.

    `mkdir(exist_ok=True)` of pathlib looks once more at what it finds, and fails where that is gone again.
    """
    with suppress(FileExistsError):
        os.mkdir(folder)  # noqa: PTH102


@dataclass(frozen=True)
class LockFile:
    """A file that is there to be locked; its lock is held until `leave`."""

    path: Path
    descriptor: int
    #: False on a file system without locks.
    held: bool

    @staticmethod
    def enter(path: Path, *, wait: bool = True) -> LockFile:
        """Lock the file, which is made, as is its folder.

        Raises:
            BlockingIOError: another process holds it, and we do not wait.
        """
        attempts = 0
        while True:
            attempts += 1
            make_folder(path.parent)
            try:
                descriptor = os.open(path, _OPEN_FLAGS, 0o666)
            except FileNotFoundError:
                if path.parent.is_symlink() or attempts >= _MOST_ATTEMPTS:
                    raise  # to nowhere, or a folder such as /proc, in which nothing can be made
                continue  # the process before us has just removed the folder
            try:
                held = lock(descriptor, wait=wait)
            except BaseException:
                os.close(descriptor)
                raise
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return LockFile(path, descriptor, held)
            os.close(descriptor)  # the process before us removed the file that we waited for

    def leave(self, *, with_folder: bool = False) -> None:
        """Remove the file, and its folder if asked to, and let others in."""
        with suppress(OSError):  # the folder may be gone altogether, or the next process be inside already
            self.path.unlink()
            if with_folder:
                self.path.parent.rmdir()
        os.close(self.descriptor)


def takes_signals(process: int) -> bool:
    """Whether there is a process of that number on this system."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is somebody else's
    return True
