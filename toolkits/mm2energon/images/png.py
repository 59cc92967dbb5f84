"""The header and the end of a plain PNG: of 8 bits, without texts or EXIF, with every chunk in its place.

The chunks are those of ISO/IEC 15948, 11.
"""

from __future__ import annotations

import os
import struct
import zlib

HEAD = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
_SIZE_AND_KIND = struct.Struct(">IIBBBBB")
_AROUND = 12
#: Chunks that may stand before the picture, and the bytes that each must have to be understood.
_LEAST_BYTES = {b"PLTE": 0, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"sBIT": 0, b"bKGD": 0, b"tIME": 0}
#: Gray, colour, palette, gray with alpha, colour with alpha.
_COLOUR_TYPES = frozenset({0, 2, 3, 4, 6})


def read_png_header(head: bytes) -> tuple[int, int, int] | None:
    """Width, height and where the first data begin, from the first bytes of a file; None for whatever is not plain."""
    chunks = _header_chunks(head)
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != _SIZE_AND_KIND.size:
        return None
    width, height, depth, colours, _, filtering, interlace = _SIZE_AND_KIND.unpack(chunks[0][1])
    if not (width and height and depth == 8 and colours in _COLOUR_TYPES) or filtering or interlace > 1:
        return None
    if any(len(content) < _LEAST_BYTES.get(name, 1 << 31) for name, content in chunks[1:]):
        return None
    return width, height, len(HEAD) + sum(_AROUND + len(content) for _, content in chunks)


def png_ends_well(descriptor: int, first: int, size: int) -> bool:
    """Whether from `first` to the end of an open file there stand data, chunk by chunk, and then the end of a PNG.

    Raises:
        OSError: it cannot be read.
    """
    at = first
    while at + _AROUND <= size:
        found = os.pread(descriptor, _CHUNK.size, at)
        if len(found) < _CHUNK.size:
            return False  # it has become shorter
        length, name = _CHUNK.unpack(found)
        at += _AROUND + length
        if name != b"IDAT":
            return bool(name == b"IEND" and length == 0 and at == size)
    return False


def _header_chunks(head: bytes) -> list[tuple[bytes, bytes]]:
    """Names and contents of the chunks before the first data; none when one is damaged, or `head` ends before."""
    chunks: list[tuple[bytes, bytes]] = []
    at = len(HEAD)
    while at + _CHUNK.size <= len(head):
        length, name = _CHUNK.unpack_from(head, at)
        if name == b"IDAT":
            return chunks
        end = at + _CHUNK.size + length
        if end + 4 > len(head) or zlib.crc32(head[at + 4 : end]) != int.from_bytes(head[end : end + 4], "big"):
            return []
        chunks.append((name, head[at + _CHUNK.size : end]))
        at = end + 4
    return []
