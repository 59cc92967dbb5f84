"""Wholeness: how many bytes a file says it has, for the containers whose cut-off files FFmpeg plays without a word."""

from __future__ import annotations

import struct
from pathlib import Path

#: Bytes from the start of a file within which the sizes stand.
HEAD_BYTES = 8192

#: Element ids of EBML and Matroska (RFC 8794, RFC 9559).
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"

#: GUIDs of the ASF header and of its file properties (Advanced Systems Format, sections 3.1 and 3.2).
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_BROADCAST = 1


def promised_bytes(video: Path) -> int | None:
    """The size that the header of a Matroska, WebM or ASF file states; None when it states none."""
    with video.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(_EBML):
        return _matroska_bytes(head)
    if head.startswith(_ASF_HEADER):
        return _asf_bytes(head)
    return None


def _matroska_bytes(head: bytes) -> int | None:
    """Where the segment ends: the EBML header, perhaps a void element, then the segment with its size."""
    at = 0
    while at + 12 < len(head):
        id_length = _vint_length(head[at])
        size_length = _vint_length(head[at + id_length])
        raw = int.from_bytes(head[at + id_length : at + id_length + size_length], "big")
        size = raw & ~(1 << (7 * size_length))
        is_unknown = size == (1 << (7 * size_length)) - 1  # a live recording
        end = at + id_length + size_length + size
        if head[at : at + id_length] == _SEGMENT:
            return None if is_unknown else end
        at = end
    return None


def _vint_length(first: int) -> int:
    """Bytes of a variable-length integer, from its first byte: one more than its leading zero bits."""
    return 9 - first.bit_length() if first else 9


def _asf_bytes(head: bytes) -> int | None:
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or at + 92 > len(head):
        return None
    (size,) = struct.unpack_from("<Q", head, at + 40)
    (flags,) = struct.unpack_from("<I", head, at + 88)
    return None if flags & _ASF_BROADCAST or size == 0 else int(size)
