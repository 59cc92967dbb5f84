"""A file system that fails at the n-th call: what a process does to files is counted, and one call of it goes wrong.

Counted is each opening for writing, write, fsync, rename, making and removing of a file or folder below one folder.
What happens at the n-th:

    ENOSPC   no room, from this call on, for whatever needs some; half of a write is on the disk
    EIO      this call fails, and half of a write is on the disk
    EACCES   this call fails, if it is one that looks at permissions
    KILL     the process is killed, before the call; half of a write is on the disk
    GONE     the folder is gone, and so is each of `GONE-<name>` below it: as when its disk is taken away
    SIGTERM, SIGINT   the process is told to stop, before the call; `SIGINT+`: and at each call from then on
    POWER    as KILL, and whatever was written to files that were not synced is lost
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NEEDS_ROOM = frozenset({"open", "write", "fsync", "mkdir", "rename", "link"})
_LOOKS_AT_PERMISSIONS = frozenset({"open", "mkdir", "rename", "link", "unlink", "rmdir"})
_WRITING = frozenset("wxa+")


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and when."""

    kind: str
    #: Number of the call, from 1 up; 0: never.
    at: int
    #: Calls on what lies below are counted.
    below: str

    def __str__(self) -> str:
        return f"{self.kind} at call {self.at}"

    @staticmethod
    def parse(text: str) -> Fault:
        kind, at, below = text.split(":", 2)
        return Fault(kind, int(at), below)

    def unparse(self) -> str:
        return f"{self.kind}:{self.at}:{self.below}"


#: No fault at all.
QUIET = Fault("EIO", 0, "/")


