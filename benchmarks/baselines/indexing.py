"""Energon's index of shards that are there: ours from rows that the writer kept, theirs by reading the tars."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks.baselines.video import Work
from benchmarks.measure import Unfit

FOLDER = ".nv-meta"


def ours(*, shards: str, scratch: str) -> Work:
    """What mm2energon does for the index beyond writing the tars: offsets beside each, `.nv-meta` in the end."""
    from mm2energon.shards.index import ShardIndex, ShardSummary, pack_offsets
    from mm2energon.shards.metadata import write_metadata
    from mm2energon.shards.reader import read_index, read_offsets, read_rows

    source, target = Path(shards), Path(scratch)
    index = read_index(source)
    rows: dict[str, list[Any]] = {name: [] for name in index.counts}
    for name, row in read_rows(source):
        rows[name].append(row)
    split_of = {name: split for split, names in index.splits.items() for name in names}
    kept = {
        name: ShardIndex(found, read_offsets(source / name)[-1], (source / name).stat().st_size)
        for name, found in rows.items()
    }

    def work() -> dict[str, Any]:
        for name, found in kept.items():
            (target / f"{name}.idx").write_bytes(pack_offsets(found))
        summaries = [ShardSummary(name, split_of[name], found) for name, found in kept.items()]
        write_metadata(target, shards=summaries, splits=index.splits, dataset_yamls={"dataset.yaml": {}}, manifest={})
        return {"samples": sum(index.counts.values())}

    return work


def prepare(*, shards: str, scratch: str) -> Work:
    """What `energon prepare` does, without its start."""
    try:
        from megatron.energon.epathlib import EPath
        from megatron.energon.flavors import BaseWebdatasetFactory
    except ImportError as error:
        raise Unfit("megatron-energon is not installed") from error
    names = []
    for path in sorted(Path(shards).glob("*.tar")):
        os.link(path, Path(scratch) / path.name)
        names.append(path.name)

    def work() -> dict[str, Any]:
        BaseWebdatasetFactory.prepare_dataset(
            EPath(scratch), names, split_parts_ratio=[("train", 9.0), ("val", 1.0)], workers=1
        )
        return {"shards": len(names)}

    return work
