"""Samples of a shard by their places, each found by the index beside the shard: what is between them is not read."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from mm2energon.errors import InputError, SampleError
from mm2energon.pipeline.stored_shards import Pieces, in_batches
from mm2energon.roots import open_regular
from mm2energon.shards import reader
from mm2energon.shards.index import SampleRow
from mm2energon.shards.tars import BLOCK_BYTES, DamagedTarError, RefusedTarError, rows_of, sample_rows
from mm2energon.terminal import told

#: Bytes of one sample, above which it is not read into memory.
_MOST_BYTES = 1 << 30
_END = bytes(2 * BLOCK_BYTES)


def read_places(
    path: Path, places: Sequence[int], *, count: int, pieces: Pieces | None = None
) -> Iterator[tuple[int, str, dict[str, bytes] | SampleError, int]]:
    """Some samples of a shard: (place, key, its parts or why it cannot be read, its bytes in the tar).

    Args:
        count: samples that the shard has, as the metadata says.
        pieces: brings what is read of it, where it lies in a store.

    Raises:
        InputError: the shard cannot be read, or has fewer samples.
    """
    try:
        size = path.stat().st_size
        # Before it is opened: a shard that is brought as a whole is another file.
        stretches = _stretches(path, count=count, file_bytes=size, pieces=pieces)
        with open_regular(path) as file:
            for place in places if pieces is None else _brought(places, stretches, pieces, file_bytes=size):
                if place >= len(stretches):
                    raise InputError(f"{path}: {len(stretches)} samples; {count} were expected, by .info.json")
                begin, end = stretches[place]
                try:
                    if not begin < end <= begin + _MOST_BYTES:
                        raise _not_there(path, f"{end - begin} bytes")
                    if end > size:
                        raise DamagedTarError("its end is missing", end=size)
                    file.seek(begin)
                    data = file.read(end - begin)
                    row = _row(path, data)
                except SampleError as error:
                    yield place, "", error, max(0, end - begin)
                    continue
                yield place, row.key, {part: data[at : at + length] for part, at, length in row.parts}, end - begin
    except (OSError, RefusedTarError, DamagedTarError) as error:
        raise InputError(f"{path}: {told(error)}; a whole tar was expected; mm2energon verify says more") from error


def _brought(
    places: Sequence[int], stretches: Sequence[tuple[int, int]], pieces: Pieces, *, file_bytes: int
) -> Iterator[int]:
    """The places, whose samples are there when it is their turn."""
    for some in in_batches(places, stretches):
        wanted = [stretches[place] for place in some if place < len(stretches)]
        pieces.some([(begin, end) for begin, end in wanted if begin < end <= min(file_bytes, begin + _MOST_BYTES)])
        yield from some


def _stretches(path: Path, *, count: int, file_bytes: int, pieces: Pieces | None) -> list[tuple[int, int]]:
    """Where each sample lies: by the index beside the shard, or by the headers where there is none that is sound."""
    try:
        offsets = reader.read_offsets(path)
    except InputError:
        offsets = []
    is_sound = len(offsets) == count + 1 and offsets == sorted(offsets)
    by_index = list(zip(offsets, offsets[1:], strict=False)) if is_sound else []
    if by_index and offsets[-1] <= file_bytes:
        return by_index
    if pieces is not None:
        pieces.whole()
    try:
        rows, _ = sample_rows(path)
    except DamagedTarError:
        if not by_index:
            raise
        return by_index  # the shard is cut off: what lies before that can be read
    return [(row.byte_offset, row.byte_offset + row.byte_size) for row in rows]


def _row(path: Path, data: bytes) -> SampleRow:
    """The one sample in a piece of a tar.

    Raises:
        SampleError: there is another number of them, or it is damaged.
    """
    try:
        rows, _ = rows_of(io.BytesIO(data + _END))
    except (DamagedTarError, RefusedTarError) as error:
        raise _not_there(path, told(error)) from error
    if len(rows) != 1:
        raise _not_there(path, f"{len(rows)} samples")
    return rows[0]


def _not_there(path: Path, what: str) -> SampleError:
    return SampleError(
        f"{path.name}: {what} where its index has a sample; a whole one was expected; mm2energon verify says more",
        "bad-part",
    )
