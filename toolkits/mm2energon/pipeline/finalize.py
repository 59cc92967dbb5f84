"""Finalize: merge the done records of all shards, and write Energon's metadata last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mm2energon
from mm2energon.pipeline.plan import Plan
from mm2energon.pipeline.run import Done, read_done
from mm2energon.pipeline.splits import SPLITS
from mm2energon.shards.index import ShardSummary
from mm2energon.shards.metadata import write_metadata
from mm2energon.targets import Target, dataset_yamls


def finalize(plan: Plan, output: Path, *, target: Target, options: Mapping[str, Any]) -> dict[str, Any]:
    """Write `.nv-meta` from the done records of every shard of the plan; the manifest.

    Raises:
        OSError: a done record is missing.
    """
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    samples: Counter[str] = Counter()
    shards: dict[str, dict[str, Any]] = {}
    for done in _records(plan):
        count = len(done.index.samples)
        if count == 0:
            continue
        splits[done.unit.split].append(done.unit.name)
        samples[done.unit.split] += count
        shards[done.unit.name] = {"samples": count, "bytes": done.index.file_bytes, "crc32": f"{done.crc32:08x}"}
    manifest = {
        "made_by": f"mm2energon {mm2energon.__version__}",
        "target": target.name,
        "plan": plan.content_hash,
        "options": dict(options),
        "samples": {split: samples[split] for split in SPLITS},
        # Other readers of the same bytes -> samples that they would drop or cut.
        "also_read_by": {other: plan.refused_by.get(other, 0) for other in target.also},
        # Samples that were planned, and whose media could not be read when their turn came.
        "set_aside_at_last": refused_at_last(plan),
        "shards": shards,
    }
    if not samples:
        return manifest  # a dataset without a single sample is none
    write_metadata(
        output,
        shards=_summaries(plan),
        splits=splits,
        dataset_yamls=dataset_yamls(target),
        manifest=manifest,
    )
    return manifest


def refused_at_last(plan: Plan) -> dict[str, list[str]]:
    """Samples that were planned and could not be written: origin -> (reason code, message)."""
    return {origin: [code, message] for done in _records(plan) for origin, code, message in done.set_aside}


def _records(plan: Plan) -> Iterator[Done]:
    return (read_done(plan, number) for number in range(plan.units))


def _summaries(plan: Plan) -> Iterator[ShardSummary]:
    for done in _records(plan):
        if done.index.samples:
            yield ShardSummary(done.unit.name, done.unit.split, done.index)
