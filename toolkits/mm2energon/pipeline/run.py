"""Run: one idempotent unit of work = one shard, from its plan to a complete tar and its `done` record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.jsonio import dumps, loads
from mm2energon.pipeline.arrange import Unit
from mm2energon.pipeline.brought import samples_brought
from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.pipeline.media_reader import MediaReader
from mm2energon.pipeline.mirror import Mirror, Mirrored
from mm2energon.pipeline.mirrors import mirror_here
from mm2energon.pipeline.plan import Plan
from mm2energon.pipeline.prepare import Prepared
from mm2energon.shards.index import ShardIndex, idx_path, pack_index, unpack_index
from mm2energon.shards.keys import make_key
from mm2energon.shards.records import Record, make_record
from mm2energon.shards.writer import ShardWriter
from mm2energon.storage import expect_folder, expect_more, write_whole
from mm2energon.targets import target_named
from mm2energon.terminal import shown

#: Where the plan of an unfinished run lies in the output.
PLAN_FOLDER = f"{STATE_FOLDER}/shard/plan"
#: Bytes below which a worker more is not worth its start, which takes as long as copying a quarter of them.
BYTES_OF_A_WORKER = 2 << 30


@dataclass(frozen=True, slots=True)
class ShardTask:
    """What a worker needs to write one shard; a few strings, so that any executor can carry it."""

    plan: Plan
    number: int
    root: Path
    output: Path
    target: str
    #: Pixels to which the smaller side of a picture is brought (1: pictures stay as they are).
    min_side: int = 1
    pai_seconds: bool = False
    #: Where frames lie that have no files of their own.
    packs: Path | None = None
    #: Roots of which files may be named by absolute paths.
    further: tuple[Path, ...] = ()
    #: What `root` and `output` stand for, where that lies in a store.
    root_of: Mirrored | None = None
    output_of: Mirrored | None = None

    def __str__(self) -> str:
        return f"shard {self.number}"


@dataclass(frozen=True, slots=True)
class Done:
    """What was written of one shard."""

    name: str
    split: str
    samples: int
    file_bytes: int
    crc32: int
    #: Samples that could not be written after all: origin, reason code, message.
    set_aside: tuple[tuple[str, str, str], ...]
    #: Annotation format -> samples that were written; empty in a record of an older version.
    formats: Mapping[str, int] = field(default_factory=dict)


def write_shard(task: ShardTask) -> int:
    """Write a shard, unless its done record says that it is complete; the number of its samples.

    A sample whose media cannot be read any more is left out and noted; a shard that loses all of them is not written.
    """
    if task.output_of is not None:
        return _write_remote(task, mirror_here(task.output_of))
    return _write_here(task)


def _write_here(task: ShardTask) -> int:
    unit = task.plan.unit(task.number)
    path = task.output / unit.name
    before = read_done(task.plan, task.number)
    if before is not None and is_whole(path, before):
        return before.samples
    refused: list[tuple[str, str, str]] = []
    index, crc32 = _write(task, unit, path, refused)
    done = [unit.name, unit.split, len(index.samples), index.file_bytes, crc32, refused, _formats(task, unit, refused)]
    with write_whole(_done_path(task.plan, task.number)) as file:
        file.write(dumps(done) + b"\n" + pack_index(index))
    return len(index.samples)


def _write_remote(task: ShardTask, output: Mirror) -> int:
    """Write a shard in a mirror, and publish it: the tar and its offsets, and then the done record."""
    try:
        here = replace(task, plan=task.plan.moved(output.folder / PLAN_FOLDER), output=output.folder, output_of=None)
        done = output.name_of(_done_path(here.plan, task.number))
        output.fetch([*published_unit(task.number), done])
        name = here.plan.unit(task.number).name
        files = [name, idx_path(Path(name)).as_posix()]
        if output.has(done):
            for file in files:
                if (size := (output.remote / file).size()) is not None:
                    output.show_file(file, size)
        samples = write_shard(here)
        output.publish(file for file in files if output.is_new(file))
        output.publish(file for file in [done] if output.is_new(file))
        return samples
    finally:
        output.clear()


def published_unit(number: int) -> list[str]:
    """The files of a plan in a store that the unit of that number needs, below the output."""
    return [f"{PLAN_FOLDER}/units/{number:06d}.json", f"{PLAN_FOLDER}/samples/{number:06d}.jsonl"]


def is_whole(path: Path, done: Done) -> bool:
    """Whether a shard and its offsets are there as they were written; a shard that lost all its samples has no file."""
    if not done.samples:
        return True
    return path.is_file() and path.stat().st_size == done.file_bytes and idx_path(path).is_file()


def read_done(plan: Plan, number: int) -> Done | None:
    """The done record of a shard; None when there is none yet."""
    try:
        with _done_path(plan, number).open("rb") as file:
            name, split, samples, file_bytes, crc32, refused, *more = loads(file.readline())
    except FileNotFoundError:
        return None
    set_aside = tuple((origin, code, message) for origin, code, message in refused)
    return Done(name, split, samples, file_bytes, crc32, set_aside, more[0] if more else {})


def read_index_of(plan: Plan, number: int) -> ShardIndex:
    """The rows of a shard, which stand in its done record behind the first line."""
    with _done_path(plan, number).open("rb") as file:
        file.readline()
        return unpack_index(file.read())


def _formats(task: ShardTask, unit: Unit, refused: list[tuple[str, str, str]]) -> dict[str, int]:
    """Annotation format -> samples of the shard that were written."""
    counts = Counter(unit.formats)
    lost = {origin for origin, _, _ in refused}
    if lost and unit.formats:
        of_number = dict(zip(unit.numbers, unit.formats, strict=True))
        counts.subtract(of_number[number] for number, value in task.plan.samples_of(unit) if value["origin"] in lost)
    return {name: count for name, count in sorted(counts.items()) if count}


def _done_path(plan: Plan, number: int) -> Path:
    return plan.folder / "done" / f"{number:06d}.json"


def _write(task: ShardTask, unit: Unit, path: Path, refused: list[tuple[str, str, str]]) -> tuple[ShardIndex, int]:
    target = target_named(task.target)
    records = _records(task, unit, target, refused)
    first = next(records, None)
    if first is None:
        return ShardIndex([], 0, 0), 0
    with ShardWriter(path) as shard:
        shard.write(*first)
        for key, record in records:
            shard.write(key, record)
    return shard.rows, shard.crc32


def _records(
    task: ShardTask, unit: Unit, target: Any, refused: list[tuple[str, str, str]]
) -> Iterator[tuple[str, Record]]:
    root = task.root if task.root_of is None else mirror_here(task.root_of).folder
    expect_folder(root)
    reader = MediaReader(
        root, min_side=task.min_side, pai_seconds=task.pai_seconds, packs=task.packs, further=task.further
    )
    samples = task.plan.samples_of(unit)
    if task.root_of is not None:
        samples = samples_brought(samples, mirror_here(task.root_of), packs=task.packs)
    for number, value in samples:
        prepared = Prepared.from_json(value)
        sample = prepared.sample
        try:
            media = reader.read(prepared.media, origin=sample.origin)
        except SampleError as error:
            if error.code == "missing-media" and task.root_of is None:
                expect_more(root)
            refused.append((sample.origin, error.code, shown(str(error))))
            continue
        yield make_key(number, sample.id), make_record(sample, media, target, prepared.tokens)
