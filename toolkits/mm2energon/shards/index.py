"""What a shard holds and where: the rows that its writer notes down and that Energon's indexes are made of."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Of one part: its name, where its content begins in the tar, and the content's size in bytes.
PartRow = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class SampleRow:
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


def index_as_json(index: ShardIndex) -> dict[str, Any]:
    """A shard's rows as plain values, to be kept as JSON until all shards are written."""
    rows = [[sample.key, sample.byte_offset, sample.byte_size, sample.parts] for sample in index.samples]
    return {"samples": rows, "end_offset": index.end_offset, "file_bytes": index.file_bytes}


def index_from_json(content: Any) -> ShardIndex:
    """Back from `index_as_json`, by way of JSON.

    Raises:
        ValueError: it is not what `index_as_json` gives.
    """
    try:
        samples = [_sample_row(row) for row in content["samples"]]
        return ShardIndex(samples, int(content["end_offset"]), int(content["file_bytes"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the rows of a shard ({type(error).__name__}: {error})") from error


def _sample_row(row: Sequence[object]) -> SampleRow:
    key, byte_offset, byte_size, parts = row
    if not (isinstance(key, str) and isinstance(byte_offset, int) and isinstance(byte_size, int)):
        raise TypeError(f"unexpected row {row!r}")
    if not isinstance(parts, list):
        raise TypeError(f"unexpected parts {parts!r}")
    return SampleRow(key, byte_offset, byte_size, tuple((str(name), int(at), int(size)) for name, at, size in parts))
