"""The headers of a tar, read strictly: where each sample lies, and whether another reader may be let near the file.

Libraries that read tars unpack what is compressed, keep headers of any length in memory, and make gigabytes of a sparse
member of some bytes. Shards need none of this: what is no plain file in a plain tar is refused before they see it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from mm2energon.roots import open_regular
from mm2energon.shards.index import PartRow, SampleRow
from mm2energon.shards.writer import header

BLOCK_BYTES = 512
#: Bytes of a header that tells a longer name, or the time in fractions of a second.
_MOST_HEADER_BYTES = 64 << 10
#: Bytes of one member, which is read into memory as a whole.
_MOST_MEMBER_BYTES = 8 << 30
_FILE, _LONG_NAME, _PAX, _PAX_GLOBAL, _FOLDER = (b"0", b"\0"), b"L", b"x", b"g", b"5"
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"]\0\0\x80", b"(\xb5/\xfd")
_ZEROS = bytes(BLOCK_BYTES)


class DamagedTarError(ValueError):
    """A tar is whole up to `end` only."""

    def __init__(self, what: str, end: int) -> None:
        super().__init__(what)
        self.end = end


class RefusedTarError(ValueError):
    """A tar holds what no shard needs, and what a reader should not be given."""


class Member(NamedTuple):
    """One file in a tar."""

    name: str
    #: Where its first header begins, where its content begins, and the content's size, in bytes.
    offset: int
    begin: int
    size: int

    @property
    def end(self) -> int:
        """Where the next header begins."""
        return self.begin + _padded(self.size)


def members(file: IO[bytes]) -> Iterator[Member]:
    """Each file in a tar, in order; headers alone are read.

    Raises:
        DamagedTarError: it is cut off, or no tar from some place on.
        RefusedTarError: it holds links, sparse files, huge headers, or is compressed.
    """
    size = file.seek(0, os.SEEK_END)
    at = offset = 0
    long_name = ""
    while (block := _block(file, at, size)) != _ZEROS:
        kind, length = block[156:157], _size(block, at, offset)
        begin, end = at + BLOCK_BYTES, at + BLOCK_BYTES + _padded(length)
        if end > size:
            raise DamagedTarError(f"a member of {length} bytes at {at} is cut off", offset)
        at = end
        if kind in (_LONG_NAME, _PAX, _PAX_GLOBAL):
            long_name = _long_name(file, kind, begin, length) or long_name
            continue
        name = long_name or _name(block)
        if kind in _FILE:
            yield Member(name, offset, begin, length)
        elif kind != _FOLDER:
            raise RefusedTarError(f"{name!r} is no plain file (kind {kind!r})")
        offset, long_name = at, ""


def sample_rows(path: Path) -> tuple[list[SampleRow], int]:
    """What the headers of a tar say: its samples, and where the last ends.

    Raises:
        DamagedTarError, RefusedTarError: as `members`.
    """
    with open_regular(path) as file:
        return rows_of(file)


def rows_of(file: IO[bytes]) -> tuple[list[SampleRow], int]:
    """As `sample_rows`, of a file that is open, or of a piece of one that ends as a tar does."""
    found: list[tuple[str, int, list[PartRow]]] = []
    end = 0
    for member in members(file):
        folder, slash, name = member.name.rpartition("/")
        stem, _, part = name.partition(".")
        key = folder + slash + stem
        if not found or found[-1][0] != key:
            found.append((key, member.offset, []))
        found[-1][2].append((part, member.begin, member.size))
        end = member.end
    ends = [*(begin for _, begin, _ in found[1:]), *([end] if found else [])]
    rows = [
        SampleRow(key, begin, stop - begin, tuple(parts)) for (key, begin, parts), stop in zip(found, ends, strict=True)
    ]
    return rows, end


def odd_bytes(path: Path) -> Iterator[tuple[str, str]]:
    """(member, what) of each header and padding that is not as our writer writes it; contents are not looked at."""
    end = 0
    with open_regular(path) as file:
        try:
            for member in members(file):
                end = member.end
                file.seek(member.offset)
                head = file.read(member.begin - member.offset)
                if head != _header(member):
                    yield member.name, f"its header at byte {member.offset} is not the one that was written"
                file.seek(member.begin + member.size)
                if any(file.read(member.end - member.begin - member.size)):
                    yield member.name, "the padding behind its content is not empty"
        except (DamagedTarError, RefusedTarError):
            return  # said by those who read it
        file.seek(end)
        while block := file.read(1 << 20):
            if any(block):
                yield "", f"bytes behind byte {end}, where it ends"
                return


def _header(member: Member) -> bytes:
    try:
        return header(member.name, member.size)
    except (ValueError, UnicodeEncodeError):
        return b""


def _block(file: IO[bytes], at: int, size: int) -> bytes:
    file.seek(at)
    block = file.read(BLOCK_BYTES)
    if at == 0 and block.startswith(_COMPRESSED):
        raise RefusedTarError("is compressed; a plain tar was expected")
    if len(block) < BLOCK_BYTES:
        raise DamagedTarError("its end is missing" if at == size else f"it is cut off at {size}", at)
    return block


def _size(block: bytes, at: int, sound: int) -> int:
    """The size that a header states, when the header is sound."""
    try:
        total = int(block[148:156].strip(b" \0") or b"0", 8)
        length = int(block[124:136].strip(b" \0") or b"0", 8)
    except ValueError:
        raise DamagedTarError(f"no header of a plain tar at {at}", sound) from None
    if total != sum(block) - sum(block[148:156]) + 8 * ord(" ") or length < 0:
        raise DamagedTarError(f"a damaged header at {at}", sound)
    if length > _MOST_MEMBER_BYTES:
        raise RefusedTarError(f"a member of {length} bytes at {at}; {_MOST_MEMBER_BYTES} are the limit")
    return length


def _name(block: bytes) -> str:
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{_text(block[:100])}" if prefix else _text(block[:100])


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _long_name(file: IO[bytes], kind: bytes, begin: int, length: int) -> str:
    """The name that an additional header tells of the member behind it; empty when it tells other things."""
    if length > _MOST_HEADER_BYTES:
        raise RefusedTarError(f"a header of {length} bytes at {begin}; {_MOST_HEADER_BYTES} are the limit")
    file.seek(begin)
    content = file.read(length)
    if kind == _LONG_NAME:
        return _text(content)
    name = ""
    while content:
        digits, _, _ = content.partition(b" ")
        count = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        record, content = content[len(digits) + 1 : max(count - 1, 0)], content[count:]
        keyword, equals, value = record.partition(b"=")
        if not count or not equals or keyword == b"size" or keyword.startswith(b"GNU.sparse"):
            raise RefusedTarError(f"a header at {begin} that no shard needs ({keyword[:40]!r})")
        if keyword == b"path" and kind == _PAX:
            name = value.decode("utf-8", "surrogateescape")
    return name


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES
