"""Plan: which sample goes into which shard, decided before anything is written, and kept on disk.

The plan's folder holds `samples.jsonl` (one prepared sample a line), `units/000000.json` (where the samples of a shard
stand in it) and `plan.json`, which is written last. The same input and options give the same plan, and the same hash.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry, dumps, loads
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.pipeline.account import Account
from mm2energon.pipeline.budget import Budget
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.prepare import (
    GroupBy,
    Mending,
    Prepared,
    content_name,
    differs_from_2_fps,
    group_names,
    prepare,
)
from mm2energon.pipeline.splits import SPLITS, Groups, assign
from mm2energon.storage import naming, write_whole
from mm2energon.targets import Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLES = "samples.jsonl"
_PLAN = "plan.json"
#: Part of every hash; another number where the same plan would lead to other bytes on disk.
_LAYOUT_VERSION = 2
#: What a sample takes in a shard beside its media and its text: the headers and the padding of its parts.
_OVERHEAD_BYTES = 4096
#: What a tar has at its end, at most.
_END_BYTES = 10_240
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
    #: Samples that hold a video at another rate than 2 fps.
    other_rates: int = 0
    #: Bytes to be copied; a picture that is stored anew counts as many as could be copied meanwhile.
    work_bytes: int = 0
    #: Bytes of all shards, at most.
    shard_bytes: int = 0

    def moved(self, folder: Path) -> Plan:
        """The same plan in another folder."""
        return replace(self, folder=folder)

    @staticmethod
    def known(folder: Path) -> tuple[str, Mapping[str, Any]] | None:
        """The hash and the options of the complete plan in a folder; None when there is none."""
        try:
            value = loads((folder / _PLAN).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        return value["hash"], value["options"]

    @staticmethod
    def load(folder: Path, options: Mapping[str, Any]) -> Plan | None:
        """The complete plan in a folder, made with these options; None when there is none."""
        try:
            value = loads((folder / _PLAN).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        if loads(dumps(options)) != value["options"] or "figures" not in value:
            return None
        return Plan(folder, value["hash"], **value["figures"])

    def unit(self, number: int) -> Unit:
        """The shard of that number."""
        value = loads((self.folder / "units" / f"{number:06d}.json").read_bytes())
        return Unit(
            value["number"],
            value["name"],
            value["split"],
            tuple(value["offsets"]),
            tuple(value["numbers"]),
            tuple(value.get("formats", ())),
        )

    def samples_of(self, unit: Unit) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The prepared samples of a shard, with their numbers, in the order in which they are written."""
        with (self.folder / _SAMPLES).open("rb") as file:
            for number, offset in zip(unit.numbers, unit.offsets, strict=True):
                file.seek(offset)
                yield number, loads(file.readline(), max_depth=MAX_DEPTH_AROUND)


@dataclass(frozen=True)
class Planning:
    """What decides a plan, besides the entries."""

    target: Target
    mending: Mending
    finder: MediaFinder
    arrangement: Arrangement
    #: Everything that decides the bytes, by name; part of the plan's hash.
    options: Mapping[str, Any]
    #: What a sample may cost; None: nobody counts.
    budget: Budget | None = None


