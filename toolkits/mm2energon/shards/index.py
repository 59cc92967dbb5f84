"""What a shard holds and where: the rows that its writer notes down and that Energon's indexes are made of."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson

#: Of one part: its name, where its content begins in the tar, and the content's size in bytes.
PartRow = tuple[str, int, int]


class SampleRow(NamedTuple):
    """One sample of a shard."""

    key: str
    #: Where the first header of the sample begins in the tar.
    byte_offset: int
    #: Headers, contents and padding of all its parts, in bytes.
    byte_size: int
    parts: tuple[PartRow, ...]


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """All samples of a shard, in order."""

    samples: list[SampleRow]
    #: Where the last sample ends and the end-of-archive blocks begin.
    end_offset: int
    #: Size of the whole tar.
    file_bytes: int


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """One shard of a dataset: its name relative to the dataset, the split it belongs to, and its rows."""

    name: str
    split: str
    index: ShardIndex


def idx_path(tar: Path) -> Path:
    """Where Energon looks for the offsets of `tar`: beside it, `.idx` appended."""
    return tar.with_name(f"{tar.name}.idx")


def pack_offsets(index: ShardIndex) -> bytes:
    """The content of `<shard>.tar.idx`: where each sample begins, then where the last ends, as little-endian uint64."""
    return struct.pack(
        f"<{len(index.samples) + 1}Q", *(sample.byte_offset for sample in index.samples), index.end_offset
    )


def unpack_offsets(data: bytes) -> list[int]:
    """The offsets in the content of a `.tar.idx`.

    Raises:
        ValueError: the size is no multiple of 8.
    """
    count, rest = divmod(len(data), 8)
    if rest:
        raise ValueError(f"{len(data)} bytes are no whole number of 8-byte offsets")
    return list(struct.unpack(f"<{count}Q", data))


def pack_index(index: ShardIndex) -> bytes:
    """A shard's rows as JSON on one line, to be kept until all shards are written."""
    rows = [[*sample] for sample in index.samples]
    return orjson.dumps([index.end_offset, index.file_bytes, rows])


def unpack_index(data: bytes) -> ShardIndex:
    """Back from `pack_index`.

    Raises:
        ValueError: it is not what `pack_index` gives.
    """
    try:
        end_offset, file_bytes, rows = orjson.loads(data)
        samples = [SampleRow(key, begin, size, tuple(map(tuple, parts))) for key, begin, size, parts in rows]
    except TypeError as error:
        raise ValueError(f"not the rows of a shard ({error})") from error
    return ShardIndex(samples, end_offset, file_bytes)
