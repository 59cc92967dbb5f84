"""Stream: a file of a store, read block by block."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

#: Bytes that are asked for at a time of a file that is read from front to back.
BLOCK_BYTES = 8 << 20


class Stream(io.RawIOBase):
    """A file of a store that is read block by block, each in one request."""

    def __init__(
        self, read_parts: Callable[[Iterable[tuple[int, int]]], Iterator[tuple[int, bytes]]], size: int, *, name: str
    ) -> None:
        self._read_parts, self._size, self._at = read_parts, size, 0
        #: The block that was read last, and where it begins.
        self._block, self._begin = b"", 0
        self.name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, place + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        if not self._begin <= self._at < self._begin + len(self._block):
            self._begin = self._at
            end = min(self._size, self._at + BLOCK_BYTES)
            ((_, self._block),) = self._read_parts([(self._at, end)])
        data = self._block[self._at - self._begin :][: len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
