"""Plan: which sample goes into which shard, decided before anything is written, and kept on disk.

The plan's folder holds `samples.jsonl` (one prepared sample a line), `units/000000.json` (where the samples of a shard
stand in it) and `plan.json`, which is written last. The same input and options give the same plan, and the same hash.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mm2energon.jsonio import dumps, loads
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.pipeline.arrange import END_BYTES, Arrangement, Unit, arranged, samples_by_split
from mm2energon.pipeline.collect import SAMPLES, Collected, Preparing
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.splits import assign
from mm2energon.storage import naming, write_whole

_PLAN = "plan.json"
#: Part of every hash; another number where the same plan would lead to other bytes on disk.
_LAYOUT_VERSION = 2


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

    def write_alone(self, number: int) -> None:
        """Put the samples of a shard into a file of their own, for machines that do not see the others."""
        alone = self._alone(number)
        alone.parent.mkdir(exist_ok=True)
        unit = self.unit(number)
        with (self.folder / SAMPLES).open("rb") as file, write_whole(alone) as lines:
            for offset in unit.offsets:
                file.seek(offset)
                lines.write(file.readline())

    def _alone(self, number: int) -> Path:
        return self.folder / "samples" / f"{number:06d}.jsonl"

    def samples_of(self, unit: Unit) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The prepared samples of a shard, with their numbers, in the order in which they are written."""
        alone = self._alone(unit.number)
        if alone.exists():
            with alone.open("rb") as file:
                for number, line in zip(unit.numbers, file, strict=True):
                    yield number, loads(line, max_depth=MAX_DEPTH_AROUND)
            return
        with (self.folder / SAMPLES).open("rb") as file:
            for number, offset in zip(unit.numbers, unit.offsets, strict=True):
                file.seek(offset)
                yield number, loads(file.readline(), max_depth=MAX_DEPTH_AROUND)


@dataclass(frozen=True)
class Planning:
    """What decides a plan, besides the entries."""

    preparing: Preparing
    arrangement: Arrangement
    #: Everything that decides the bytes, by name; part of the plan's hash.
    options: Mapping[str, Any]


#: Adds all samples; their lines, in any pieces, and how many entries have been read with each.
Fill = Callable[[Collected], Iterator[tuple[bytes, int]]]


def make_plan(folder: Path, fill: Fill, planning: Planning, *, progress: ProgressMaker) -> Plan:
    """Plan a dataset of the samples that `fill` collects into `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "units").mkdir(parents=True)
    digest = hashlib.sha256(dumps([_LAYOUT_VERSION, planning.options]))
    bar = progress("entries", None)
    with naming(folder):
        collected = Collected(folder, planning.preparing)
        try:
            for lines, entries in fill(collected):
                digest.update(lines)
                bar.update(entries)
        finally:
            collected.close()
        bar.close()
        return _finish(folder, collected, planning, digest)


def _finish(folder: Path, collected: Collected, planning: Planning, digest: hashlib._Hash) -> Plan:
    split_of = assign(collected.groups, planning.arrangement.ratios, folder=folder)
    samples = samples_by_split(split_of)
    count = 0
    for unit in arranged(split_of, samples, collected, planning.arrangement):
        digest.update(dumps(unit.as_json()))
        (folder / "units" / f"{unit.number:06d}.json").write_bytes(dumps({**unit.as_json(), "formats": unit.formats}))
        count += 1
    figures = collected.figures
    plan = Plan(
        folder,
        digest.hexdigest(),
        count,
        samples,
        figures.refused_by,
        figures.other_rates,
        figures.work_bytes,
        figures.sample_bytes + count * END_BYTES,
    )
    with write_whole(folder / _PLAN) as file:
        values = {name: value for name, value in asdict(plan).items() if name not in ("folder", "content_hash")}
        file.write(dumps({"hash": plan.content_hash, "options": planning.options, "figures": values}))
    return plan
