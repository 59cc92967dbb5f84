"""A dataset read with Energon's own loader: the same samples, and no picture of colours that are none."""

from __future__ import annotations

import dataclasses
import importlib.util
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

from mm2energon.errors import ToolkitError
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.verify_findings import Verified
from mm2energon.shards.reader import DatasetIndex

#: Gives the samples of a split.
LoadSplit = Callable[[str], Iterator[Any]]
_FEW = 3
_MISSING = (
    "SELECT shard || '/' || key FROM keys WHERE split = :split AND key NOT IN "
    "(SELECT key FROM by_energon WHERE split = :split)"
)
_MORE = (
    "SELECT key FROM by_energon WHERE split = :split AND key NOT IN (SELECT key FROM keys WHERE split = :split) "
    "UNION ALL SELECT key FROM by_energon WHERE split = :split GROUP BY key HAVING count(*) > "
    "(SELECT count(*) FROM keys AS k WHERE k.split = :split AND k.key = by_energon.key)"
)


def is_installed() -> bool:
    """Whether Energon is there to read with; it is not imported for that, which takes seconds."""
    try:
        return importlib.util.find_spec("megatron.energon") is not None
    except ModuleNotFoundError:
        return False


def check_by_energon(
    load_split: LoadSplit,
    index: DatasetIndex,
    database: sqlite3.Connection,
    result: Verified,
    progress: ProgressMaker,
    *,
    most: int | None = None,
) -> None:
    """Read every split with Energon's loader.

    Args:
        database: holds the keys of the shards, and takes those that Energon gives.
        most: samples of each split that are read; None: all, and none may be missing.
    """
    for split in index.splits:
        if index.splits[split]:
            _check_split(load_split, split, database, result, progress, most=most)
            _compare(split, index, database, result, is_whole=most is None)
        else:
            result.by_energon[split] = 0


def _check_split(
    load_split: LoadSplit,
    split: str,
    database: sqlite3.Connection,
    result: Verified,
    progress: ProgressMaker,
    *,
    most: int | None,
) -> None:
    bar = progress(f"samples, Energon, {split}", most)
    result.by_energon[split] = 0
    try:
        with closing(load_split(split)) as samples:  # type: ignore[type-var]
            for sample in islice(samples, most):
                key = str(sample.__key__).rsplit("/", 1)[-1]
                database.execute("INSERT INTO by_energon VALUES (?, ?)", (key, split))
                result.by_energon[split] += 1
                for what in unsound(sample):
                    result.fault(f"{split}/{key}", what)
                bar.update(1)
    except ToolkitError as error:
        result.fault(split, f"Energon's loader stops: {error}")
    except Exception as error:  # noqa: BLE001 (whatever Energon or a reader raises is the finding)
        result.fault(split, f"Energon's loader stops: {type(error).__name__}: {error}")
    bar.close()


def _compare(
    split: str, index: DatasetIndex, database: sqlite3.Connection, result: Verified, *, is_whole: bool
) -> None:
    """Energon gave each sample of a split once, but for those that split.yaml leaves out."""
    excluded = set(index.excluded)
    values = {"split": split}
    database.execute("CREATE INDEX IF NOT EXISTS energon_by_key ON by_energon (split, key)")
    database.execute("CREATE INDEX IF NOT EXISTS keys_by_split ON keys (split, key)")
    missing = (
        place
        for (place,) in (database.execute(_MISSING, values) if is_whole else ())
        if place not in excluded and place.rpartition("/")[0] not in excluded
    )
    lost, count = _first_of(missing)
    more, too_many = _first_of(key for (key,) in database.execute(_MORE, values))
    if count or too_many:
        read = result.by_energon[split]
        result.fault(
            split, f"Energon reads {read} samples of {result.samples.get(split, 0)}; missing {lost}, more {more}"
        )


def _first_of(found: Iterator[str]) -> tuple[list[str], int]:
    """The first few, and how many there are."""
    first = list(islice(found, _FEW))
    return first, len(first) + sum(1 for _ in found)


def unsound(sample: Any) -> Iterator[str]:
    """Fields of a sample (a dataclass, with slots or without) that hold a tensor with NaN or infinity."""
    for one in dataclasses.fields(sample):
        tensors = _tensors(getattr(sample, one.name, None))
        if any(not bool(tensor.isfinite().all()) for tensor in tensors):
            yield f"{one.name} holds colours that are not finite"


def _tensors(value: Any) -> Iterator[Any]:
    if hasattr(value, "isfinite"):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
