"""The header of a plain JPEG: of 8 bits, gray or three colours, without EXIF, with every marker in its place.

The markers are those of ITU-T T.81, table B.1.
"""

from __future__ import annotations

_START_OF_SCAN = 0xDA
_QUANTIZATION = 0xDB
#: Baseline, extended sequential, progressive: Huffman coded.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
#: Marker -> what its segment may begin with, and the bytes that it must have then, where that is of account.
_APPLICATION = {
    0xE0: ((b"JFIF", 7),),
    0xE2: ((b"ICC_PROFILE\0", 14),),
    0xEE: ((b"Adobe", 7),),
}
#: EXIF and XMP (orientation), Photoshop's own, several pictures in one file.
_NEED_CARE = frozenset({0xE1, 0xED})
#: Huffman tables, restart interval, comment, other application data: passed over.
_PASSED_OVER = frozenset({0xC4, 0xDD, 0xFE, *range(0xE0, 0xF0)}) - _NEED_CARE


def read_jpeg_header(head: bytes, size: int) -> tuple[int, int, int] | None:
    """Width, height and where the coded picture begins; None for whatever is not plain, or goes on behind `head`."""
    if head[:2] != b"\xff\xd8":
        return None
    at, width, height, room = 2, 0, 0, len(head) - 4
    while at <= room and head[at] == 0xFF:
        marker = head[at + 1]
        length = head[at + 2] << 8 | head[at + 3]
        end = at + 2 + length
        if length < 2 or end > size:
            return None
        if marker == _START_OF_SCAN:
            return (width, height, at) if width and height else None
        if marker in _FRAMES:
            if width or end > len(head) or not _is_plain_frame(head[at + 4 : end]):
                return None
            height, width = head[at + 5] << 8 | head[at + 6], head[at + 7] << 8 | head[at + 8]
        elif marker == _QUANTIZATION:
            if not _are_tables(head[at + 4 : end]):
                return None
        elif marker not in _PASSED_OVER or (marker in _APPLICATION and not _is_sound(marker, head[at + 4 : end])):
            return None
        at = end
    return None


def _is_plain_frame(content: bytes) -> bool:
    """Whether a frame header says 8 bits, and one or three components that it lists."""
    return len(content) > 6 and content[0] == 8 and content[5] in (1, 3) and len(content) == 6 + 3 * content[5]


def _are_tables(content: bytes) -> bool:
    """Whether a segment holds whole quantization tables."""
    at = 0
    while at < len(content):
        if content[at] > 0x1F:
            return False
        at += 65 if content[at] < 0x10 else 129
    return at == len(content)


def _is_sound(marker: int, content: bytes) -> bool:
    """Whether an application segment of a known kind is as long as it has to be, and of no kind that needs care."""
    if content.startswith(b"MPF\0"):
        return False
    return all(len(content) >= least for begin, least in _APPLICATION[marker] if content.startswith(begin))
