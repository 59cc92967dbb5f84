"""What is wrong with the indexes of a shard, `.tar.idx` and `index.sqlite`, against the headers of its tar."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.shards import reader
from mm2energon.shards.index import SampleRow

_INDEX = "index.sqlite"


def row_faults(
    root: Path,
    name: str,
    number: int,
    true_rows: list[SampleRow],
    end: int,
    *,
    bring: Callable[[], None] | None = None,
    digest: str | None = None,
) -> Iterator[tuple[str, str]]:
    """(place, what) of every index that does not say what its tar holds.

    Args:
        number: of the shard, in the order of `.info.json`, by which the index knows it.
        true_rows: what the headers of the tar say.
        end: where its last sample ends.
        digest: of the rows in `index.sqlite`, of somebody who knows them.
        bring: brings `index.sqlite`, where they are others.
    """
    yield from _offset_faults(root / name, [*(row.byte_offset for row in true_rows), end])
    if digest == digest_of_rows(true_rows):
        return
    if bring is not None:
        bring()
    most = sum(len(row.parts) for row in true_rows) + 1
    try:
        with reader.open_rows(root) as index:
            rows = index.of_shard(number, most_parts=most)
    except InputError:
        return  # `index_faults` says so, once
    if rows != true_rows:
        yield _INDEX, f"does not tell the samples of {name} as they are, first at {_first(rows, true_rows)}"


def digest_of_rows(rows: Sequence[SampleRow]) -> str:
    """By which the rows of a shard are known to be the same."""
    return hashlib.sha256(repr([tuple(row) for row in rows]).encode("utf-8", "backslashreplace")).hexdigest()


def faults_by_offsets(
    root: Path, name: str, places: Sequence[int], rows: Sequence[SampleRow]
) -> Iterator[tuple[str, str]]:
    """(place, what) of the offsets of a shard that do not say where the index has some of its samples."""
    try:
        offsets = reader.read_offsets(root / name)
    except InputError as error:
        yield f"{name}.idx", str(error).removeprefix(f"{root / name}.idx: ")
        return
    for place, row in zip(places, rows, strict=True):
        found = tuple(offsets[place : place + 2])
        if found != (row.byte_offset, row.byte_offset + row.byte_size):
            yield f"{name}.idx", f"does not say where {row.key} lies by {_INDEX}: {found}"
            return


def index_faults(root: Path, *, samples: int, parts: int, deep: bool) -> Iterator[tuple[str, str]]:
    """(place, what) of an index that cannot be read, or has other rows than those of the shards.

    Args:
        samples, parts: in all shards that the metadata name.
        deep: have SQLite look at every page of it.
    """
    try:
        with reader.open_rows(root) as index:
            if deep and (damage := index.damage()):
                yield _INDEX, f"is damaged ({damage})"
            found = index.counts()
    except InputError as error:
        yield _INDEX, str(error)
        return
    if found != (samples, parts):
        yield _INDEX, f"{found[0]} samples of {found[1]} parts, where the shards hold {samples} of {parts}"


def _offset_faults(tar: Path, true_offsets: Sequence[int]) -> Iterator[tuple[str, str]]:
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


def _first(rows: list[SampleRow], true_rows: list[SampleRow]) -> str:
    """The key of the first sample that is told otherwise than it is."""
    for row, true in zip(rows, true_rows, strict=False):
        if row != true:
            return true.key
    return f"the end: {len(rows)} rows for {len(true_rows)} samples"