def make_plan(
    folder: Path, entries: Iterable[Entry], planning: Planning, *, account: Account, progress: ProgressMaker
) -> Plan:
    """Plan a dataset into `folder`, which is emptied first; entries that cannot be used are set aside in `account`."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "units").mkdir(parents=True)
    collected = _Collected(planning)
    bar = progress("entries", None)
    with naming(folder), (folder / _SAMPLES).open("wb") as file:
        for entry in entries:
            account.read += 1
            bar.update(1)
            try:
                prepared = _prepared(entry, planning)
                collected.add(file, prepared, formats.detect(entry.value, origin=entry.origin))
            except SampleError as error:
                account.set_aside(entry, error)
    bar.close()
    return _finish(folder, collected, planning)


def _prepared(entry: Entry, planning: Planning) -> tuple[Prepared, bytes]:
    """The prepared sample, and its line of the plan."""
    prepared = prepare(
        entry, target=planning.target, mending=planning.mending, finder=planning.finder, budget=planning.budget
    )
    try:
        return prepared, dumps(prepared.as_json())
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleError(f"{entry.origin}: cannot be written as JSON again ({error})", "broken-json") from error


class _Collected:
    """What is kept in memory of each planned sample: numbers only."""

    def __init__(self, planning: Planning) -> None:
        self.groups = Groups(seed=planning.arrangement.seed)
        self.offsets = array("Q")
        self.sizes = array("Q")
        #: Of each sample, the place of its annotation format among `formats.FORMATS`.
        self.formats = array("B")
        self.refused_by: Counter[str] = Counter()
        self.other_rates = 0
        self.work_bytes = 0
        self.hash = hashlib.sha256(dumps([_LAYOUT_VERSION, planning.options]))
        self._arrangement = planning.arrangement
        self._min_side = planning.target.rules.min_side if planning.mending.enlarge_small_images else 1
        self._end = 0

    def add(self, file: IO[bytes], sample: tuple[Prepared, bytes], name: str) -> None:
        prepared, text = sample
        self.formats.append(_FORMATS.index(name))
        line = text + b"\n"
        file.write(line)
        self.hash.update(line)
        self.offsets.append(self._end)
        # A target may write each text under two keys.
        media_bytes, work_bytes = prepared.media.costs(self._min_side)
        self.sizes.append(media_bytes + 2 * len(line) + _OVERHEAD_BYTES)
        self.work_bytes += work_bytes
        self._end += len(line)
        if prepared.refused_by:
            self.refused_by.update(prepared.refused_by)
        self.other_rates += differs_from_2_fps(prepared)
        shared = group_names(prepared, self._arrangement.group_by)
        content = [] if shared else [content_name(prepared)]
        if self._arrangement.group_by == "none":
            self.groups.add(shared, own=content)
        else:  # a sample without media that stands there twice stays in one split, too
            self.groups.add(shared or content)


def _finish(folder: Path, collected: _Collected, planning: Planning) -> Plan:
    split_of = assign(collected.groups, planning.arrangement.ratios)
    samples = {split: int((split_of == place).sum()) for place, split in enumerate(SPLITS)}
    count = 0
    for unit in _units(split_of, collected, planning.arrangement):
        collected.hash.update(dumps(unit.as_json()))
        with naming(folder):
            (folder / "units" / f"{unit.number:06d}.json").write_bytes(
                dumps({**unit.as_json(), "formats": unit.formats})
            )
        count += 1
    plan = Plan(
        folder,
        collected.hash.hexdigest(),
        count,
        samples,
        dict(collected.refused_by),
        collected.other_rates,
        collected.work_bytes,
        sum(collected.sizes) + count * _END_BYTES,
    )
    with write_whole(folder / _PLAN) as file:
        figures = {name: value for name, value in asdict(plan).items() if name not in ("folder", "content_hash")}
        file.write(dumps({"hash": plan.content_hash, "options": planning.options, "figures": figures}))
    return plan


def _units(split_of: NDArray[np.uint8], collected: _Collected, arrangement: Arrangement) -> Iterator[Unit]:
    import numpy as np

    sizes, offsets = np.asarray(collected.sizes).astype(np.int64), np.asarray(collected.offsets)
    unit = 0
    for number_of_split, split in enumerate(SPLITS):
        numbers = np.flatnonzero(split_of == number_of_split)
        if arrangement.shuffle:
            random.Random(arrangement.seed).shuffle(numbers)  # type: ignore[call-overload]
        for place, (start, end) in enumerate(_cut(sizes[numbers], arrangement)):
            held = numbers[start:end]
            name = f"{split}-shard-{place:06d}.tar"
            read_as = tuple(_FORMATS[collected.formats[number]] for number in held)
            yield Unit(unit, name, split, tuple(offsets[held].tolist()), tuple(held.tolist()), read_as)
            unit += 1


def _cut(sizes: NDArray[np.int64], arrangement: Arrangement) -> Iterator[tuple[int, int]]:
    """Consecutive samples, as many as a shard may hold; one that is larger than that by itself has its own."""
    ends = sizes.cumsum()
    start = 0
    while start < len(sizes):
        end = min(start + arrangement.max_samples, len(sizes))
        if arrangement.max_bytes is not None:
            before = int(ends[start - 1]) if start else 0
            fitting = int(ends.searchsorted(before + arrangement.max_bytes - _END_BYTES, side="right"))
            end = max(start + 1, min(end, fitting))
        yield start, end
        start = end
