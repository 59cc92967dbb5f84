"""Zips from outside: regular files alone, each described twice and the same both times, none inside another.

`zipfile` loads the whole directory, however long it says to be, believes it against the headers of the members, and,
before 3.11.8, unpacks the same bytes for as many members as ask for them. This reader takes the directory as a stream,
twice: first to see whether it is honest, then for its members.
"""

from __future__ import annotations

import bz2
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple

from mm2energon.pipeline.archive_member import ArchiveError, DishonestArchiveError, Member, MemberError, read_fully

_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_END_BYTES, _LOCATOR_BYTES, _END64_BYTES, _ENTRY_BYTES, _LOCAL_BYTES = 22, 20, 56, 46, 30
_MOST_COMMENT_BYTES = 0xFFFF
#: A number of 32 bits that says: the number stands in a field of 64 bits.
_IN_64 = 0xFFFFFFFF
_EXTRA_64 = 1
_ENCRYPTED, _SIZES_BEHIND, _UTF8 = 1, 1 << 3, 1 << 11
_STORED, _DEFLATED, _BZIP2 = 0, 8, 12
_READ_BYTES = 1 << 16
_AT_ONCE = 1 << 20


class _Directory(NamedTuple):
    """Where the directory of a zip lies, and how many members it says to have."""

    begin: int
    end: int
    members: int


@dataclass(slots=True)
class _Entry:
    """What the directory says of one member."""

    name: bytes
    flags: int
    method: int
    crc32: int
    packed_bytes: int
    size: int
    offset: int
    #: Kind of file, as Unix has it; 0 where the writer said nothing.
    kind: int

    @property
    def shown(self) -> str:
        """The name as text."""
        try:
            return self.name.decode("utf-8")  # some writers do not mark it as such
        except UnicodeDecodeError:
            return self.name.decode(*(("utf-8", "surrogateescape") if self.flags & _UTF8 else ("cp437",)))


def zip_members(file: IO[bytes], *, most_bytes: int) -> Iterator[Member]:
    """Each file of a zip, and whatever else claims to be one; folders are passed over.

    Args:
        most_bytes: what all its members may have together.

    Raises:
        ArchiveError: it is cut off, or no zip.
        DishonestArchiveError: its members lie in one another, or have more bytes than they may; known beforehand.
    """
    size = file.seek(0, os.SEEK_END)
    directory = _directory(file, size)
    room, packed = most_bytes, directory.begin
    for entry in _entries(file, directory):
        room -= entry.size
        packed -= _LOCAL_BYTES + len(entry.name) + entry.packed_bytes
        if room < 0:
            raise DishonestArchiveError("it says to unpack to more than any honest archive of its size does")
        if packed < 0 or entry.offset + _LOCAL_BYTES + entry.packed_bytes > directory.begin:
            raise DishonestArchiveError("it says to hold members that lie in one another, or behind its end")
    for entry in _entries(file, directory):
        if not entry.name.endswith(b"/"):
            yield Member(entry.shown, entry.size, _content(file, entry, directory), _refused(entry))


def _directory(file: IO[bytes], size: int) -> _Directory:
    tail_at = max(0, size - _END_BYTES - _MOST_COMMENT_BYTES - _LOCATOR_BYTES)
    tail = _read_at(file, tail_at, size - tail_at)
    place = tail.rfind(_END, 0, max(0, len(tail) - _END_BYTES + len(_END)))
    while place >= 0 and place + _END_BYTES + int.from_bytes(tail[place + 20 : place + 22], "little") != len(tail):
        place = tail.rfind(_END, 0, place)
    if place < 0:
        raise ArchiveError("it is cut off, or no zip: it has no end")
    disk, of_disk, here, count, length, begin = struct.unpack("<4x4H2I2x", tail[place : place + _END_BYTES])
    end = tail_at + place
    locator = tail[max(0, place - _LOCATOR_BYTES) : place]
    if locator.startswith(_LOCATOR64):
        disk, of_disk, here, count, length, begin, end = _directory_64(file, locator, end)
    elif _IN_64 in (length, begin):
        raise ArchiveError("it says to be a zip of 64 bits, and is none")
    if disk or of_disk or here != count:
        raise ArchiveError("it is one of several parts; join them first")
    if begin + length != end:
        raise ArchiveError(
            "it has a directory that is not where its end says; it is cut off, or joined to something else"
        )
    return _Directory(begin, end, count)


def _directory_64(file: IO[bytes], locator: bytes, end: int) -> tuple[int, int, int, int, int, int, int]:
    """The fields of 64 bits that stand in for those of a zip's end, and where the directory ends by them."""
    at = struct.unpack("<8xQ4x", locator)[0]
    head = _read_at(file, at, _END64_BYTES) if at + _END64_BYTES + _LOCATOR_BYTES <= end else b""
    if len(head) < _END64_BYTES or not head.startswith(_END64):
        raise ArchiveError("it says to be a zip of 64 bits, and is none")
    disk, of_disk, here, count, length, begin = struct.unpack("<16x2I4Q", head)
    return disk, of_disk, here, count, length, begin, at


