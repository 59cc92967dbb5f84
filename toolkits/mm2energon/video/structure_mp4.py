"""The boxes of an MP4: the lists of its frames, and the fragments that no list names (ISO/IEC 14496-12).

Damage between the boxes of a file that is not fragmented costs nothing as long as its lists are whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

#: A type is four characters; QuickTime and iTunes have some that begin with the sign of copyright.
_TYPE = re.compile(rb"[\x20-\x7e\xa9][\x20-\x7e]{3}")

#: Of a track, in a `trak`: what it is; the sizes of its frames, when they are shown, how many of them are in a chunk,
#: where the chunks are.
_TABLES = [
    (b"mdia", b"hdlr"),
    *((b"mdia", b"minf", b"stbl", table) for table in (b"stsz", b"ctts", b"stsc", b"stco", b"co64")),
]

#: Shortest box: its length and its type.
_BOX_BYTES = 8

#: The largest box that is read.
_MOST_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 16

#: Flags of a `tfhd` (8.8.7), of a `trun`, and of each of its samples (8.8.8), with the bytes of the fields they add.
_TFHD_FIELDS = {0x1: 8, 0x2: 4, 0x8: 4, 0x10: 4, 0x20: 4}
_TRUN_FIELDS = {0x1: 4, 0x4: 4}
_SAMPLE_FIELDS = {0x100: 4, 0x200: 4, 0x400: 4, 0x800: 4}

#: What a fragment has: its number, tracks, keys, and boxes of everybody.
_IN_FRAGMENT = {b"mfhd", b"traf", b"pssh", b"meta", b"udta", b"uuid", b"free", b"skip"}

#: What else a track of a fragment has: its time, groups, sub-samples, encryption, and boxes of everybody.
_IN_TRACK = {b"tfdt", b"sbgp", b"sgpd", b"subs", b"saiz", b"saio", b"senc", b"meta", b"udta", b"uuid", b"free", b"skip"}


def walk_mp4(file: IO[bytes], size: int) -> tuple[int, str] | None:
    """Where the lists do not fit, or the boxes of a fragmented file stop to stand one behind the other, and why."""
    at, before, last = 0, 0, b""
    tracks: set[int] = set()
    while at < size:
        file.seek(at)
        head = file.read(16)
        length = _box_bytes(head, size - at)
        is_last = head[:4] == bytes(4)  # a box of no stated length goes to the end
        if length is None or at + length > size or (tracks and is_last and _holds_fragment(file, at)):
            if not tracks or size - at < _BOX_BYTES or _is_empty(file, at):
                return None
            return before, "no whole box follows"
        name = head[4:8]
        if name == b"moov" and length < _MOST_BYTES:
            file.seek(at)
            moov = file.read(length)
            tracks |= _fragmented_tracks(moov)
            if not all(
                _lists_frames(moov, begin, end, size) for begin, end in _find(moov, _BOX_BYTES, length, b"trak")
            ):
                return at, "a list of frames that the file cannot hold"
        # A fragment: what the samples are, then the samples.
        if tracks and name in (b"moof", b"mdat"):
            if name == last:
                return before, "the next fragment lacks a part"
            last = name
        if tracks and name == b"moof" and length < _MOST_BYTES:
            file.seek(at)
            if not _is_fragment(file.read(length), tracks):
                return at, "a fragment that does not say what its frames are"
        before = at
        at += length
    return None


def _lists_frames(moov: bytes, at: int, end: int, size: int) -> bool:
    """Whether every frame of a track is in a chunk, and shorter than the file (8.6, 8.7); FFmpeg stops at another."""
    tables: dict[bytes, NDArray[np.uint32]] = {}
    for path in _TABLES:
        for begin, behind in _find(moov, at, end, *path):
            tables[path[-1]] = _numbers(moov[begin + 4 : behind])
    sizes, rows, chunks = tables.get(b"stsz"), tables.get(b"stsc"), tables.get(b"stco", tables.get(b"co64"))
    kind = tables.get(b"hdlr")
    if kind is None or kind[1:2].tobytes() != b"vide" or sizes is None or rows is None or chunks is None:
        return True  # no video, or lists of another kind
    if sizes.size < 2 or not rows.size or not chunks.size:
        return False
    count, is_each = int(sizes[1]), sizes[0] == 0
    if is_each and (sizes.size != 2 + count or (sizes[2:] > size).any()):
        return False
    delays = tables.get(b"ctts", sizes[:0])[1::2]  # each of so many frames
    if delays.sum(dtype=np.int64) > count:
        return False
    # Each row is of the chunks up to that of the next, and says how many frames each has.
    first, frames = rows[1::3].astype(np.int64), rows[2::3].astype(np.int64)
    runs = np.diff(first, append=int(chunks[0]) + 1)
    return int((runs[: frames.size] * frames).sum()) >= count


def _numbers(data: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(data[: len(data) // 4 * 4], dtype=">u4")


def _find(data: bytes, at: int, end: int, *path: bytes) -> Iterator[tuple[int, int]]:
    """Where the content of each box at the end of a path begins and ends."""
    for name, begin, behind in _boxes(data, at, end):
        if name != path[0]:
            continue
        if len(path) == 1:
            yield begin, behind
        else:
            yield from _find(data, begin, behind, *path[1:])


def _fragmented_tracks(moov: bytes) -> set[int]:
    """Numbers of the tracks that go on in fragments (8.8.3)."""
    found = _find(moov, _BOX_BYTES, len(moov), b"mvex", b"trex")
    return {int.from_bytes(moov[begin + 4 : begin + 8], "big") for begin, _ in found}


def _is_fragment(moof: bytes, tracks: set[int]) -> bool:
    """Whether the boxes of a fragment fill it, each with as many bytes as it needs."""
    end = _BOX_BYTES
    for name, begin, end in _boxes(moof, _BOX_BYTES, len(moof)):
        if name not in _IN_FRAGMENT or (name == b"traf" and not _is_track(moof, begin, end, tracks)):
            return False
    return end == len(moof)


def _is_track(moof: bytes, at: int, end: int, tracks: set[int]) -> bool:
    behind, has_header, is_empty, is_strange = at, False, True, False
    for name, begin, behind in _boxes(moof, at, end):
        flags, number = (int.from_bytes(moof[place : place + 4], "big") for place in (begin, begin + 4))
        if name == b"tfhd":
            if number not in tracks or behind - begin != 8 + _field_bytes(flags, _TFHD_FIELDS):
                return False
            has_header = True
        elif name == b"trun":
            sample_bytes = _field_bytes(flags, _SAMPLE_FIELDS)
            if behind - begin != 8 + _field_bytes(flags, _TRUN_FIELDS) + number * sample_bytes:
                return False
            is_empty = False
        else:
            is_strange = is_strange or name not in _IN_TRACK
    return behind == end and has_header and not (is_empty and is_strange)


def _field_bytes(flags: int, fields: dict[int, int]) -> int:
    return sum(count for flag, count in fields.items() if flags & flag)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type of each box, where its content begins and ends; what is no box ends them."""
    while at < end:
        head = data[at : min(at + 16, end)]
        length = _box_bytes(head, end - at)
        if length is None or at + length > end or head[:4] == bytes(4):
            return
        yield head[4:8], at + (16 if head[:4] == b"\0\0\0\1" else _BOX_BYTES), at + length
        at += length


def _box_bytes(head: bytes, left: int) -> int | None:
    """Length of a box by its first 16 bytes; None when these are not the beginning of one."""
    if len(head) < _BOX_BYTES or _TYPE.fullmatch(head[4:8]) is None:
        return None
    length = int.from_bytes(head[:4], "big")
    if length == 0:
        return left
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
        return length if len(head) == 16 and length >= 16 else None
    return length if length >= _BOX_BYTES else None


def _is_empty(file: IO[bytes], at: int) -> bool:
    """Whether nothing but zeros follows."""
    file.seek(at)
    return not any(chunk.strip(b"\0") for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""))


def _holds_fragment(file: IO[bytes], at: int) -> bool:
    """Whether the type of a fragment stands anywhere behind; frames are compressed, and hold it as good as never."""
    file.seek(at)
    tail = b""
    for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
        if b"moof" in tail + chunk:
            return True
        tail = chunk[-3:]
    return False
