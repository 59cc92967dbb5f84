"""What is wrong with the indexes of a dataset, `.tar.idx` and `index.sqlite`, against the headers of the tars."""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.shards import reader
from mm2energon.shards.index import PartRow, SampleRow
from mm2energon.shards.reader import DatasetIndex


def row_faults(root: Path, index: DatasetIndex, readable: Collection[str]) -> Iterator[tuple[str, str]]:
    """(place, what) of every index that does not say what its tar holds.

    Args:
        readable: shards that could be opened; of the others their own fault has been said.
    """
    by_shard: dict[str, list[SampleRow]] = {name: [] for name in index.counts}
    sound = True
    try:
        for name, row in reader.read_rows(root):
            by_shard[name].append(row)
    except InputError as error:
        sound = False
        yield "index.sqlite", str(error)
    for name, rows in by_shard.items():
        if name not in readable:
            continue
        try:
            true_rows, end = _rows_of(root / name)
        except (OSError, tarfile.TarError):
            continue  # said by the reader of the records
        yield from _offset_faults(root / name, [*(row.byte_offset for row in true_rows), end])
        if sound and rows != true_rows:
            yield "index.sqlite", f"does not tell the samples of {name} as they are, first at {_first(rows, true_rows)}"


def _offset_faults(tar: Path, true_offsets: list[int]) -> Iterator[tuple[str, str]]:
    place = f"{tar.name}.idx"
    try:
        offsets = reader.read_offsets(tar)
    except InputError as error:
        yield place, str(error).removeprefix(f"{tar}.idx: ")
        return
    if len(offsets) != len(true_offsets):
        yield (
            place,
            f"{len(offsets)} offsets; one for each of {len(true_offsets) - 1} samples and one more were expected",
        )
    elif offsets != true_offsets:
        number = next(n for n, (one, true) in enumerate(zip(offsets, true_offsets, strict=True)) if one != true)
        yield place, f"offset {number} is {offsets[number]}; {true_offsets[number]} was expected"


def _rows_of(tar: Path) -> tuple[list[SampleRow], int]:
    """What the headers of a tar say: its samples, and where the last ends."""
    found: list[tuple[str, int, list[PartRow]]] = []
    end = 0
    with tarfile.open(tar, "r:") as members:
        for member in members:
            key, _, part = member.name.partition(".")
            if not found or found[-1][0] != key:
                found.append((key, member.offset, []))
            found[-1][2].append((part, member.offset_data, member.size))
            end = member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    ends = [*(begin for _, begin, _ in found[1:]), end]
    rows = [
        SampleRow(key, begin, stop - begin, tuple(parts)) for (key, begin, parts), stop in zip(found, ends, strict=True)
    ]
    return rows, end


def _first(rows: list[SampleRow], true_rows: list[SampleRow]) -> str:
    """The key of the first sample that is told otherwise than it is."""
    for row, true in zip(rows, true_rows, strict=False):
        if row != true:
            return true.key
    return f"the end: {len(rows)} rows for {len(true_rows)} samples"
