"""The pages of an Ogg file, with their checksums (RFC 3533, section 6)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import IO

_CAPTURE = b"OggS"
_HEADER_BYTES = 27
_FIRST, _LAST = 2, 4

#: Granule position of a page on which no packet ends.
_NO_PACKET = (1 << 64) - 1

#: Every byte with its bits the other way round: Ogg counts them from the left, zlib from the right.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL_ONES = 0xFFFFFFFF


@dataclass
class _Stream:
    """The page of a stream that was read last."""

    number: int
    #: Its headers are over: what is cut out of a broadcast begins with the headers, and leaps.
    has_begun: bool = False
    has_ended: bool = False
    #: Its last packet goes on, on the next page.
    is_open: bool = False


def walk_ogg(file: IO[bytes], size: int) -> tuple[int, str] | None:
    """Where the pages stop to stand one behind the other, whole and with none missing, and why."""
    streams: dict[bytes, _Stream] = {}
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(_HEADER_BYTES)
        if not head.startswith(_CAPTURE):
            # Something behind the video, as long as the video is over.
            over = bool(streams) and all(stream.has_ended for stream in streams.values())
            return None if at == 0 or over else (at, "no page begins here")
        lacing = file.read(head[26]) if len(head) == _HEADER_BYTES else b""
        body = file.read(sum(lacing))
        if len(head) < _HEADER_BYTES or len(lacing) < head[26] or len(body) < sum(lacing):
            return at, "it ends in the middle of a page"
        if checksum(head[:22] + bytes(4) + head[26:] + lacing + body) != int.from_bytes(head[22:26], "little"):
            return at, "a page whose checksum does not fit"
        if (missing := _follow(streams, head, lacing)) is not None:
            return at, missing
        at += len(head) + len(lacing) + len(body)
    if any(stream.is_open for stream in streams.values()):
        return size, "it ends in the middle of a frame"
    return None


def _follow(streams: dict[bytes, _Stream], head: bytes, lacing: bytes) -> str | None:
    """Take in the next page of a stream: its numbers rise by one."""
    serial, number = head[14:18], int.from_bytes(head[18:22], "little")
    stream = streams.get(serial)
    if stream is None or head[5] & _FIRST:
        stream = streams[serial] = _Stream(number)
    elif stream.has_begun and number != (stream.number + 1) % (1 << 32):
        return f"page {number} of a stream follows page {stream.number}"
    stream.number = number
    stream.has_begun |= int.from_bytes(head[6:14], "little") not in (0, _NO_PACKET)
    stream.has_ended = bool(head[5] & _LAST)
    stream.is_open = lacing[-1] == 255 if lacing else stream.is_open
    return None


def checksum(page: bytes) -> int:
    """CRC-32 as Ogg has it: the polynomial of zlib, from the left, with nothing before and nothing after."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), _ALL_ONES) ^ _ALL_ONES
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")
