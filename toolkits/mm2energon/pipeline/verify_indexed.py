"""Shards in a store by what the index says of them: some samples are brought, and held against it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from mm2energon.errors import InputError
from mm2energon.pipeline.row_faults import digest_of_rows
from mm2energon.pipeline.stored_shards import Pieces
from mm2energon.roots import open_regular
from mm2energon.shards import reader
from mm2energon.shards.index import SampleRow
from mm2energon.shards.tars import BLOCK_BYTES, DamagedTarError, RefusedTarError, rows_of
from mm2energon.terminal import told

#: Bytes of zeros that a tar ends with, at least.
_END = bytes(2 * BLOCK_BYTES)
_MOST_PARTS = 1 << 40


class Indexed:
    """What `index.sqlite` says of each shard; nothing, where it cannot be read, which those say who check it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def some(self, shard: int, places: Sequence[int]) -> tuple[SampleRow, ...]:
        """The samples at these places, up to the first that it does not have."""
        try:
            with reader.open_rows(self._root) as rows:
                found = [rows.at(shard, place) for place in places]
        except InputError:
            return ()
        return tuple(row for row in found if row is not None)

    def digest(self, shard: int) -> str | None:
        """By which all its samples are known."""
        try:
            with reader.open_rows(self._root) as rows:
                return digest_of_rows(rows.of_shard(shard, most_parts=_MOST_PARTS))
        except InputError:
            return None

    def keys_and_parts(self, shard: int) -> tuple[list[str], int]:
        """The keys of its samples, and how many parts they have."""
        try:
            with reader.open_rows(self._root) as rows:
                return rows.keys_of_shard(shard), rows.parts_of_shard(shard)
        except InputError:
            return [], 0


def as_indexed(path: Path, rows: Sequence[SampleRow], pieces: Pieces, fault: Callable[[str], None]) -> list[SampleRow]:
    """Bring some samples of a shard, and its end; those whose headers say what the index does.

    Args:
        fault: is told what is wrong.

    Raises:
        OSError: the store does not give them.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        fault(told(error))
        return []
    stretches = [(row.byte_offset, row.byte_offset + row.byte_size) for row in rows]
    wanted = [(begin, end) for begin, end in stretches if 0 <= begin < end <= size]
    pieces.some([*wanted, (max(0, size - len(_END)), size)])
    with open_regular(path) as file:
        found = [row for row in rows if _is_there(row, file, fault)]
        file.seek(max(0, size - len(_END)))
        if file.read() != _END:
            fault("its end is missing; a whole tar was expected; write the shard again")
    return found


def _is_there(row: SampleRow, file: IO[bytes], fault: Callable[[str], None]) -> bool:
    file.seek(max(0, row.byte_offset))
    try:
        found, _ = rows_of(io.BytesIO(file.read(max(0, row.byte_size)) + _END))
    except (DamagedTarError, RefusedTarError) as error:
        fault(f"{error}, where its index has {row.key}; a whole tar was expected; write the shard again")
        return False
    if [_behind(one, row.byte_offset) for one in found] != [row]:
        fault(f"is not told by index.sqlite as it is, at {row.key}")
        return False
    return True


def _behind(row: SampleRow, begin: int) -> SampleRow:
    """A sample of a piece of a tar, as it is in the whole."""
    parts = tuple((name, begin + at, size) for name, at, size in row.parts)
    return SampleRow(row.key, begin + row.byte_offset, row.byte_size, parts)
