"""Verify: look at a finished dataset, or read every byte of it, and name the place of each fault.

The usual look compares all files and all headers with the metadata, and reads samples that are spread over the shards.
A deep one reads every byte: checksums, all records, all pictures, with webdataset and with Energon's own loader. What
is small is always read as a whole.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from mm2energon.database import faults_of_the_disk
from mm2energon.errors import InputError
from mm2energon.pipeline.loop import Executor, Outcome, ProgressMaker, run_each, silent
from mm2energon.pipeline.row_faults import index_faults
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.pipeline.verify_against import compare_with
from mm2energon.pipeline.verify_catalog import Catalog
from mm2energon.pipeline.verify_energon import check_by_energon
from mm2energon.pipeline.verify_findings import Fault, Verified
from mm2energon.pipeline.verify_indexed import Indexed
from mm2energon.pipeline.verify_metadata import check_metadata, is_plain_yaml, layout_of, target_of
from mm2energon.pipeline.verify_shards import ShardLook, ShardSeen, look_at_shard
from mm2energon.pipeline.verify_sources import Sources
from mm2energon.shards import reader
from mm2energon.shards.metadata import FOLDER
from mm2energon.shards.reader import DatasetIndex
from mm2energon.targets import Target

__all__ = ["Fault", "HowDeep", "Verified", "verify"]


@dataclass(frozen=True)
class HowDeep:
    """How much of a dataset is read."""

    #: Every byte, whatever the size.
    deep: bool = False
    #: Samples and bytes up to which that is done anyway.
    small_samples: int = 10_000
    small_bytes: int = 4 << 30
    #: Samples that are read of a larger one, and those that Energon reads of each split.
    samples: int = 1000
    by_energon: int = 100


@faults_of_the_disk()
def verify(
    root: Path,
    *,
    how: HowDeep | None = None,
    energon: bool = True,
    workers: int = 0,
    against: Sources | None = None,
    executor: Executor | None = None,
    stored: StoredDataset | None = None,
    progress: ProgressMaker = silent,
) -> Verified:
    """Check a finished dataset.

    Args:
        root: its folder, or a mirror of it.
        how: how much is read; with `against` it is everything.
        energon: read it with Energon's loader too (needs the extra `energon`).
        workers: processes that read shards, and that Energon's loader reads with; 0 is this one.
        against: what it was made from, to be compared with it.
        executor: what reads shards instead of workers of this machine.
        stored: the dataset, where it lies in a store.

    Raises:
        InputError: there is no dataset.
        DependencyError: the extra is missing.
    """
    if not (root / FOLDER).is_dir():
        raise InputError(
            f"{root}: {'holds no shards' if root.is_dir() else 'no such folder'}; the output of shard was expected"
        )
    index = reader.read_index(root)
    how = how or HowDeep()
    if stored is not None:
        stored.show_shards(index.counts)
        stored.bring_rows()
    target = target_of(root, index)
    is_deep = how.deep or against is not None or _is_small(root, index, how)
    result = Verified(target=target.name, deep=is_deep, by_index=stored is not None and not is_deep)
    check_metadata(root, index, target, result)
    catalog = Catalog()
    try:
        looks = _looks(root, index, stored, places=None if is_deep else _spread(index, how.samples))
        outcomes = run_each(look_at_shard, looks, workers=workers, executor=executor)
        _look(root, outcomes, index, catalog, result, progress=progress)
        _check_keys_and_splits(index, catalog, result)
        if against is not None:
            bring = None if stored is None else stored.bring_whole
            result.compared = compare_with(
                against, root, index, catalog, result, workers=workers, bring=bring, progress=progress
            )
        if energon and _may_be_loaded(root, target, stored, result):
            loader: Any = importlib.import_module("mm2energon.shards.energon")  # torch, for those who ask for it
            # Where not all headers are known, nothing is let near what Energon would decode by itself.
            load_split = partial(
                loader.load_split,
                root,
                num_workers=workers,
                decode=not result.by_index,
                read_from=None if stored is None else stored.energon_url,
            )
            most = None if is_deep else how.by_energon
            check_by_energon(load_split, index, catalog.database, result, progress, most=most)
    finally:
        catalog.close()
    return result


def _may_be_loaded(root: Path, target: Target, stored: StoredDataset | None, result: Verified) -> bool:
    """Whether nothing was found by which Energon, which trusts what it reads, could be made to run somebody's code."""
    if stored is not None and stored.energon_url is None:
        result.notes.append(
            f"Energon was not asked: it does not read {stored.mirror.of.url}; it reads msc://, s3://, gs://"
        )
        return False
    if result.trusted and is_plain_yaml(reader.read_dataset_yaml(root), target):
        return True
    result.notes.append("Energon was not asked to read what does not look as it was written; mend that first")
    return False


def _is_small(root: Path, index: DatasetIndex, how: HowDeep) -> bool:
    if sum(index.counts.values()) > how.small_samples:
        return False
    paths = [root / name for name in index.counts]
    return sum(path.stat().st_size for path in paths if path.is_file()) <= how.small_bytes


