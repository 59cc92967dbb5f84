"""Run: one idempotent unit of work = one shard, from its plan to a complete tar and its `done` record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.jsonio import dumps, loads
from mm2energon.pipeline.media import MediaReader
from mm2energon.pipeline.plan import Plan, Unit
from mm2energon.pipeline.prepare import Prepared
from mm2energon.shards.index import ShardIndex, idx_path, index_as_json, index_from_json
from mm2energon.shards.keys import make_key
from mm2energon.shards.records import Record, make_record
from mm2energon.shards.writer import ShardWriter
from mm2energon.storage import write_whole
from mm2energon.targets import target_named

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

    def __str__(self) -> str:
        return f"shard {self.number}"


@dataclass(frozen=True, slots=True)
class Done:
    """What was written of one shard."""

    unit: Unit
    index: ShardIndex
    crc32: int
    #: Samples that could not be written after all: origin, reason code, message.
    set_aside: tuple[tuple[str, str, str], ...]


def write_shard(task: ShardTask) -> int:
    """Write a shard, unless its done record says that it is complete; the number of its samples.

    A sample whose media cannot be read any more is left out and noted; a shard that loses all of them is not written.
    """
    done = _done_path(task.plan, task.number)
    unit = task.plan.unit(task.number)
    path = task.output / unit.name
    if done.exists() and is_whole(path, before := read_done(task.plan, task.number).index):
        return len(before.samples)
    refused: list[tuple[str, str, str]] = []
    index, digest = _write(task, unit, path, refused)
    record = {"crc32": digest, "set_aside": refused, "index": index_as_json(index)}
    with write_whole(done) as file:
        file.write(dumps(record))
    return len(index.samples)


def is_whole(path: Path, index: ShardIndex) -> bool:
    """Whether a shard and its offsets are there as they were written; a shard that lost all its samples has no file."""
    if not index.samples:
        return True
    return path.is_file() and path.stat().st_size == index.file_bytes and idx_path(path).is_file()


def read_done(plan: Plan, number: int) -> Done:
    """The done record of a shard."""
    value = loads(_done_path(plan, number).read_bytes())
    refused = tuple((origin, code, message) for origin, code, message in value["set_aside"])
    return Done(plan.unit(number), index_from_json(value["index"]), value["crc32"], refused)


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
    reader = MediaReader(task.root, min_side=task.min_side, pai_seconds=task.pai_seconds)
    for number, value in task.plan.samples_of(unit):
        prepared = Prepared.from_json(value)
        sample = prepared.sample
        try:
            media = reader.read(prepared.media, origin=sample.origin)
        except SampleError as error:
            refused.append((sample.origin, error.code, str(error)))
            continue
        yield make_key(number, sample.id), make_record(sample, media, target)
