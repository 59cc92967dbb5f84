"""The boxes of a fragmented MP4, whose fragments no list names (ISO/IEC 14496-12, sections 4.2 and 8.8)."""

from __future__ import annotations

import re
from typing import IO

#: A type is four characters; QuickTime and iTunes have some that begin with the sign of copyright.
_TYPE = re.compile(rb"[\x20-\x7e\xa9][\x20-\x7e]{3}")

#: The largest box that is looked into for the sign of a fragmented file.
_MOOV_BYTES = 64 << 20


def walk_mp4(file: IO[bytes], size: int) -> tuple[int, str] | None:
    """Where the boxes of a fragmented file stop to stand one behind the other, and why; None for any other file."""
    at, before, last = 0, 0, b""
    is_fragmented = False
    while at < size:
        file.seek(at)
        head = file.read(16)
        length = _box_bytes(head, size - at)
        if length is None or at + length > size:
            is_rest = not head.strip(b"\0") or size - at < 8
            return None if is_rest or not is_fragmented else (before, "no whole box follows")
        name = head[4:8]
        if name == b"moov" and length < _MOOV_BYTES:
            file.seek(at)
            is_fragmented = b"mvex" in file.read(length)
        # A fragment: what the samples are, then the samples.
        if name in (b"moof", b"mdat"):
            if is_fragmented and name == last:
                return before, "the next fragment lacks a part"
            last = name
        before = at
        at += length
    return None


def _box_bytes(head: bytes, left: int) -> int | None:
    """Length of a box by its first 16 bytes; None when these are not the beginning of one."""
    if len(head) < 8 or _TYPE.fullmatch(head[4:8]) is None:
        return None
    length = int.from_bytes(head[:4], "big")
    if length == 0:
        return left
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
        return length if len(head) == 16 and length >= 16 else None
    return length if length >= 8 else None
