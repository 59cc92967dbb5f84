"""Traffic: what this process has read and written, and how many files it has opened for that.

Bytes are those of calls that read and write (Linux: /proc/self/io), whether the disk, a network file system or a cache
answered; elsewhere none are known. Files are those that Python opens: every picture, and every frame.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, NamedTuple

_PROCESS_IO = "/proc/self/io"
#: Files that belong to Python and not to the data.
_OWN = (sys.prefix, sys.base_prefix, os.path.dirname(os.path.dirname(__file__)), "/proc/", "/dev/", "/sys/")  # noqa: PTH120


class Traffic(NamedTuple):
    """What was read and written."""

    bytes_read: int = 0
    bytes_written: int = 0
    files_opened: int = 0

    def __sub__(self, before: Traffic) -> Traffic:
        """What came since then."""
        return Traffic(*(now - then for now, then in zip(self, before, strict=True)))


_opened: list[int] = []


def traffic_so_far() -> Traffic:
    """What this process has read and written until now; files are counted from the first call on."""
    if not _opened:
        _opened.append(0)
        sys.addaudithook(_count)
    read = written = 0
    with contextlib.suppress(OSError, ValueError), open(_PROCESS_IO, "rb") as file:  # noqa: PTH123
        counts = dict(line.split(b": ") for line in file.read().splitlines())
        read, written = int(counts.get(b"rchar", 0)), int(counts.get(b"wchar", 0))
    return Traffic(read, written, _opened[0])


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.fsdecode(arguments[0])
        if not path.startswith(_OWN):
            _opened[0] += 1
