"""Lines appended to a file that several processes write: each is there as a whole, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from mm2energon.locks import lock
from mm2energon.storage import naming, sync_folder

#: A link would lead anywhere, and nobody waits for the other end of a pipe.
FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Appending:
    """A file of lines, locked while one is added; `with` lets others go on."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            OSError: it cannot be written to.
        """
        self.path = path
        self._descriptor = -1

    def __enter__(self) -> Appending:
        is_new = not self.path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | FLAGS
        with naming(self.path):
            while True:
                self._descriptor = os.open(self.path, flags, 0o666)
                lock(self._descriptor, wait=True)
                if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                    os.close(self._descriptor)
                    raise OSError(errno.EINVAL, "no plain file, as it was when it was opened", str(self.path))
                if self._is_there():
                    break
                os.close(self._descriptor)  # it was exchanged while we waited
        if is_new:
            sync_folder(self.path.parent)
        return self

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def __exit__(self, *_: object) -> None:
        if not os.fstat(self._descriptor).st_size:  # nothing was added: others who wait for it make another
            with suppress(OSError):
                self.path.unlink()
        os.close(self._descriptor)

    def add(self, line: bytes) -> None:
        """Add a line, so that it is there when this returns, or not at all.

        Raises:
            OSError: the disk is full, or fails.
        """
        size = os.fstat(self._descriptor).st_size
        is_torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
        data = memoryview(b"\n" + line if is_torn else line)
        with naming(self.path):
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
                os.fsync(self._descriptor)
            except BaseException:
                os.ftruncate(self._descriptor, size)
                raise