def _spread(index: DatasetIndex, wanted: int) -> dict[str, tuple[int, ...]]:
    """Shard -> places of the samples that are read of it: evenly spread over the dataset, and the first of each."""
    counts = list(index.counts.values())
    step = max(1, sum(counts) // max(1, wanted))
    begins = accumulate(counts, initial=0)
    return {
        name: tuple(sorted({0, *range(-begin % step, count, step)}))
        for (name, count), begin in zip(index.counts.items(), begins, strict=False)
    }


def _looks(
    root: Path, index: DatasetIndex, stored: StoredDataset | None, *, places: dict[str, tuple[int, ...]] | None
) -> Iterator[ShardLook]:
    looks = _looks_of_all(root, index, places=places)
    if stored is None:
        yield from looks
        return
    indexed = Indexed(root)
    for look in looks:
        look = replace(look, root=Path(), in_store=stored.of_shard(look.name))
        if look.number is None:
            yield look
        elif look.places is None:
            yield replace(look, rows_digest=indexed.digest(look.number))
        else:
            rows = indexed.some(look.number, look.places)
            yield replace(look, rows=rows, places=look.places[: len(rows)])


def _looks_of_all(root: Path, index: DatasetIndex, *, places: dict[str, tuple[int, ...]] | None) -> Iterator[ShardLook]:
    target = target_of(root, index)
    numbers = {name: number for number, name in enumerate(index.counts)}
    done: set[str] = set()
    for split, names in index.splits.items():
        for name in names:
            if name in done:
                continue  # a shard that is in two splits
            done.add(name)
            about = index.manifest.get("shards", {}).get(name)
            yield ShardLook(
                root=root.absolute(),
                name=name,
                split=split,
                number=numbers.get(name),
                written=about if isinstance(about, dict) else {},
                layout=layout_of(index, target).name,
                target=target.name,
                odd_frames=index.manifest.get("options", {}).get("odd_frames"),
                places=None if places is None else places.get(name, ()),
            )


def _look(
    root: Path,
    outcomes: Iterator[Outcome[ShardLook, ShardSeen]],
    index: DatasetIndex,
    catalog: Catalog,
    result: Verified,
    *,
    progress: ProgressMaker,
) -> None:
    """Look at every shard, and at the index of all of them."""
    totals: Counter[str] = Counter()
    bar = progress("samples", sum(index.counts.values()))
    for split in index.splits:
        result.by_webdataset[split] = result.samples[split] = 0
    for outcome in outcomes:
        look, seen = outcome.item, outcome.result
        if seen is None:
            result.fault(look.name, f"could not be read ({outcome.error})")
            totals["untrusted"] += 1
            continue
        if look.rows is not None and look.number is not None:
            seen.keys, seen.parts = Indexed(root).keys_and_parts(look.number)
        _take(look, seen, index, catalog, result)
        totals.update(
            samples=len(seen.keys or ()),
            parts=seen.parts,
            unread=int(seen.keys is None),
            untrusted=int(not seen.trusted),
        )
        bar.update(index.counts.get(look.name, 0))
    bar.close()
    named = {name for names in index.splits.values() for name in names}
    result.trusted = not totals["untrusted"] and named == set(index.counts)
    if not totals["unread"] and named == set(index.counts):  # else no numbers are known to compare with
        for place, what in index_faults(root, samples=totals["samples"], parts=totals["parts"], deep=result.deep):
            result.trusted = False
            result.fault(place, what)


def _take(look: ShardLook, seen: ShardSeen, index: DatasetIndex, catalog: Catalog, result: Verified) -> None:
    """Enter what was seen of one shard."""
    keys = [key for key, _ in seen.read] if seen.keys is None else seen.keys
    catalog.add(look.name, look.split, keys, seen.read)
    result.by_webdataset[look.split] += seen.samples
    result.samples[look.split] += len(keys)
    result.images += seen.images
    result.videos += seen.videos
    result.frames += seen.frames
    for place, what in seen.faults:
        result.fault(place, what)
    found = seen.samples if look.places is None else len(keys)
    counted = index.counts.get(look.name)
    if counted != found:
        result.fault(look.name, f"{found} samples, .info.json says {counted}: Energon would hide or miss some")


def _check_keys_and_splits(index: DatasetIndex, catalog: Catalog, result: Verified) -> None:
    """Each key once, and no sample in two splits."""
    group_by = index.manifest.get("options", {}).get("group_by", "media")
    for place, what in [
        *catalog.keys_twice(numbered="plan" in index.manifest),
        *catalog.in_two_splits(by_id=group_by == "id"),
    ]:
        result.fault(place, what)
    alike, first = catalog.alike_in_two_splits()
    if alike:
        result.notes.append(f"{alike} samples say and show the same as samples of another split, first {first}")
    media, first = catalog.media_in_two_splits() if group_by == "media" else (0, "")
    if media:
        result.notes.append(
            f"{media} media of the same bytes stand in two splits, as copies under other names do, first {first}; "
            "--against tells whether they are the same files"
        )
