"""Tars from outside, read as a stream: regular files alone, their names, sizes and contents.

`tarfile` keeps headers of any length in memory, calls itself for each of a chain of them, and makes gigabytes of a
sparse member of some bytes; what it does with links differs from version to version. This reader knows the headers of
POSIX (ustar, pax) and GNU as far as a regular file needs them, and refuses the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mm2energon.pipeline.archive_member import ArchiveError, DishonestArchiveError, Member, Stream, read_fully

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_AT_ONCE = 1 << 20
#: Bytes of a header that holds a long name, or records of pax; a path has 4096 at most, extended attributes 64 KiB.
_MOST_HEADER_BYTES = 1 << 20
#: Such headers before one member.
_MOST_HEADERS = 8
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ([^=\n]{1,4096})=")
_SIZE_DIGITS = re.compile(rb"[0-9]{1,19}")

_FILE, _FOLDER, _SPARSE = (b"0", b"\0", b"7"), b"5", b"S"
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", (b"x", b"X"), b"g"
_NO_FILE = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a pipe"}


@dataclass(slots=True)
class _Extended:
    """What the headers before one member say of it."""

    count: int = 0
    name: str | None = None
    size: int | None = None
    refused: str = ""


def tar_members(stream: Stream) -> Iterator[Member]:
    """Each file of a tar, in order, and whatever else claims to be one; folders are passed over.

    Raises:
        ArchiveError: it is cut off, or no tar from some place on.
    """
    try:
        yield from _members(stream)
        goes_on = _drain(stream)
    except DishonestArchiveError:
        raise
    except ArchiveError:
        _drain(stream)  # to the very end, where a checksum may say that what was read so far is not sound either
        raise
    if goes_on:
        raise ArchiveError("what follows its last readable member is no member")


def _members(stream: Stream) -> Iterator[Member]:
    extended = _Extended()
    while (block := _header_block(stream)) != _ZEROS:
        kind, size = block[156:157], _number(block[124:136])
        if kind in (_LONG_NAME, _LONG_LINK, *_PAX, _PAX_GLOBAL):
            _extend(extended, kind, size, stream)
            continue
        member = _member(block, kind, extended)
        extended = _Extended()
        if member is None:
            continue
        if kind == _SPARSE:
            _skip_sparse_map(block, stream)
        # Links, devices and pipes have no content, whatever size they claim.
        content = _Content(stream, 0 if kind in _NO_FILE else member.size)
        member.blocks = content.blocks()
        yield member
        content.finish()


class _Content:
    """The content of one member, of which any part may have been read."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream, self._left, self._padding = stream, size, -size % _BLOCK

    def blocks(self) -> Iterator[bytes]:
        while self._left:
            data = self._stream.read(min(_AT_ONCE, self._left))
            if not data:
                raise ArchiveError("it is cut off in the middle of a member")
            self._left -= len(data)
            yield data

    def finish(self) -> None:
        for _ in self.blocks():
            pass
        if len(read_fully(self._stream, self._padding)) < self._padding:
            raise ArchiveError("it is cut off behind a member")


def _header_block(stream: Stream) -> bytes:
    block = read_fully(stream, _BLOCK)
    if not block:
        raise ArchiveError("it has no end: it is cut off, or empty")
    if len(block) < _BLOCK:
        raise ArchiveError("it is cut off in the middle of a header")
    if block != _ZEROS:
        stated = _OCTAL.fullmatch(block[148:156])
        if stated is None or int(stated[1] or b"0", 8) != sum(block) - sum(block[148:156]) + 8 * ord(" "):
            raise ArchiveError("what follows its last readable member is no member")
    return block


def _number(field: bytes) -> int:
    """A number of a header: octal, or, where it is too large for that, binary.

    Raises:
        ArchiveError: it is neither, or negative.
    """
    if field[0] == 0x80:  # noqa: PLR2004 - GNU's mark of a binary number
        return int.from_bytes(field[1:], "big")
    digits = _OCTAL.fullmatch(field)
    if digits is None:
        raise ArchiveError("it holds a header that states no size")
    return int(digits[1] or b"0", 8)


def _member(block: bytes, kind: bytes, extended: _Extended) -> Member | None:
    """The member of a header; None for a folder."""
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    name = _text(block[:100])
    name = f"{prefix}/{name}" if prefix else name
    name = name if extended.name is None else extended.name
    size = _number(block[124:136]) if extended.size is None else extended.size
    if kind == _FOLDER or (kind == b"\0" and name.endswith("/")):
        return None
    refused = extended.refused
    if kind == _SPARSE:
        refused = "a sparse file"
    elif kind not in _FILE:
        refused = f"not a regular file, but {_NO_FILE.get(kind, f'of kind {kind!r}')}"
    return Member(name, size, iter(()), refused)


def _extend(extended: _Extended, kind: bytes, size: int, stream: Stream) -> None:
    """Read a header that says something of the member behind it.

    Raises:
        ArchiveError: there is no end of them, or what they say cannot be known.
    """
    extended.count += 1
    if extended.count > _MOST_HEADERS:
        raise ArchiveError("it holds a chain of headers without a member")
    content = _Content(stream, size)
    if size > _MOST_HEADER_BYTES:
        if kind != _LONG_NAME and kind != _LONG_LINK:
            raise ArchiveError(f"it holds a header of {size} bytes; {_MOST_HEADER_BYTES} are the limit")
        extended.name, extended.refused = "a member", f"its name has {size} bytes"
        content.finish()
        return
    data = b"".join(content.blocks())
    content.finish()
    if kind == _LONG_NAME:
        extended.name = _text(data)
    elif kind != _LONG_LINK:
        _apply(dict(_records(data)), extended, is_global=kind == _PAX_GLOBAL)


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keyword and value of each record of a pax header.

    Raises:
        ArchiveError: a record is none.
    """
    at = 0
    while at < len(data):
        found = _RECORD.match(data, at)
        end = at + int(found[1]) if found else 0
        if found is None or not found.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise ArchiveError("it holds a pax header that is none")
        yield found[2], data[found.end() : end - 1]
        at = end


def _apply(records: dict[bytes, bytes], extended: _Extended, *, is_global: bool) -> None:
    if is_global and not records.keys().isdisjoint((b"path", b"size")):
        raise ArchiveError("it holds a header that gives all its members one name, or one size")
    if any(keyword.startswith(b"GNU.sparse.") for keyword in records):
        extended.refused = "a sparse file"
    if (name := records.get(b"path")) is not None:
        extended.name = name.decode("utf-8", "surrogateescape")  # with NUL bytes, which no file name has
    if (size := records.get(b"size")) is not None:
        if not _SIZE_DIGITS.fullmatch(size):
            raise ArchiveError("it holds a pax header that states no size")
        extended.size = int(size)


def _skip_sparse_map(block: bytes, stream: Stream) -> None:
    """Pass over the blocks that go on with the map of a sparse file; each says whether one more follows."""
    more = block[482]
    while more:
        block = read_fully(stream, _BLOCK)
        if len(block) < _BLOCK:
            raise ArchiveError("it is cut off in the middle of a header")
        more = block[504]


def _drain(stream: Stream) -> bool:
    """Read a stream to its end; whether there was anything but zeros."""
    found = False
    while block := stream.read(_AT_ONCE):
        found = found or bool(block.strip(b"\0"))
    return found


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")
