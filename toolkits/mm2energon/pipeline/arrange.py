"""Arrange: the samples of each split, in their order or shuffled, cut into shards."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from mm2energon import formats
from mm2energon.pipeline.collect import Collected
from mm2energon.pipeline.numbers import stretches, zeros
from mm2energon.pipeline.prepare import GroupBy
from mm2energon.pipeline.splits import SPLITS

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from numpy.typing import NDArray

#: What a tar has at its end, at most.
END_BYTES = 10_240
_FORMATS = list(formats.FORMATS)


@dataclass(frozen=True)
class Arrangement:
    """How samples are dealt to splits and shards."""

    ratios: Mapping[str, float]
    max_samples: int
    max_bytes: int | None = None
    seed: int = 42
    group_by: GroupBy = "media"
    shuffle: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """One shard: the samples that it will hold."""

    number: int
    name: str
    split: str
    #: Byte offsets of its samples in `samples.jsonl`.
    offsets: tuple[int, ...]
    #: Their numbers in the dataset, which their keys begin with.
    numbers: tuple[int, ...]
    #: The annotation format of each of them; empty in a plan of an older version.
    formats: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What decides the bytes of the shard, as plain values, for the plan."""
        return {name: getattr(self, name) for name in ("number", "name", "split", "offsets", "numbers")}


def samples_by_split(split_of: NDArray[Any]) -> dict[str, int]:
    """Split -> its samples.

    Args:
        split_of: as of `arranged`.
    """
    import numpy as np

    counts = np.zeros(len(SPLITS), np.int64)
    for start, end in stretches(len(split_of)):
        counts += np.bincount(split_of[start:end], minlength=len(SPLITS))
    return dict(zip(SPLITS, counts.tolist(), strict=True))


def arranged(
    split_of: NDArray[Any], samples: Mapping[str, int], collected: Collected, arrangement: Arrangement
) -> Iterator[Unit]:
    """The shards of all splits, in order.

    Args:
        split_of: uint8, shape (samples,): the place of each sample's split in SPLITS.
        samples: split -> its samples.
    """
    number = 0
    for split in SPLITS:
        if arrangement.shuffle:
            blocks = _shuffled(split_of, split, samples[split], collected, arrangement.seed)
        else:
            blocks = _in_order(split_of, split, collected)
        for place, held in enumerate(cut(blocks, arrangement)):
            name = f"{split}-shard-{place:06d}.tar"
            offsets, numbers = tuple(held["offset"].tolist()), tuple(held["number"].tolist())
            yield Unit(number, name, split, offsets, numbers, tuple(_FORMATS[one] for one in held["format"].tolist()))
            number += 1


def _in_order(split_of: NDArray[Any], split: str, collected: Collected) -> Iterator[NDArray[Any]]:
    """The samples of a split, in blocks."""
    for (start, end), rows in zip(stretches(len(split_of)), collected.numbers.blocks(), strict=True):
        (here,) = (split_of[start:end] == SPLITS.index(split)).nonzero()
        yield _numbered(rows[here], start + here)


def _shuffled(
    split_of: NDArray[Any], split: str, count: int, collected: Collected, seed: int
) -> Iterator[NDArray[Any]]:
    """The samples of a split in an order drawn by the seed, in blocks."""
    order = zeros(count, "Q", folder=collected.folder)
    end = 0
    for rows in _in_order(split_of, split, collected):
        order[end : end + len(rows)] = rows["number"]
        end += len(rows)
    random.Random(seed).shuffle(cast("MutableSequence[int]", order.data))
    every = collected.numbers.mapped()
    for start, end in stretches(count):
        yield _numbered(every[order[start:end]], order[start:end])


def _numbered(rows: NDArray[Any], numbers: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    found = np.empty(len(rows), [("number", "u8"), *((name, rows.dtype[name]) for name in rows.dtype.names or ())])
    found["number"] = numbers
    for name in rows.dtype.names or ():
        found[name] = rows[name]
    return found


def cut(blocks: Iterable[NDArray[Any]], arrangement: Arrangement) -> Iterator[NDArray[Any]]:
    """Consecutive samples, as many as a shard may hold; one that is larger than that by itself has its own.

    Args:
        blocks: all samples, with `size`, in pieces.
    """
    import numpy as np

    held: NDArray[Any] | None = None
    for block in blocks:
        held = block if held is None else np.concatenate([held, block])
        start = 0
        for end in _ends(held["size"], arrangement):
            if end == len(held) and end - start < arrangement.max_samples:
                break  # the next block may go on with it
            yield held[start:end]
            start = end
        held = held[start:]
    if held is not None:
        start = 0
        for end in _ends(held["size"], arrangement):
            yield held[start:end]
            start = end


def _ends(sizes: NDArray[Any], arrangement: Arrangement) -> Iterator[int]:
    """Where shards end among samples of these sizes in bytes, shape (samples,)."""
    ends = sizes.astype("i8").cumsum()
    start = 0
    while start < len(sizes):
        end = min(start + arrangement.max_samples, len(sizes))
        if arrangement.max_bytes is not None:
            before = int(ends[start - 1]) if start else 0
            fitting = int(ends.searchsorted(before + arrangement.max_bytes - END_BYTES, side="right"))
            end = max(start + 1, min(end, fitting))
        yield end
        start = end
