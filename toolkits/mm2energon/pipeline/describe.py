"""Info and retarget: say what a finished dataset holds, and let another reader take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.pipeline.verify_metadata import layout_of, target_of
from mm2energon.shards import reader
from mm2energon.shards.metadata import replace_dataset_yamls
from mm2energon.shards.reader import DatasetIndex
from mm2energon.targets import TARGETS, Target, dataset_yamls


@dataclass(frozen=True)
class Description:
    """What a finished dataset holds, by its metadata."""

    target: Target
    #: Split -> (shards, samples, bytes).
    splits: Mapping[str, tuple[int, int, int]]
    #: Parts of the first record: name -> bytes.
    parts: Mapping[str, int]
    manifest: Mapping[str, Any]
    #: Other readers of the same bytes -> samples of which they would lose something; None: not known.
    also_read_by: Mapping[str, int | None]
    #: Samples of which the target itself loses something: above 0 only where the bytes were written for another.
    lost: int | None = 0


def describe(root: Path, stored: StoredDataset | None = None) -> Description:
    """What the dataset in `root` holds.

    Args:
        stored: the dataset, where it lies in a store, and `root` is a mirror.

    Raises:
        InputError: there is no dataset.
    """
    index = reader.read_index(root)
    target = target_of(root, index)
    first = next(iter(index.counts), None)
    if stored is not None:
        stored.show_shards(index.counts)
        if first is not None:
            stored.bring_first(first)
    splits: dict[str, tuple[int, int, int]] = {}
    for split, names in index.splits.items():
        sizes = [(root / name).stat().st_size for name in names if (root / name).exists()]
        splits[split] = (len(names), sum(index.counts.get(name, 0) for name in names), sum(sizes))
    _, record = next(reader.read_shard(root / first), ("", {})) if first is not None else ("", {})
    readers = _readers(target, index)
    return Description(
        target=target,
        splits=splits,
        parts={name: len(data) for name, data in record.items()},
        manifest=index.manifest,
        also_read_by={other: lost for other, lost in readers.items() if other != target.name},
        lost=readers[target.name],
    )


def _readers(target: Target, index: DatasetIndex) -> dict[str, int | None]:
    """Every reader of the bytes -> samples of which it would lose something."""
    written_for = layout_of(index, target)
    counted = {**index.manifest.get("also_read_by", {}), written_for.name: 0}
    return {reader: counted.get(reader) for reader in [written_for.name, *written_for.also]}


def retarget(root: Path, name: str, stored: StoredDataset | None = None) -> Description:
    """Make `name` the target that the dataset is read by; the shards stay as they are.

    Raises:
        InputError: there is no dataset or no such target, or its reader cannot take these bytes.
    """
    before = describe(root, stored)
    written_for = TARGETS.get(str(before.manifest.get("written_for")), before.target)
    if name not in TARGETS:
        raise InputError(f"--target {name}: no such target; one of {', '.join(TARGETS)} was expected")
    if name != written_for.name and name not in written_for.also:
        raise InputError(
            f"{root}: {_why_not(written_for, TARGETS[name])}; shard the annotations anew with --target {name}"
        )
    manifest = {**before.manifest, "target": name, "written_for": written_for.name}
    if name == written_for.name:
        del manifest["written_for"]
    files = dataset_yamls(written_for, read_by=TARGETS[name])
    replace_dataset_yamls(root, dataset_yamls=files, manifest=manifest)
    if stored is not None:
        stored.publish_metadata()
    return describe(root, stored)


def _why_not(written: Target, wanted: Target) -> str:
    """Why the reader of one target cannot take the bytes of another."""
    reasons = []
    for what, one, other in (
        ("images", written.images_part, wanted.images_part),
        ("videos", written.videos_part, wanted.videos_part),
        ("audio", written.audios_part, wanted.audios_part),
    ):
        if one != other:
            reasons.append(f"its {what} are in {one or 'no such part'}, {wanted.name} reads {other or 'no such part'}")
    if written.turn_keys not in (wanted.turn_keys, "both") and wanted.turn_keys != "both":
        reasons.append(f"its turns are keyed by {written.turn_keys!r}, {wanted.name} wants {wanted.turn_keys!r}")
    return f"written for {written.name}: " + "; ".join(reasons or ["the reader wants another layout"])
