"""Blends in blends: what an earlier one gives, read from its file as Energon reads it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from mm2energon.errors import InputError
from mm2energon.pipeline.blend_recipe import is_path, is_range, taken_of
from mm2energon.pipeline.blend_subset import part_of
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.pipeline.verify_metadata import target_of
from mm2energon.remote import Remote
from mm2energon.roots import read_regular
from mm2energon.shards.metadata import FOLDER
from mm2energon.shards.reader import DatasetIndex, read_index
from mm2energon.targets import Target
from mm2energon.terminal import told

#: Opens a dataset that lies in a store.
OpenStored = Callable[[Remote], StoredDataset]
_IN_STORE = re.compile(r"msc://[^/]+/.")
_MOST_BYTES = 1 << 30
#: Reads names that are left out, of which there may be millions, in C where PyYAML has that.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Held:
    """What a blend gives."""

    #: Split -> samples; by repetitions those of an epoch.
    samples: Mapping[str, int]
    by_repetitions: bool
    target: Target


def is_blend(path: Path) -> bool:
    """Whether Energon would read a path as a blend, not as a dataset."""
    return path.is_file() and path.suffix == ".yaml"


def read_blend(path: Path, stores: OpenStored, *, within: Sequence[Path] = ()) -> Held:
    """What the blend in a file gives.

    Args:
        stores: opens datasets of it that lie in stores.
        within: blends that it is in, none of which may be in it.

    Raises:
        InputError: it is none, or not such as `mm2energon blend` writes, or its datasets are not there.
    """
    if path in within:
        raise InputError(f"{path}: would be in itself; another blend was expected")
    samples: dict[str, int] = {}
    kinds: set[bool] = set()
    targets: dict[str, Target] = {}
    for split, kind, references in _splits(path):
        kinds.add(kind)
        samples[split] = 0
        for reference in references:
            count, target = _given(path, reference, split, kind, stores, [*within, path])
            samples[split] += int(count * reference.get("repetitions", 1)) if kind else count
            targets[target.name] = target
    if len(kinds) != 1 or len(targets) != 1:
        raise InputError(f"{path}: is not of one kind and for one reader; make it anew with mm2energon blend")
    return Held(samples, kinds.pop(), targets.popitem()[1])


def _splits(path: Path) -> Iterator[tuple[str, bool, list[dict[str, Any]]]]:
    """Each split of a blend, whether it is by repetitions, and what it refers to."""
    splits = _read(path).get("splits")
    for split, content in splits.items() if isinstance(splits, dict) else [("", None)]:
        kind, references = (
            next(iter(content.items())) if isinstance(content, dict) and len(content) == 1 else ("", None)
        )
        if kind not in ("blend", "blend_epochized") or not isinstance(references, list) or not references:
            raise InputError(f"{path}: is no blend such as mm2energon blend writes; one was expected, or its datasets")
        if not all(map(_is_reference, references)):
            raise InputError(f"{path}: its {split} refers to what is no dataset; make it anew with mm2energon blend")
        yield str(split), kind == "blend_epochized", references


def _is_reference(value: Any) -> bool:
    """Whether Energon would take it for a dataset; what is said of it that we do not read may be anything."""
    if not isinstance(value, dict) or not is_path(value.get("path")):
        return False
    repetitions, subset = value.get("repetitions", 1), value.get("subset")
    return (
        (isinstance(repetitions, int | float) and 0 < repetitions < math.inf)
        and (subset is None or (isinstance(subset, dict) and is_range(subset.get("range"))))
        and (value.get("split_config") is None or is_path(value["split_config"]))
    )


def _given(
    path: Path,
    reference: Mapping[str, Any],
    split: str,
    by_repetitions: bool,
    stores: OpenStored,
    within: Sequence[Path],
) -> tuple[int, Target]:
    """How many samples a reference of a blend gives, before they are repeated, and who reads them."""
    name, stored = str(reference.get("split_part", split)), None
    if _IN_STORE.match(reference["path"]):
        stored = stores(Remote(reference["path"]))
        root = stored.root
    else:
        root = (path.parent / reference["path"]).resolve()
    if is_blend(root):
        held = read_blend(root, stores, within=within)
        if held.by_repetitions != by_repetitions:
            raise InputError(f"{path}: mixes weights and repetitions, which Energon does not; make it anew")
        return held.samples.get(name, 0), held.target
    if not (root / FOLDER).is_dir():
        raise InputError(f"{path}: refers to {root}, which is no finished dataset; make it anew with mm2energon blend")
    index = read_index(root)
    if stored is not None:
        stored.show_shards(index.counts)
    part = part_of(root, _split_by(root, index, reference.get("split_config")), name)
    subset = reference.get("subset")
    return (taken_of(tuple(subset["range"]), part.samples) if subset else part.samples), target_of(root, index)


def _split_by(root: Path, index: DatasetIndex, split_config: str | None) -> DatasetIndex:
    """The index of a dataset, with the splits of another file."""
    if split_config is None:
        return index
    content = _read(root / FOLDER / split_config)
    parts, excluded = content.get("split_parts"), content.get("exclude") or []
    lists = [excluded, *(parts.values() if isinstance(parts, dict) else ())]
    if not isinstance(parts, dict) or not all(
        isinstance(one, list) and all(isinstance(name, str) for name in one) for one in lists
    ):
        raise InputError(f"{root / FOLDER / split_config}: is no split file; make the blend anew with mm2energon blend")
    return replace(index, splits=parts, excluded=excluded)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(read_regular(path, most_bytes=_MOST_BYTES), _LOADER)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read ({told(error)}); YAML was expected") from error
    return content if isinstance(content, dict) else {}
