"""The files of a dataset against each other: shards, counts, splits, yaml files, and what the manifest says."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mm2energon.errors import InputError
from mm2energon.pipeline.verify_findings import Verified
from mm2energon.roots import read_regular
from mm2energon.shards import reader
from mm2energon.shards.index import ShardIndex
from mm2energon.shards.metadata import FOLDER, SPLITS, IndexId
from mm2energon.shards.reader import DatasetIndex
from mm2energon.targets import TARGETS, Target, dataset_yamls
from mm2energon.terminal import told

#: The kind of uuid that is made from the rows; of an index that other tools made it is another.
_FROM_ROWS = 5
#: Shards of ours bear the name of the split that they were written for.
_SPLIT_OF_NAME = re.compile(rf"({'|'.join(SPLITS)})-shard-")
#: Parts of a sample that are read from an index at most.
_MOST_PARTS = 1 << 40


def target_of(root: Path, index: DatasetIndex) -> Target:
    """The target that a dataset is read by: by its manifest, else by its dataset.yaml.

    Raises:
        InputError: no target has such a dataset.yaml.
    """
    found = reader.read_dataset_yaml(root)
    by_name = TARGETS.get(str(index.manifest.get("target")))
    for target in [by_name, *TARGETS.values()]:
        if target and all(target.dataset_yaml[key] == found.get(key) for key in ("__module__", "__class__")):
            return target
    if by_name is not None:
        return by_name
    raise InputError(f"{root}: its dataset.yaml names {found.get('__class__')}, which no target of ours has")


def is_plain_yaml(content: Mapping[str, Any], target: Target) -> bool:
    """Whether a `dataset.yaml` names the reader of a target and its fields alone.

    Energon imports and calls whatever else it names, and runs Python files that it points to.
    """
    named = all(content.get(name) == target.dataset_yaml[name] for name in ("__module__", "__class__"))
    more = [value for name, value in content.items() if name not in ("__module__", "__class__")]
    return (
        named
        and set(content) <= {"__module__", "__class__", "field_map", "subflavors"}
        and all(isinstance(value, dict) and all(map(_is_plain, value, value.values())) for value in more)
    )


def _is_plain(name: Any, value: Any) -> bool:
    return not str(name).startswith("__") and isinstance(value, str | int | float | None)


def layout_of(index: DatasetIndex, target: Target) -> Target:
    """The target by whose layout the bytes were written: another than `target` after `mm2energon retarget`."""
    return TARGETS.get(str(index.manifest.get("written_for")), target)


def check_metadata(root: Path, index: DatasetIndex, target: Target, result: Verified) -> None:
    """Note every fault that the files of a dataset tell without a look into the shards."""
    _check_splits(root, index, result)
    _check_info_yaml(root, index, result)
    if not index.manifest:
        result.notes.append("no mm2energon.json: the bytes cannot be compared with those that were written")
        return
    _check_manifest(root, index, result)
    for split in sorted(set(index.splits) ^ set(SPLITS)):
        what = "is no split that training asks for" if split in index.splits else "is missing: training asks for it"
        result.fault("split.yaml", f"{split!r} {what}")
    noted = TARGETS.get(str(index.manifest.get("target")), target)
    for name, expected in dataset_yamls(layout_of(index, noted), read_by=noted).items():
        try:
            found = reader.read_dataset_yaml(root, name)
        except InputError as error:
            result.fault(name, str(error))
            continue
        if found != expected:
            result.fault(name, f"is not what its reader needs: {_first_difference(found, expected)}")
    _check_id(root, index, result)


def _check_splits(root: Path, index: DatasetIndex, result: Verified) -> None:
    """Each shard in one split, each file counted, nothing missing and nothing left over."""
    split_of: dict[str, str] = {}
    for split, names in index.splits.items():
        for name in names:
            if split_of.get(name) == split:
                result.fault(name, f"is listed twice in {split}")
            elif name in split_of:
                result.fault(name, f"is in two splits, {split_of[name]} and {split}")
            split_of[name] = split
    for name in sorted(set(index.counts) ^ set(split_of)):
        result.fault(name, "is not in split.yaml" if name in index.counts else "is not in .info.json")
    for path in sorted(root.glob("*.tar")):
        if path.name not in split_of:
            result.fault(path.name, "is a tar that belongs to no split")
    for path in sorted(root.glob("*.tar.idx")):
        if not path.with_suffix("").exists():
            result.fault(path.name, "is the index of a shard that is not there")


def _check_info_yaml(root: Path, index: DatasetIndex, result: Verified) -> None:
    path = root / FOLDER / ".info.yaml"
    if not index.manifest and not path.exists():
        return  # `energon prepare` of today writes none
    try:
        older = yaml.safe_load(read_regular(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        result.fault(".info.yaml", f"cannot be read ({told(error)}); Energon before 7 reads it")
        return
    if not isinstance(older, dict) or older.get("shard_counts") != index.counts:
        result.fault(".info.yaml", "does not hold the counts of .info.json; Energon before 7 reads it")


def _check_manifest(root: Path, index: DatasetIndex, result: Verified) -> None:
    """The shards that were written, each with its size, its samples and its split."""
    written: Mapping[str, Any] = index.manifest.get("shards", {})
    if "shards" not in index.manifest:
        result.notes.append(
            "mm2energon.json names no shards: the bytes cannot be compared with those that were written"
        )
        return
    split_of = {name: split for split, names in index.splits.items() for name in names}
    for name in sorted(set(split_of) - set(written)):
        result.fault(name, "is not among the shards that were written (mm2energon.json)")
    for name, about in written.items():
        if name not in split_of:
            result.fault(name, "was written (mm2energon.json), and is in no split now")
        elif name not in index.counts or not isinstance(about, dict):
            continue  # said above; or older than its sizes
        elif about.get("samples", index.counts[name]) != index.counts[name]:
            counted = index.counts[name]
            result.fault(name, f"was written with {about['samples']} samples, .info.json says {counted}: it is stale")
        elif (named := _SPLIT_OF_NAME.match(name)) and named[1] != split_of[name]:
            result.fault(name, f"is in the split {split_of[name]}, for which it was not written: split.yaml is stale")
        if name in split_of and isinstance(about, dict):
            _check_size(root / name, about.get("bytes"), result)


def _check_size(path: Path, written: Any, result: Verified) -> None:
    try:
        found = path.stat().st_size
    except OSError:
        return  # said by those who read it
    if written is not None and found != written:
        result.fault(path.name, f"has {found} bytes, {written} were written")


def _check_id(root: Path, index: DatasetIndex, result: Verified) -> None:
    """The id of the index is that of its rows."""
    try:
        found = uuid.UUID(read_regular(root / FOLDER / "index.uuid").decode("ascii"))
    except (OSError, ValueError) as error:
        result.fault("index.uuid", f"holds no id of the index ({told(error)})")
        return
    if found.version != _FROM_ROWS:
        return
    expected = IndexId()
    try:
        with reader.open_rows(root) as rows:
            for number, name in enumerate(index.counts):
                expected.add_shard(number, name, ShardIndex(rows.of_shard(number, most_parts=_MOST_PARTS), 0, 0))
    except (InputError, TypeError):
        return  # said by those who compare it with the tars
    if str(found) != str(expected):
        result.fault("index.uuid", "is not the id of the rows in index.sqlite: one of the two is stale")


def _first_difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    names = (name for name in {**expected, **found} if found.get(name) != expected.get(name))
    name = next(names)
    return f"{name} is {found.get(name)}, where {expected.get(name)} was expected"
