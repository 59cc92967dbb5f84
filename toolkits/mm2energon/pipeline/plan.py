"""Plan: which sample goes into which shard, decided before anything is written, and kept on disk.

The plan's folder holds `samples.jsonl` (one prepared sample a line), `units/000000.json` (where the samples of a shard
stand in it) and `plan.json`, which is written last. The same input and options give the same plan, and the same hash.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry, dumps, loads
from mm2energon.pipeline.account import Account
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.prepare import GroupBy, Mending, content_name, group_names, prepare
from mm2energon.pipeline.splits import SPLITS, Groups, assign
from mm2energon.storage import write_whole
from mm2energon.targets import Target

_SAMPLES = "samples.jsonl"
_PLAN = "plan.json"
#: What a sample takes in a shard beside its files: the headers and the padding of its parts, and the pickles' own.
_OVERHEAD_BYTES = 4096


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


@dataclass(frozen=True)
class Plan:
    """A finished plan on disk."""

    folder: Path
    content_hash: str
    units: int
    #: Split -> samples.
    samples: Mapping[str, int]
    #: Other readers of the same bytes -> samples of which they would lose something.
    refused_by: Mapping[str, int]

    def moved(self, folder: Path) -> Plan:
        """The same plan in another folder."""
        return replace(self, folder=folder)

    @staticmethod
    def hash_in(folder: Path) -> str:
        """The hash of the plan in a folder."""
        return str(loads((folder / _PLAN).read_bytes())["hash"])

    def unit(self, number: int) -> Unit:
        """The shard of that number."""
        value = loads((self.folder / "units" / f"{number:06d}.json").read_bytes())
        return Unit(value["number"], value["name"], value["split"], tuple(value["offsets"]), tuple(value["numbers"]))

    def samples_of(self, unit: Unit) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The prepared samples of a shard, with their numbers, in the order in which they are written."""
        with (self.folder / _SAMPLES).open("rb") as file:
            for number, offset in zip(unit.numbers, unit.offsets, strict=True):
                file.seek(offset)
                yield number, loads(file.readline())


def make_plan(
    folder: Path,
    entries: Iterator[Entry],
    *,
    target: Target,
    mending: Mending,
    finder: MediaFinder,
    arrangement: Arrangement,
    options: Mapping[str, Any],
    account: Account,
    progress: ProgressMaker,
) -> Plan:
    """Plan a dataset into `folder`, which is emptied first; entries that cannot be used are set aside in `account`.

    Args:
        options: everything besides the input that decides the bytes; part of the plan's hash.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "units").mkdir(parents=True)
    collected = _Collected()
    bar = progress("entries", None)
    with (folder / _SAMPLES).open("wb") as file:
        for entry in entries:
            account.read += 1
            bar.update(1)
            try:
                prepared = prepare(entry, target=target, mending=mending, finder=finder)
            except SampleError as error:
                account.set_aside(entry, error)
                continue
            for other in prepared.refused_by:
                collected.refused_by[other] = collected.refused_by.get(other, 0) + 1
            shared = group_names(prepared, arrangement.group_by)
            own = [] if shared else [content_name(prepared)]
            collected.add(file, prepared.as_json(), prepared.media.file_bytes)
            collected.groups.add(shared, own=own, seed=arrangement.seed)
    bar.close()
    collected.hash.update(dumps(options))
    return _finish(folder, collected, arrangement)


class _Collected:
    """What is kept in memory of each planned sample: numbers only."""

    def __init__(self) -> None:
        self.groups = Groups()
        self.offsets = array("Q")
        self.sizes = array("Q")
        self.refused_by: dict[str, int] = {}
        self.hash = hashlib.sha256()
        self._end = 0

    def add(self, file: IO[bytes], value: Mapping[str, Any], media_bytes: int) -> None:
        line = dumps(value) + b"\n"
        file.write(line)
        self.hash.update(line)
        self.offsets.append(self._end)
        self.sizes.append(media_bytes + len(line) + _OVERHEAD_BYTES)
        self._end += len(line)


def _finish(folder: Path, collected: _Collected, arrangement: Arrangement) -> Plan:
    splits = assign(collected.groups, arrangement.ratios)
    samples = {split: splits.count(split) for split in SPLITS}
    count = 0
    for unit in _units(splits, collected, arrangement):
        value = {
            "number": unit.number,
            "name": unit.name,
            "split": unit.split,
            "offsets": list(unit.offsets),
            "numbers": list(unit.numbers),
        }
        text = dumps(value)
        collected.hash.update(text)
        (folder / "units" / f"{unit.number:06d}.json").write_bytes(text)
        count += 1
    plan = Plan(folder, collected.hash.hexdigest(), count, samples, collected.refused_by)
    with write_whole(folder / _PLAN) as file:
        file.write(dumps({"hash": plan.content_hash, "units": count, "samples": samples}))
    return plan


def _units(splits: list[str], collected: _Collected, arrangement: Arrangement) -> Iterator[Unit]:
    unit = 0
    for split in SPLITS:
        numbers = [number for number, name in enumerate(splits) if name == split]
        if arrangement.shuffle:
            random.Random(arrangement.seed).shuffle(numbers)
        for place, chunk in enumerate(_cut(numbers, collected.sizes, arrangement)):
            offsets = tuple(collected.offsets[number] for number in chunk)
            yield Unit(unit, f"{split}-shard-{place:06d}.tar", split, offsets, tuple(chunk))
            unit += 1


def _cut(numbers: list[int], sizes: array[int], arrangement: Arrangement) -> Iterator[list[int]]:
    """Consecutive samples, as many as a shard may hold."""
    chunk: list[int] = []
    held = 0
    for number in numbers:
        full = len(chunk) >= arrangement.max_samples
        too_big = arrangement.max_bytes is not None and held + sizes[number] > arrangement.max_bytes
        if chunk and (full or too_big):
            yield chunk
            chunk, held = [], 0
        chunk.append(number)
        held += sizes[number]
    if chunk:
        yield chunk