class FaultyDisk:
    """Counts, and fails."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._lock = threading.RLock()
        #: (device, inode) of files with data that is not synced -> a descriptor of theirs, and their size before it.
        self._unsynced: dict[tuple[int, int], tuple[int, int]] = {}
        #: The calls so far: what, and on which name.
        self.calls: list[str] = []
        self.write_to_descriptor = os.write
        self._sync = os.fsync
        self._rename = os.rename

    def call(self, what: str, where: Any, do: Callable[[], Any], *, half: Callable[[], Any] | None = None) -> Any:
        """Do it, unless it is the turn of the fault.

        Args:
            where: path or descriptor.
            half: does half of it.
        """
        path = _path(where)
        if not path.startswith(self._fault.below):
            return do()
        with self._lock:
            self.calls.append(f"{what} {os.path.relpath(path, self._fault.below)}")
            if not self._strikes(what):
                return do()
            if self._fault.kind.startswith("GONE"):
                self._take_away()
                return do()
            if self._fault.kind.startswith("SIG"):
                os.kill(os.getpid(), signal.Signals[self._fault.kind.rstrip("+")])
                return do()
            if half is not None:
                half()
            if self._fault.kind == "POWER":
                self._lose_what_is_not_synced()
            if self._fault.kind in ("KILL", "POWER"):
                os.kill(os.getpid(), signal.SIGKILL)
            code = getattr(errno, self._fault.kind)
            raise OSError(code, os.strerror(code), *([] if isinstance(where, int) else [os.fspath(where)]))

    def wrote(self, descriptor: int, before: int) -> None:
        """Note that a file has data that is not synced.

        Args:
            before: its bytes before that.
        """
        if self._fault.kind != "POWER" or not _path(descriptor).startswith(self._fault.below):
            return
        if (identity := _identity(descriptor)) not in self._unsynced:
            self._unsynced[identity] = os.dup(descriptor), before

    def sync(self, descriptor: int) -> None:
        """Sync, and note it."""
        self._sync(descriptor)
        kept = self._unsynced.pop(_identity(descriptor), None)
        if kept is not None:
            os.close(kept[0])

    def _strikes(self, what: str) -> bool:
        at, now = self._fault.at, len(self.calls)
        if self._fault.kind == "ENOSPC":
            return 0 < at <= now and what in _NEEDS_ROOM
        if self._fault.kind.endswith("+"):
            return 0 < at <= now
        if self._fault.kind == "EACCES" and what not in _LOOKS_AT_PERMISSIONS:
            return False
        return now == at

    def _take_away(self) -> None:
        """Let the folder, or one in it, be gone; it lies beside it then, as `away`."""
        gone = Path(self._fault.below, *self._fault.kind.split("-")[1:])
        with contextlib.suppress(FileNotFoundError):
            self._rename(gone, Path(self._fault.below).with_name("away"))

    def _lose_what_is_not_synced(self) -> None:
        for descriptor, synced in self._unsynced.values():
            more = max(0, os.fstat(descriptor).st_size - synced)
            os.ftruncate(descriptor, synced + more // 2)


class _File(io.FileIO):
    """A file that is written to by way of the disk that fails."""

    disk: FaultyDisk

    def write(self, data: Any) -> int:
        number = self.fileno()

        def write(part: Any) -> int:
            before = os.fstat(number).st_size
            count = super(_File, self).write(part)
            self.disk.wrote(number, before)
            return int(count or 0)

        view = memoryview(data).cast("B")
        written = self.disk.call("write", number, lambda: write(view), half=lambda: write(view[: len(view) // 2]))
        return int(written)


def install(fault: Fault) -> FaultyDisk:
    """Let this process work on a disk that fails."""
    disk = FaultyDisk(fault)
    _replace_open(disk)
    _replace_write_and_fsync(disk)
    for name, what in {"replace": "rename", "rename": "rename", "link": "link"}.items():
        _replace_call(disk, name, what, last=True)
    for name, what in {"mkdir": "mkdir", "unlink": "unlink", "remove": "unlink", "rmdir": "rmdir"}.items():
        _replace_call(disk, name, what, last=False)
    return disk


def _replace_open(disk: FaultyDisk) -> None:
    plain_open, plain_os_open = io.open, os.open

    def open_file(file: Any, mode: str = "r", buffering: int = -1, *text: Any, **more: Any) -> Any:
        if not _WRITING & set(mode) or not _path(file).startswith(disk._fault.below):
            return plain_open(file, mode, buffering, *text, **more)
        how = mode.replace("b", "").replace("t", "")
        # What is open already was counted when it was opened.
        raw = _File(file, how) if isinstance(file, int) else disk.call("open", file, lambda: _File(file, how))
        raw.disk = disk
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *text, **more)

    def os_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if not flags & os.O_CREAT:
            return plain_os_open(path, flags, *rest, **more)
        where = _below_descriptor(path, more.get("dir_fd"))
        return int(disk.call("open", where, lambda: plain_os_open(path, flags, *rest, **more)))

    io.open = builtins.open = open_file
    os.open = os_open  # type: ignore[assignment]


def _replace_write_and_fsync(disk: FaultyDisk) -> None:
    def write(number: int, data: Any) -> int:
        def put(part: Any) -> int:
            before = os.fstat(number).st_size
            count = disk.write_to_descriptor(number, part)
            disk.wrote(number, before)
            return count

        half = memoryview(data)[: len(data) // 2]
        return int(disk.call("write", number, lambda: put(data), half=lambda: put(half)))

    def fsync(file: Any) -> None:
        number = file if isinstance(file, int) else file.fileno()
        disk.call("fsync", number, lambda: disk.sync(number))

    os.write, os.fsync = write, fsync


def _replace_call(disk: FaultyDisk, name: str, what: str, *, last: bool) -> None:
    """Count a call on paths.

    Args:
        last: the second of two paths is the one that counts.
    """
    plain = getattr(os, name)

    def call(path: Any, *rest: Any, **more: Any) -> Any:
        folder = more.get("dst_dir_fd") if last else more.get("dir_fd")
        where = _below_descriptor(rest[0] if last else path, folder)
        return disk.call(what, where, lambda: plain(path, *rest, **more))

    setattr(os, name, call)


def _below_descriptor(path: Any, folder: int | None) -> Any:
    """A path that a call may have been given as relative to an open folder."""
    return path if folder is None else Path(_path(folder)) / os.fsdecode(path)


def _path(where: Any) -> str:
    """An absolute path, of a path or of a descriptor."""
    if not isinstance(where, int):
        return os.path.abspath(os.fsdecode(where))  # noqa: PTH100 (no link is followed)
    try:
        return str(Path(f"/proc/self/fd/{where}").readlink())
    except OSError:
        return ""


def _identity(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino
