"""The bytes of an archive, whatever it was compressed with, and not more of them than an honest one holds."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mm2energon.pipeline.archive_member import ArchiveError, DishonestArchiveError, Stream

#: What grows by more than this is a bomb; videos and pictures hardly shrink at all. Deflate itself ends at 1032.
MOST_RATIO = 1000
#: Bytes that a small archive may have beyond it: a tar is padded.
_SLACK_BYTES = 1 << 20
#: Memory for unpacking xz, whose files say how much they need; `xz -9` takes 65 MiB.
_XZ_MEMORY_BYTES = 256 << 20
_READ_BYTES = 1 << 16
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
#: What damage inside a compression is told by; gzip and bz2 tell it by an OSError without a number.
_DAMAGED = (OSError, ValueError, lzma.LZMAError, zlib.error)


@contextmanager
def decompressed(archive: Path) -> Iterator[Stream]:
    """The bytes of a tar, decompressed as its first bytes ask for (its name may say otherwise)."""
    with archive.open("rb") as file:
        head = file.read(len(_XZ))
        file.seek(0)
        stream: Stream = file
        if head.startswith(_GZIP):
            stream = gzip.GzipFile(fileobj=file)
        elif head.startswith(_BZIP2):
            stream = bz2.BZ2File(file)
        elif head.startswith(_XZ):
            stream = _Xz(file)
        yield _Watched(stream, archive.stat().st_size * MOST_RATIO + _SLACK_BYTES)


class _Watched:
    """A stream that ends in an error of ours where it is damaged, or where there is too much of it."""

    def __init__(self, stream: Stream, most_bytes: int) -> None:
        self._stream, self._left = stream, most_bytes

    def read(self, size: int, /) -> bytes:
        try:
            data = self._stream.read(size)
        except EOFError as error:
            raise ArchiveError("it is cut off in the middle of what is compressed") from error
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault, not the archive's
            raise DishonestArchiveError(f"its compression does not add up: {error}") from error
        self._left -= len(data)
        if self._left < 0:
            raise DishonestArchiveError(
                f"it unpacks to more than {MOST_RATIO} times its size, as no honest archive does"
            )
        return data


class _Xz:
    """An xz file whose dictionary may not be larger than we like; `lzma.LZMAFile` takes what it is told to take."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = b""
        self._stream = _xz_stream()

    def read(self, size: int, /) -> bytes:
        data = b""
        while not data:
            if self._stream.eof:
                # Behind a stream stands nothing, padding, or another stream.
                self._rest = (self._stream.unused_data or self._rest).lstrip(b"\0") or self._file.read(_READ_BYTES)
                if not self._rest:
                    return b""
                if not self._rest.strip(b"\0"):
                    self._rest = b""
                    continue
                self._stream = _xz_stream()
            elif self._stream.needs_input and not self._rest:
                self._rest = self._file.read(_READ_BYTES)
                if not self._rest:
                    raise EOFError
            data = self._stream.decompress(self._rest, size)
            self._rest = b""
        return data


def _xz_stream() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)
