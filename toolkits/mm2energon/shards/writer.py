"""Writes one shard: a reproducible tar and the `.tar.idx` beside it, both whole or not there at all."""

from __future__ import annotations

import hashlib
import re
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from mm2energon.shards.index import PartRow, SampleRow, ShardIndex, idx_path, pack_offsets
from mm2energon.shards.keys import valid_key
from mm2energon.storage import write_whole

__all__ = ["SampleRow", "ShardIndex", "ShardWriter"]

#: Lower case, because WebDataset lowers part names and Energon does not; `__` in front means something else to both.
_PART = re.compile(r"(?!__)[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class ShardWriter:
    """A shard being written; the files appear under their names when the `with` block ends well.

    The bytes depend on what is written alone: USTAR headers, owner 0/0, mode 0644, time 0.

        with ShardWriter(folder / "train-shard-000000.tar") as shard:
            shard.write("00000000", {"jpg": picture, "json": text})
        shard.rows, shard.sha256
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = write_whole(path)
        self._samples: list[SampleRow] = []
        self._keys: set[str] = set()
        self._offset = 0
        self._hash = hashlib.sha256()
        self._file: IO[bytes] | None = None
        self._rows: ShardIndex | None = None

    def __enter__(self) -> ShardWriter:
        self._file = self._whole.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._finish()
            except BaseException:
                self._whole.__exit__(*sys.exc_info())
                raise
        self._whole.__exit__(kind, error, trace)

    def write(self, key: str, record: Mapping[str, bytes]) -> None:
        """Append one sample, its parts side by side in the order of `record`.

        Args:
            key: name of the sample, new in this shard.
            record: part name -> bytes; part names are lower case, like `json` or `video0.000001.jpg`.

        Raises:
            ValueError: a name that readers would not take, a key for the second time, a record without parts, or a
                part of 8 GiB or more; nothing of the sample has been written then.
        """
        if not valid_key(key) or key in self._keys:
            found = "was written before" if key in self._keys else "is no key"
            raise ValueError(f"{self._path.name}: {key!r} {found}; unique names of A-Z a-z 0-9 _ - were expected")
        if not record:
            raise ValueError(f"{self._path.name}: {key} has no parts; at least one was expected")
        headers = [_header(f"{key}.{_checked(part)}", len(data)) for part, data in record.items()]
        begin = self._offset
        parts: list[PartRow] = []
        for header, (part, data) in zip(headers, record.items(), strict=True):
            self._put(header)
            parts.append((part, self._offset, len(data)))
            self._put(data)
            self._put(bytes(-len(data) % tarfile.BLOCKSIZE))
        self._keys.add(key)
        self._samples.append(SampleRow(key, begin, self._offset - begin, tuple(parts)))

    @property
    def rows(self) -> ShardIndex:
        """What the shard holds and where; there once the shard is complete."""
        if self._rows is None:
            raise ValueError(f"{self._path.name}: not complete yet; leave the with block first")
        return self._rows

    @property
    def sha256(self) -> str:
        """Digest of the bytes written so far: of the file, once the shard is complete."""
        return self._hash.hexdigest()

    def _finish(self) -> None:
        """End the archive and write the idx; the tar is renamed after it, so that a tar is never there without one."""
        end = self._offset
        self._put(bytes(2 * tarfile.BLOCKSIZE))
        self._put(bytes(-self._offset % tarfile.RECORDSIZE))
        index = ShardIndex(self._samples, end, self._offset)
        with write_whole(idx_path(self._path)) as file:
            file.write(pack_offsets(index))
        self._rows = index

    def _put(self, data: bytes) -> None:
        if self._file is None:
            raise ValueError(f"{self._path.name}: not open; write inside a with block")
        self._file.write(data)
        self._hash.update(data)
        self._offset += len(data)


def _checked(part: str) -> str:
    if not _PART.fullmatch(part):
        raise ValueError(f"{part!r} is no part name; lower-case letters, digits, _ - and single dots were expected")
    return part


def _header(name: str, size: int) -> bytes:
    """One USTAR header.

    Raises:
        ValueError: the name or the size does not fit.
    """
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member.tobuf(tarfile.USTAR_FORMAT, encoding="ascii", errors="strict")
