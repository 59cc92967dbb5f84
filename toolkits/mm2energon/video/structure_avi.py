"""The chunks of an AVI, those of OpenDML included (OpenDML AVI File Format Extensions 1.02)."""

from __future__ import annotations

import re
from typing import IO

#: Sizes that a recorder leaves behind which could not go back: not filled in, all ones, or the name alone.
_UNFILLED = (0, 4, 0xFFFFFFFF)

#: The index, `idx1`: name, flags, place and size of each chunk.
_ENTRY_BYTES = 16

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
        movi = _find(file, b"LIST", at + 12, end)
        if movi is None:
            return None
        begin, movi_bytes = movi
        if at == 0:
            file.seek(0)
            streams = file.read(begin).count(b"strh")
        is_filled = movi_bytes not in _UNFILLED
        frames_end = begin + movi_bytes if is_filled else end
        if frames_end > end:
            return None  # beyond 4 GB the sizes of some recorders have turned over
        fault = _walk_frames(file, begin + 4, frames_end, is_filled, streams)
        if fault is None and at == 0 and is_filled:
            fault = _check_index(file, frames_end + movi_bytes % 2, end, streams)
        if fault is not None:
            return fault
        at = end + riff[1] % 2


def _find(file: IO[bytes], wanted: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Where the content of the first chunk of a name begins, and its size; of lists, that of the frames is meant."""
    while at + 8 <= end and (chunk := _chunk(file, at)) is not None:
        name, chunk_bytes, form = chunk
        if name == wanted and (name != b"LIST" or form == b"movi"):
            return at + 8, chunk_bytes
        at += 8 + chunk_bytes + chunk_bytes % 2
    return None


def _check_index(file: IO[bytes], at: int, end: int, streams: int) -> tuple[int, str] | None:
    """By the index FFmpeg finds frames that lie in no order; it passes over entries that belong to no stream."""
    found = _find(file, b"idx1", at, end)
    if found is None or found[0] + found[1] > end:
        return None
    file.seek(found[0])
    entries = file.read(found[1] - found[1] % _ENTRY_BYTES)
    numbers = b"|".join(b"%02d" % number for number in range(streams))
    known = rb"(?:(?:(?:%s)[\x20-\x7e]{2}|rec |ix\d\d|\dix..).{%d})*" % (numbers, _ENTRY_BYTES - 4)
    matched = re.compile(known, re.DOTALL).match(entries)
    wrong = matched.end() if matched else 0
    if not entries[wrong:].strip(b"\0"):  # some writers leave room behind the last entry
        return None
    return found[0] + wrong, "an entry of the index that belongs to no stream"


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
