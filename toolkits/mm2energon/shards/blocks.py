"""Writes a file from pieces in blocks of 1 MiB, past the cache of the system where that is faster.

A shard is written once and read much later: what the kernel does to keep 1 GB of it (find pages, copy, write them out
when the file is synced) takes more time than everything else. Past the cache (O_DIRECT) it takes half the CPU and two
thirds of the time, and the pictures that are read meanwhile stay cached. A file system that does not offer it, or that
is slow at it (a network that waits for each block), is written to in the ordinary way.
"""

from __future__ import annotations

import mmap
import os
import time
import zlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

BLOCK_BYTES = 1 << 20
#: Seconds that a block may take before the ordinary way is taken: 30 MB/s.
_SLOW_SECONDS = 1 / 30
#: Bytes that are written at once in the ordinary way. Writes of 1 MB made the kernel take its cache in pieces so large
#: that, on virtual machines, it had to get most of them from the host first: up to four times the time.
_CACHED_BYTES = 64 << 10


class BlockWriter:
    """Writes to an open file that nobody else writes to; it is complete after `finish`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor, self._name = file.fileno(), file.name
        #: The block that is filled, and the one that is written meanwhile; each begins with a page, as direct writing
        #: asks for.
        self._block, self._other = (memoryview(mmap.mmap(-1, BLOCK_BYTES)) for _ in range(2))
        self._filled = 0
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._direct = False
        self._untried = True
        #: CRC-32 of what has been written so far.
        self.crc32 = 0

    def write(self, pieces: Iterable[bytes]) -> None:
        """Append pieces, one behind another."""
        for piece in pieces:
            end = self._filled + len(piece)
            if end < BLOCK_BYTES:
                self._block[self._filled : end] = piece
                self._filled = end
            else:
                self._write_through(memoryview(piece))

    def finish(self) -> None:
        """Write what waits."""
        self._wait()
        self._set_direct(False)  # the last block is no whole one
        self._store(self._block[: self._filled])
        self._filled = 0

    def close(self) -> None:
        """Let go of the file; a block that is being written comes to its end."""
        self._thread.shutdown()

    def _write_through(self, piece: memoryview) -> None:
        """Append a piece that fills the block."""
        while piece:
            part = piece[: BLOCK_BYTES - self._filled]
            self._block[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            piece = piece[len(part) :]
            if self._filled == BLOCK_BYTES:
                self._flush()

    def _flush(self) -> None:
        """Have the full block written, and go on with the other."""
        self._wait()
        if self._untried:
            self._untried = False
            self._set_direct(True)
        self._writing = self._thread.submit(self._store, self._block)
        self._block, self._other = self._other, self._block
        self._filled = 0

    def _wait(self) -> None:
        """Wait for the block that is being written.

        Raises:
            OSError: it could not be.
        """
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _store(self, data: memoryview) -> None:
        self.crc32 = zlib.crc32(data, self.crc32)
        if self._direct:
            data = data[self._write_direct(data) :]
        try:
            while data:
                data = data[os.write(self._descriptor, data[:_CACHED_BYTES]) :]
        except OSError as error:
            error.filename = self._name
            raise

    def _write_direct(self, block: memoryview) -> int:
        """How much of a block has been written past the cache; the ordinary way is taken for the rest and from then."""
        begin = time.monotonic()
        try:
            written = os.write(self._descriptor, block)
        except OSError:  # of a full disk the ordinary way will tell
            written = 0
        if written < len(block) or time.monotonic() - begin > _SLOW_SECONDS:
            self._set_direct(False)
        return written

    def _set_direct(self, direct: bool) -> None:
        try:
            import fcntl

            flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & ~os.O_DIRECT
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | (os.O_DIRECT if direct else 0))
            self._direct = direct
        except (ImportError, AttributeError, OSError):  # Windows; macOS; a file system without it
            self._direct = False
