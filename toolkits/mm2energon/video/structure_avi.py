"""The chunks of an AVI, those of OpenDML included (OpenDML AVI File Format Extensions 1.02)."""

from __future__ import annotations

import re
from typing import IO

#: Sizes that a recorder leaves behind which could not go back: not filled in, all ones, or the name alone.
_UNFILLED = (0, 4, 0xFFFFFFFF)

#: Chunks between the frames: indexes of a stream, padding, records that hold chunks.
_BETWEEN = re.compile(rb"ix\d\d|\d\dix|[Jj][Uu][Nn][Kk]|PAD |LIST|idx1")
#: Chunks that hold frames, sound, text, palettes: the number of the stream, then what it is.
_OF_STREAM = re.compile(rb"(\d\d)[\x20-\x7e]{2}")
#: What makers put there besides, as dashcams do; what ends like a chunk of a stream was one.
_OF_MAKER = re.compile(rb"(?!..(?:dc|db|wb|tx|pc))[A-Za-z][\x20-\x7e]{3}")


def walk_avi(file: IO[bytes], size: int) -> tuple[int, str] | None:
    """Where the chunks of the frames stop to stand one behind the other, and why."""
    at, streams = 0, 0
    while True:
        riff = _chunk(file, at)
        if riff is None or riff[0] != b"RIFF" or riff[2] not in (b"AVI ", b"AVIX"):
            return None  # behind the last piece: no part of the video
        end = size if riff[1] in _UNFILLED else min(at + 8 + riff[1], size)
        movi = _find_frames(file, at + 12, end)
        if movi is None:
            return None
        begin, stated = movi
        if at == 0:
            file.seek(0)
            streams = file.read(begin).count(b"strh")
        if stated not in _UNFILLED and begin - 4 + stated > end:
            return None  # beyond 4 GB the sizes of some recorders have turned over
        is_filled = stated not in _UNFILLED
        fault = _walk_frames(file, begin, begin - 4 + stated if is_filled else end, is_filled, streams)
        if fault is not None:
            return fault
        at = end + riff[1] % 2


def _find_frames(file: IO[bytes], at: int, end: int) -> tuple[int, int] | None:
    """Where the list of frames begins, behind its name, and the size that it states."""
    while at + 12 <= end:
        chunk = _chunk(file, at)
        if chunk is None:
            return None
        name, chunk_bytes, form = chunk
        if name == b"LIST" and form == b"movi":
            return at + 12, chunk_bytes
        at += 8 + chunk_bytes + chunk_bytes % 2
    return None


def _walk_frames(file: IO[bytes], at: int, end: int, is_filled: bool, streams: int) -> tuple[int, str] | None:
    before, was_padded = at, False
    while at + 8 <= end:
        chunk = _chunk(file, at)
        if was_padded and (chunk is None or not _is_known(chunk[0], streams)):
            at -= 1  # some writers do not fill up to even places
            chunk = _chunk(file, at)
        if chunk is None or not _is_known(chunk[0], streams):
            return before, "no chunk of a stream follows"
        name, chunk_bytes, form = chunk
        if name == b"idx1" and not is_filled:
            return None
        before = at
        if name == b"LIST" and form == b"rec ":
            at, was_padded = at + 12, False
            continue
        if at + 8 + chunk_bytes > end:
            return at, "a chunk that is longer than what it stands in"
        was_padded = chunk_bytes % 2 == 1
        at += 8 + chunk_bytes + was_padded
    return None


def _is_known(name: bytes, streams: int) -> bool:
    stream = _OF_STREAM.fullmatch(name)
    if stream is not None:
        return int(stream[1]) < streams
    return _BETWEEN.fullmatch(name) is not None or _OF_MAKER.fullmatch(name) is not None


def _chunk(file: IO[bytes], at: int) -> tuple[bytes, int, bytes] | None:
    """Name and size of the chunk at `at`, and the four bytes behind, which name the kind of a list."""
    file.seek(at)
    head = file.read(12)
    return (head[:4], int.from_bytes(head[4:8], "little"), head[8:]) if len(head) >= 8 else None
