"""Wholeness: whether a file ends where it should, for the containers whose cut-off files FFmpeg plays without a word.

What cannot be known: that a transport or program stream was cut between two packets, or a bare stream (`.h264`,
`.hevc`, `.m2v`) between two frames. In the middle of a frame its decoder mostly tells, that of HEVC for about half the
cuts. A Matroska file that was recorded live states no size: `structure.py` tells where it ends inside an element. Y4M,
NUT and bare MJPEG are not looked at. Such files are shorter videos.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import IO

#: Bytes from the start of a file within which the sizes stand.
HEAD_BYTES = 8192

#: Element ids of EBML and Matroska (RFC 8794, RFC 9559).
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"

#: An AVI is one RIFF chunk, or several of them (OpenDML AVI File Format Extensions 1.02, section 3).
_RIFF = b"RIFF"

#: GUIDs of the ASF header and of its file properties (Advanced Systems Format, sections 3.1 and 3.2).
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_BROADCAST = 1

#: A key of an FLV's metadata and the mark of a number behind it (AMF 0, 2.2; Adobe FLV 10.1, E.5).
_FLV_FILE_BYTES = b"filesize\0"
_MOST_BYTES = 1 << 62

#: Bytes of a packet of a transport stream, alone, after a time stamp, or before its check bytes; each begins with 0x47.
_TS_PACKET_BYTES = (188, 192, 204)
_TS_SYNC = 0x47
_TS_PACKETS = 16

#: Start codes of a program stream: a pack header, and the end; above them lengths follow (ISO/IEC 13818-1, 2.5.3).
_PACK = 0xBA
_PROGRAM_END = 0xB9

#: As much of the end of a transport or program stream is looked at.
_TAIL_BYTES = 1 << 18


def promised_bytes(video: Path) -> int | None:
    """The size that the header of a Matroska, WebM, AVI, ASF or FLV file states; None when it states none."""
    with video.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head.startswith(_RIFF) and head[8:12] == b"AVI ":
            return _avi_bytes(file)
    if head.startswith(_EBML):
        return _matroska_bytes(head)
    if head.startswith(_ASF_HEADER):
        return _asf_bytes(head)
    return _flv_bytes(head) if head.startswith(b"FLV") else None


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


def _avi_bytes(file: IO[bytes]) -> int | None:
    """Where the last RIFF chunk ends; a recorder that could not go back states 0, or all ones."""
    end = None
    at = 0
    while True:
        file.seek(at)
        head = file.read(12)
        if len(head) < 12 or head[:4] != _RIFF or head[8:] not in (b"AVI ", b"AVIX"):
            return end
        (size,) = struct.unpack_from("<I", head, 4)
        if size in (0, 0xFFFFFFFF):
            return end
        end = at + 8 + size
        at = end + size % 2


def _asf_bytes(head: bytes) -> int | None:
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or at + 92 > len(head):
        return None
    (size,) = struct.unpack_from("<Q", head, at + 40)
    (flags,) = struct.unpack_from("<I", head, at + 88)
    return None if flags & _ASF_BROADCAST or size == 0 else int(size)


def _flv_bytes(head: bytes) -> int | None:
    """The number `filesize` of `onMetaData`; a recorder that could not go back states 0."""
    at = head.find(_FLV_FILE_BYTES)
    if at < 0 or at + len(_FLV_FILE_BYTES) + 8 > len(head):
        return None
    (size,) = struct.unpack_from(">d", head, at + len(_FLV_FILE_BYTES))
    return int(size) if 0 < size < _MOST_BYTES else None


def ends_inside(video: Path, container: str) -> bool:
    """Whether a GIF, an MPEG transport stream or an MPEG program stream ends in the middle of its last unit.

    False where that cannot be told; a GIF whose pictures are all there needs no trailer.

    Args:
        container: the name of the format, as FFmpeg says it.
    """
    check = {"gif": _gif_ends_inside, "mpegts": _ts_ends_inside, "mpeg": _ps_ends_inside}.get(container)
    if check is None or video.stat().st_size == 0:
        return False
    # No more is mapped than is looked at: it counts towards the memory limit of a worker.
    begin = 0 if container == "gif" else max(video.stat().st_size - _TAIL_BYTES, 0)
    begin -= begin % mmap.ALLOCATIONGRANULARITY
    with video.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, offset=begin) as data:
        return check(data)


def _gif_ends_inside(data: mmap.mmap) -> bool:
    """Walk over the blocks (GIF89a, appendix A): extensions, pictures, and the sub-blocks of both."""
    try:
        at = 13 + _colour_table_bytes(data[10])
        while at < len(data):
            if data[at] == 0x2C:  # a picture: its descriptor, its colours, a byte of its coding
                at += 11 + _colour_table_bytes(data[at + 9])
            elif data[at] == 0x21:
                at += 2
            else:  # the trailer, or what nobody knows
                return False
            while data[at]:
                at += data[at] + 1
            at += 1
    except IndexError:
        return True
    return False


def _colour_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _ts_ends_inside(data: mmap.mmap) -> bool:
    for packet_bytes in _TS_PACKET_BYTES:
        for last in range(len(data) - 1, len(data) - 1 - packet_bytes, -1):
            first = last - (_TS_PACKETS - 1) * packet_bytes
            if first >= 0 and all(data[at] == _TS_SYNC for at in range(first, last + 1, packet_bytes)):
                return len(data) - last < _TS_PACKET_BYTES[0]
    return False


def _ps_ends_inside(data: mmap.mmap) -> bool:
    """Go from a pack header near the end from unit to unit, each of which says how long it is."""
    at = data.find(b"\0\0\1" + bytes([_PACK]), max(len(data) - _TAIL_BYTES, 0))
    if at < 0:
        return False
    while at + 4 <= len(data):
        code = data[at + 3]
        if data[at : at + 3] != b"\0\0\1" or code <= _PROGRAM_END:
            return False  # the end of the program, or what nobody knows
        length = _pack_bytes(data, at) if code == _PACK else _unit_bytes(data, at)
        if length is None:
            return True
        at += length
    return at != len(data)


def _pack_bytes(data: mmap.mmap, at: int) -> int | None:
    if at + 14 > len(data):
        return None
    is_mpeg2 = data[at + 4] >> 6 == 1
    return 14 + (data[at + 13] & 7) if is_mpeg2 else 12


def _unit_bytes(data: mmap.mmap, at: int) -> int | None:
    return 6 + int.from_bytes(data[at + 4 : at + 6], "big") if at + 6 <= len(data) else None