def _entries(file: IO[bytes], directory: _Directory) -> Iterator[_Entry]:
    """What the directory says of each member.

    Raises:
        ArchiveError: it is none, or has another number of members than it says.
    """
    at = directory.begin
    for _ in range(directory.members):
        head = _read_at(file, at, _ENTRY_BYTES)
        if at + _ENTRY_BYTES > directory.end or not head.startswith(_ENTRY):
            raise ArchiveError("it has a directory of fewer members than it says")
        fields = struct.unpack("<4x4xHH4x3I3H4xII", head)
        flags, method, crc32, packed_bytes, size, name_bytes, extra_bytes, comment_bytes, mode, offset = fields
        rest = _read_at(file, at + _ENTRY_BYTES, name_bytes + extra_bytes)
        at += _ENTRY_BYTES + name_bytes + extra_bytes + comment_bytes
        if at > directory.end:
            raise ArchiveError("it has a directory that is cut off")
        wide = _wide_numbers(rest[name_bytes:], (size, packed_bytes, offset))
        yield _Entry(rest[:name_bytes], flags, method, crc32, wide[1], wide[0], wide[2], stat.S_IFMT(mode >> 16))
    if at != directory.end:
        raise ArchiveError("it has a directory of more members than it says")


def _wide_numbers(extra: bytes, numbers: tuple[int, int, int]) -> tuple[int, int, int]:
    """The numbers, those that have no room in 32 bits as the extra field has them."""
    if _IN_64 not in numbers:
        return numbers
    while len(extra) >= 4:  # noqa: PLR2004 - two numbers of 16 bits: which field, and its bytes
        field, length = struct.unpack("<2H", extra[:4])
        data, extra = extra[4 : 4 + length], extra[4 + length :]
        if field == _EXTRA_64:
            wide = iter(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))
            first, second, third = (next(wide, number) if number == _IN_64 else number for number in numbers)
            return first, second, third
    return numbers


def _refused(entry: _Entry) -> str:
    if entry.flags & _ENCRYPTED:
        return "is encrypted"
    if entry.kind not in (0, stat.S_IFREG):
        return "not a regular file, but a link or a device"
    return ""


def _content(file: IO[bytes], entry: _Entry, directory: _Directory) -> Iterator[bytes]:
    """The content of a member, as long as it is what the directory says.

    Raises:
        MemberError: it is not.
    """
    begin = _begin_of_content(file, entry)
    if begin + entry.packed_bytes > directory.begin:
        raise MemberError("its content lies behind the end")
    crc32 = done = 0
    for block in _unpacked(_packed(file, begin, entry.packed_bytes), entry):
        done += len(block)
        if done > entry.size:
            raise MemberError(f"has more than the {entry.size} bytes that the archive says")
        crc32 = zlib.crc32(block, crc32)
        yield block
    if done != entry.size or crc32 != entry.crc32:
        raise MemberError("its content is damaged")


def _begin_of_content(file: IO[bytes], entry: _Entry) -> int:
    head = _read_at(file, entry.offset, _LOCAL_BYTES)
    if len(head) < _LOCAL_BYTES or not head.startswith(_LOCAL):
        raise MemberError("has no header of its own")
    flags, method, crc32, packed_bytes, size, name_bytes, extra_bytes = struct.unpack("<6xHH4x3IHH", head)
    name = _read_at(file, entry.offset + _LOCAL_BYTES, name_bytes)
    same = name == entry.name and method == entry.method and not (flags ^ entry.flags) & (_ENCRYPTED | _SIZES_BEHIND)
    if not flags & _SIZES_BEHIND:
        same = same and crc32 == entry.crc32
        same = same and packed_bytes in (entry.packed_bytes, _IN_64) and size in (entry.size, _IN_64)
    if not same:
        raise MemberError("the directory of the archive says other things of it than its own header")
    begin: int = entry.offset + _LOCAL_BYTES + name_bytes + extra_bytes
    return begin


def _packed(file: IO[bytes], begin: int, size: int) -> Iterator[bytes]:
    for at in range(begin, begin + size, _READ_BYTES):
        yield _read_at(file, at, min(_READ_BYTES, begin + size - at))


def _unpacked(packed: Iterator[bytes], entry: _Entry) -> Iterator[bytes]:
    if entry.method == _STORED:
        yield from packed
        return
    if entry.method not in (_DEFLATED, _BZIP2):
        raise MemberError(f"is packed in a way (number {entry.method}) that is not read here; pack it anew")
    try:
        yield from _run(_Deflated() if entry.method == _DEFLATED else bz2.BZ2Decompressor(), packed)
    except (OSError, ValueError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the archive's
        raise MemberError(f"its content is damaged ({error})") from error


def _run(unpacker: _Deflated | bz2.BZ2Decompressor, packed: Iterator[bytes]) -> Iterator[bytes]:
    while not unpacker.eof:
        data = next(packed, None) if unpacker.needs_input else b""
        if data is None:
            return  # the size tells that there is not enough of it
        if block := unpacker.decompress(data, _AT_ONCE):
            yield block


class _Deflated:
    """`zlib.decompressobj` with the manners of `BZ2Decompressor`."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = _AT_ONCE, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def _read_at(file: IO[bytes], at: int, size: int) -> bytes:
    file.seek(at)
    return read_fully(file, size)
