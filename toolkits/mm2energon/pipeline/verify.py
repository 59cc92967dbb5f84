"""Verify: read every shard back, with webdataset and with Energon's own loader, and name the place of each fault."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from mm2energon.errors import InputError, ToolkitError
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.pipeline.record_faults import RecordReader
from mm2energon.pipeline.row_faults import row_faults
from mm2energon.shards import reader
from mm2energon.shards.keys import valid_key
from mm2energon.shards.metadata import FOLDER, SPLITS
from mm2energon.shards.reader import DatasetIndex
from mm2energon.targets import TARGETS, Target, dataset_yamls


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong, and where."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass
class Verified:
    """What was read, and what was wrong."""

    target: str = ""
    #: Split -> samples that webdataset read, and that Energon's loader read.
    by_webdataset: dict[str, int] = field(default_factory=dict)
    by_energon: dict[str, int] = field(default_factory=dict)
    images: int = 0
    videos: int = 0
    frames: int = 0
    faults: list[Fault] = field(default_factory=list)
    #: What could not be checked.
    notes: list[str] = field(default_factory=list)

    def fault(self, place: str, what: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(place, what))


def verify(root: Path, *, energon: bool = True, workers: int = 0, progress: ProgressMaker = silent) -> Verified:
    """Check a finished dataset.

    Args:
        energon: read it with Energon's loader too (needs the extra `energon`).
        workers: processes for Energon's loader.

    Raises:
        InputError: there is no dataset.
        DependencyError: the extra is missing.
    """
    if not (root / FOLDER).is_dir():
        raise InputError(
            f"{root}: {'holds no shards' if root.is_dir() else 'no such folder'}; the output of shard was expected"
        )
    index = reader.read_index(root)
    target = target_of(root, index)
    result = Verified(target=target.name)
    _check_files(root, index, result)
    _check_metadata(root, index, target, result)
    _check_digests(root, index, result)
    records = RecordReader(
        layout_of(index, target), target, odd_frames=index.manifest.get("options", {}).get("odd_frames")
    )
    keys = _check_shards(root, index, records, result, progress)
    result.images, result.videos, result.frames = records.images, records.videos, records.frames
    for place, what in row_faults(root, index, {name for name, found in keys.items() if found}):
        result.fault(place, what)
    if energon:
        loader: Any = importlib.import_module("mm2energon.shards.energon")  # torch is imported by those who ask for it
        _check_energon(partial(loader.load_split, root, num_workers=workers), index, keys, result, progress)
    return result


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


def layout_of(index: DatasetIndex, target: Target) -> Target:
    """The target by whose layout the bytes were written: another than `target` after `mm2energon retarget`."""
    return TARGETS.get(str(index.manifest.get("written_for")), target)


def _check_files(root: Path, index: DatasetIndex, result: Verified) -> None:
    """Each shard in one split, each file counted, nothing missing and nothing left over."""
    split_of: dict[str, str] = {}
    for split, names in index.splits.items():
        for name in names:
            if name in split_of:
                result.fault(name, f"is in two splits, {split_of[name]} and {split}")
            split_of[name] = split
    for name in sorted(set(index.counts) ^ set(split_of)):
        result.fault(name, "is not in split.yaml" if name in index.counts else "is not in .info.json")
    for path in sorted(root.glob("*.tar")):
        if path.name not in split_of:
            result.fault(path.name, "is a tar that belongs to no split")
    path = root / FOLDER / ".info.yaml"
    if not index.manifest and not path.exists():
        return  # `energon prepare` of today writes none
    try:
        older = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        result.fault(".info.yaml", f"cannot be read ({error}); Energon before 7 reads it")
        return
    if not isinstance(older, dict) or older.get("shard_counts") != index.counts:
        result.fault(".info.yaml", "does not hold the counts of .info.json; Energon before 7 reads it")


def _check_metadata(root: Path, index: DatasetIndex, target: Target, result: Verified) -> None:
    """The split names that training asks for, the yaml files of every reader, the index's own id."""
    if not index.manifest:
        result.notes.append("no mm2energon.json: the bytes cannot be compared with those that were written")
        return
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
    try:
        uuid.UUID((root / FOLDER / "index.uuid").read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        result.fault("index.uuid", f"holds no id of the index ({error})")


def _first_difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    names = (name for name in {**expected, **found} if found.get(name) != expected.get(name))
    name = next(names)
    return f"{name} is {found.get(name)}, where {expected.get(name)} was expected"


def _check_digests(root: Path, index: DatasetIndex, result: Verified) -> None:
    """The bytes of each shard are those that were written, where the manifest says which."""
    for name, about in index.manifest.get("shards", {}).items():
        path = root / name
        if not path.is_file():
            continue  # said by those who read it
        kind = "crc32" if "crc32" in about else "sha256"  # as earlier versions noted it
        if _digest(path, kind) != about.get(kind):
            result.fault(name, f"its bytes are not those that were written ({kind})")


def _digest(path: Path, kind: str) -> str:
    sha256, crc32 = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            if kind == "sha256":
                sha256.update(block)
            else:
                crc32 = zlib.crc32(block, crc32)
    return sha256.hexdigest() if kind == "sha256" else f"{crc32:08x}"


def _check_shards(
    root: Path, index: DatasetIndex, records: RecordReader, result: Verified, progress: ProgressMaker
) -> dict[str, list[str]]:
    """Read every shard with webdataset; the keys by shard."""
    keys: dict[str, list[str]] = {}
    seen: set[str] = set()
    bar = progress("samples, webdataset", sum(index.counts.values()))
    for split, names in index.splits.items():
        result.by_webdataset.setdefault(split, 0)
        for name in names:
            if name in keys:
                continue  # a shard that is in two splits
            found = keys[name] = []
            try:
                for key, record in reader.read_shard(root / name):
                    found.append(key)
                    bar.update(1)
                    for what in [*_key_faults(key, seen), *records.faults(record)]:
                        result.fault(f"{name}/{key}", what)
            except InputError as error:
                result.fault(name, str(error).removeprefix(f"{root / name}: "))
            result.by_webdataset[split] += len(found)
            counted = index.counts.get(name)
            if counted != len(found):
                result.fault(name, f"{len(found)} samples, .info.json says {counted}: Energon would hide or miss some")
    bar.close()
    return keys


def _key_faults(key: str, seen: set[str]) -> Iterator[str]:
    if not valid_key(key):
        yield "is no valid key"
    if key in seen:
        yield "key occurs twice"
    seen.add(key)


def _check_energon(
    load_split: Callable[[str], Iterator[Any]],
    index: DatasetIndex,
    keys: Mapping[str, list[str]],
    result: Verified,
    progress: ProgressMaker,
) -> None:
    """Read every split with Energon's loader: the same samples, and no picture of colours that are none."""
    for split, names in index.splits.items():
        expected = [key for name in names for key in keys.get(name, []) if not _is_excluded(name, key, index)]
        found: list[str] = []
        bar = progress(f"samples, Energon, {split}", len(expected))
        try:
            for sample in load_split(split):
                key = str(sample.__key__).rsplit("/", 1)[-1]
                found.append(key)
                for what in _unsound(sample):
                    result.fault(f"{split}/{key}", what)
                bar.update(1)
        except ToolkitError as error:
            result.fault(split, f"Energon's loader stops: {error}")
        except Exception as error:  # noqa: BLE001 (whatever Energon or a reader raises is the finding)
            result.fault(split, f"Energon's loader stops: {type(error).__name__}: {error}")
        bar.close()
        result.by_energon[split] = len(found)
        if sorted(found) != sorted(expected):
            lost, more = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
            result.fault(
                split, f"Energon reads {len(found)} samples of {len(expected)}; missing {lost[:3]}, more {more[:3]}"
            )


def _is_excluded(shard: str, key: str, index: DatasetIndex) -> bool:
    return shard in index.excluded or f"{shard}/{key}" in index.excluded


def _unsound(sample: Any) -> Iterator[str]:
    """Fields of a sample (a dataclass, with slots or without) that hold a tensor with NaN or infinity."""
    for one in dataclasses.fields(sample):
        tensors = _tensors(getattr(sample, one.name, None))
        if any(not bool(tensor.isfinite().all()) for tensor in tensors):
            yield f"{one.name} holds colours that are not finite"


def _tensors(value: Any) -> Iterator[Any]:
    if hasattr(value, "isfinite"):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
