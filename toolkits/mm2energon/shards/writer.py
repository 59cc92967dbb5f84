"""Writes one shard: a reproducible tar and the `.tar.idx` beside it, both whole or not there at all."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from mm2energon.shards.blocks import BlockWriter
from mm2energon.shards.index import PartRow, SampleRow, ShardIndex, idx_path, pack_offsets
from mm2energon.shards.keys import valid_key
from mm2energon.storage import write_whole

__all__ = ["SampleRow", "ShardIndex", "ShardWriter"]

_BLOCK_BYTES = 512
_RECORD_BYTES = 20 * _BLOCK_BYTES
_LONGEST_NAME = 100
_LARGEST_PART = 8 << 30
_ZEROS = bytes(_BLOCK_BYTES)
#: A USTAR header (POSIX.1-1988): name, mode, owner, group, size, time, sum, kind (a regular file), link, magic, rest.
_HEADER = b"".join(
    (b"%b", b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0", b"00000000000\0", b"%06o\0 ", b"0")
    + (bytes(100), b"ustar\0" + b"00", bytes(247))
)
#: The sum of all bytes, of which the sum's own are taken for spaces, but for those of name and size.
_SUM_OF_THE_REST = sum(_HEADER % (b"", 0, 0)) - 11 * ord("0") - sum(b"000000\0 ") + 8 * ord(" ")
#: Lower case, because WebDataset lowers part names and Energon does not; `__` in front means something else to both.
_PART = re.compile(r"(?!__)[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class ShardWriter:
    """A shard being written; the files appear under their names when the `with` block ends well.

    The bytes depend on what is written alone: USTAR headers, owner 0/0, mode 0644, time 0.

        with ShardWriter(folder / "train-shard-000000.tar") as shard:
            shard.write("00000000", {"jpg": picture, "json": text})
        shard.rows, shard.crc32
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = write_whole(path)
        self._samples: list[SampleRow] = []
        self._keys: set[str] = set()
        self._offset = 0
        self._blocks: BlockWriter | None = None
        self._rows: ShardIndex | None = None

    def __enter__(self) -> ShardWriter:
        self._blocks = BlockWriter(self._whole.__enter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        blocks = self._open_blocks()
        if kind is None:
            try:
                self._finish(blocks)
            except BaseException:
                blocks.close()
                self._whole.__exit__(*sys.exc_info())
                raise
        blocks.close()
        self._whole.__exit__(kind, error, trace)

    def write(self, key: str, record: Mapping[str, bytes | Sequence[bytes]]) -> None:
        """Append one sample, its parts side by side in the order of `record`.

        Args:
            key: name of the sample, new in this shard.
            record: part name -> bytes, or the pieces of them; part names are lower case, like `json` or
                `video0.000001.jpg`.

        Raises:
            ValueError: a name that readers would not take, a key for the second time, a record without parts, or a
                part of 8 GiB or more; nothing of the sample has been written then.
        """
        if not valid_key(key) or key in self._keys:
            found = "was written before" if key in self._keys else "is no key"
            raise ValueError(f"{self._path.name}: {key!r} {found}; unique names of A-Z a-z 0-9 _ - were expected")
        if not record:
            raise ValueError(f"{self._path.name}: {key} has no parts; at least one was expected")
        begin = at = self._offset
        pieces: list[bytes] = []
        parts: list[PartRow] = []
        for part, data in record.items():
            content = (data,) if isinstance(data, bytes) else data
            size = sum(map(len, content))
            pieces += (header(f"{key}.{_checked(part)}", size), *content, _ZEROS[: -size % _BLOCK_BYTES])
            parts.append((part, at + _BLOCK_BYTES, size))
            at += _BLOCK_BYTES + size + -size % _BLOCK_BYTES
        self._open_blocks().write(pieces)
        self._offset = at
        self._keys.add(key)
        self._samples.append(SampleRow(key, begin, at - begin, tuple(parts)))

    @property
    def rows(self) -> ShardIndex:
        """What the shard holds and where; there once the shard is complete."""
        if self._rows is None:
            raise ValueError(f"{self._path.name}: not complete yet; leave the with block first")
        return self._rows

    @property
    def crc32(self) -> int:
        """CRC-32 of the file, once the shard is complete."""
        return self._blocks.crc32 if self._blocks is not None else 0

    def _finish(self, blocks: BlockWriter) -> None:
        """End the archive and write the idx; the tar is renamed after it, so that a tar is never there without one."""
        end = self._offset
        size = 2 * _BLOCK_BYTES
        size += -(end + size) % _RECORD_BYTES
        blocks.write([bytes(size)])
        blocks.finish()
        index = ShardIndex(self._samples, end, end + size)
        with write_whole(idx_path(self._path)) as file:
            file.write(pack_offsets(index))
        self._rows = index

    def _open_blocks(self) -> BlockWriter:
        if self._blocks is None:
            raise ValueError(f"{self._path.name}: not open; write inside a with block")
        return self._blocks


def _checked(part: str) -> str:
    if not _PART.fullmatch(part):
        raise ValueError(f"{part!r} is no part name; lower-case letters, digits, _ - and single dots were expected")
    return part


def header(name: str, size: int) -> bytes:
    """One USTAR header.

    Raises:
        ValueError: the name or the size does not fit.
    """
    if len(name) > _LONGEST_NAME or size >= _LARGEST_PART:
        raise ValueError(f"{name}: {size} bytes; at most {_LONGEST_NAME} letters and less than 8 GiB were expected")
    field = name.encode("ascii").ljust(_LONGEST_NAME, b"\0")
    return _HEADER % (field, size, _SUM_OF_THE_REST + sum(field) + sum(b"%011o" % size))
