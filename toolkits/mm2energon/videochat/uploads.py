"""Uploads: a video that is sent in pieces goes to a file, up to a limit; its name is for people alone."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mm2energon.errors import InputError
from mm2energon.terminal import shown

#: Characters of a name that is shown.
_LONGEST_NAME = 120
_UNNAMED = "video"
#: Bytes that are gathered before they are written, off the event loop.
_WRITTEN_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Received:
    """What was sent."""

    bytes: int
    #: sha256 of it, in hexadecimal digits.
    digest: str


def shown_name(written: str) -> str:
    """The name of a video as people see it: the last part of a path, without control characters, and not too long.

    It is never a path to anything.
    """
    text = unicodedata.normalize("NFC", written.encode("utf-8", "replace").decode("utf-8"))
    name = shown(text.replace("\\", "/").rstrip("/").rpartition("/")[2]).strip()
    if len(name) > _LONGEST_NAME:
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending if stem and len(ending) < 8 else ""  # noqa: PLR2004 - endings of files are short
        name = name[: _LONGEST_NAME - len(ending) - 3] + "..." + ending
    return name if name.strip(".") else _UNNAMED


async def receive(
    pieces: AsyncIterator[bytes], path: Path, *, most_bytes: int, stall_seconds: float = 120.0
) -> Received:
    """Write what is sent to a new file, which goes again unless all of it comes.

    Args:
        stall_seconds: for which nothing may come.

    Raises:
        InputError: it is empty, or larger than the limit; or nothing more comes.
        OSError: the disk.
        FileExistsError: there is such a file.
    """
    with path.open("xb") as file:
        try:
            return await _copy(_in_time(pieces, stall_seconds), file, most_bytes)
        except BaseException:  # also where the sender is gone, or the server ends
            path.unlink(missing_ok=True)
            raise


async def _copy(pieces: AsyncIterator[bytes], file: IO[bytes], most_bytes: int) -> Received:
    size, digest, waiting = 0, hashlib.sha256(), bytearray()
    async for piece in pieces:
        size += len(piece)
        if size > most_bytes:
            raise InputError(
                f"upload: more than {most_bytes} bytes were sent; fewer were expected; send a smaller video"
            )
        waiting += piece
        if len(waiting) >= _WRITTEN_AT_ONCE:
            await asyncio.to_thread(_write, file, digest, bytes(waiting))
            waiting.clear()
    if not size:
        raise InputError("upload: nothing was sent; a video was expected; choose a file")
    await asyncio.to_thread(_write, file, digest, bytes(waiting))
    await asyncio.to_thread(file.flush)
    return Received(size, digest.hexdigest())


async def _in_time(pieces: AsyncIterator[bytes], stall_seconds: float) -> AsyncIterator[bytes]:
    while True:
        try:
            yield await asyncio.wait_for(anext(pieces), stall_seconds)
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError as error:
            raise InputError(
                f"upload: nothing came for {stall_seconds:g} s; the rest was expected; send it again"
            ) from error


def _write(file: IO[bytes], digest: hashlib._Hash, data: bytes) -> None:
    digest.update(data)
    file.write(data)


def digest_of(path: Path) -> str:
    """sha256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_WRITTEN_AT_ONCE):
            digest.update(piece)
    return digest.hexdigest()
