"""Finalize: merge the done records of all shards, and write Energon's metadata last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mm2energon
from mm2energon.errors import ToolkitError
from mm2energon.pipeline.plan import Plan
from mm2energon.pipeline.run import Done, is_whole, read_done, read_index_of
from mm2energon.pipeline.splits import SPLITS
from mm2energon.shards.index import ShardSummary
from mm2energon.shards.metadata import write_metadata
from mm2energon.targets import Target, dataset_yamls


def finalize(
    plan: Plan, output: Path, *, target: Target, options: Mapping[str, Any], is_here: bool = True
) -> dict[str, Any]:
    """Write `.nv-meta` from the done records of every shard of the plan; the manifest.

    Args:
        is_here: the shards lie in `output`, and not in a store that it stands for.

    Raises:
        ToolkitError: a shard, or its done record, is missing.
    """
    found = _found(plan, output if is_here else None)
    manifest = {
        "made_by": f"mm2energon {mm2energon.__version__}",
        "target": target.name,
        "plan": plan.content_hash,
        "options": dict(options),
        "samples": {split: found.samples[split] for split in SPLITS},
        # What their entries were read as: annotation format -> samples.
        "formats": {split: dict(sorted(found.formats[split].items())) for split in SPLITS},
        # Other readers of the same bytes -> samples that they would drop or cut.
        "also_read_by": {other: plan.refused_by.get(other, 0) for other in target.also},
        # Samples that were planned, and whose media could not be read when their turn came.
        "set_aside_at_last": found.refused,
        "shards": found.shards,
    }
    if not found.samples:
        return manifest  # a dataset without a single sample is none
    write_metadata(
        output,
        # Lazily: the rows of one shard at a time.
        shards=(ShardSummary(done.name, done.split, read_index_of(plan, number)) for number, done in found.written),
        splits=found.splits,
        dataset_yamls=dataset_yamls(target),
        manifest=manifest,
    )
    return manifest


@dataclass
class _Found:
    """What the done records say together."""

    splits: dict[str, list[str]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    #: Split -> samples; and by the format that their entries were read as.
    samples: Counter[str] = field(default_factory=Counter)
    formats: dict[str, Counter[str]] = field(default_factory=lambda: {split: Counter() for split in SPLITS})
    #: Of shards that hold something.
    shards: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: list[tuple[int, Done]] = field(default_factory=list)
    #: Origin -> reason code and message.
    refused: dict[str, list[str]] = field(default_factory=dict)


def _found(plan: Plan, output: Path | None) -> _Found:
    found = _Found()
    for number in range(plan.units):
        done = _done(plan, number, output)
        found.refused.update({origin: [code, message] for origin, code, message in done.set_aside})
        if done.samples == 0:
            continue
        found.written.append((number, done))
        found.splits[done.split].append(done.name)
        found.samples[done.split] += done.samples
        found.formats[done.split].update(done.formats)
        found.shards[done.name] = {"samples": done.samples, "bytes": done.file_bytes, "crc32": f"{done.crc32:08x}"}
    return found


def _done(plan: Plan, number: int, output: Path | None) -> Done:
    done = read_done(plan, number)
    if done is None or (output is not None and not is_whole(output / done.name, done)):
        where = plan.folder if output is None else output
        raise ToolkitError(
            f"{where}: shard {number} was not written, or is not there as it "
            "was written; run the same command again to go on; where an array ran it, with another --plan folder "
            "(what is there is taken as it is)"
        )
    return done
