"""Blend: several finished datasets as one, a MetadatasetV2 file of Energon's that names each with its weight.

Beside the file lie those that say which samples a subset holds. Their names hold a hash of what they say, so that a
blend that is made anew is the one of before until its own file is replaced, last of all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mm2energon.errors import InputError
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.blend_dataset import Dataset, opened
from mm2energon.pipeline.blend_nested import OpenStored
from mm2energon.pipeline.blend_recipe import Wanted, count_of, taken_of
from mm2energon.pipeline.blend_subset import Part, Subset, choose
from mm2energon.pipeline.ledger import note, noted, read_ledger, sha256_of
from mm2energon.remote import Place
from mm2energon.shards.metadata import FOLDER, SPLITS
from mm2energon.shards.reader import DatasetIndex
from mm2energon.storage import write_whole
from mm2energon.targets import Target

_CLASS = {"__module__": "megatron.energon", "__class__": "MetadatasetV2"}
_HEAD = b"# Made by mm2energon blend: finished datasets as one, for Megatron-Energon.\n"
_HASH_LETTERS = 10


@dataclass(frozen=True)
class Blending:
    """How datasets are blended."""

    #: Split of the blend -> split of the datasets; empty: train, val and test, where they are.
    splits: Mapping[str, str]
    seed: int = 42
    #: Each sample so often in an epoch, in the place of weights.
    repetitions: bool = False
    #: Subsets are of as few shards as hold so many samples.
    whole_shards: bool = False
    #: Replace a file that is not ours.
    overwrite: bool = False


@dataclass(frozen=True)
class Share:
    """What one dataset gives to one split of the blend."""

    root: Path
    part: Part
    #: Samples that are taken of the part.
    samples: int
    #: Its weight, or its repetitions.
    factor: float
    #: What a subset leaves out; None: nothing, or by a range.
    subset: Subset | None
    #: What Energon reads of it.
    reference: dict[str, Any]


@dataclass(frozen=True)
class Blend:
    """What `mm2energon blend` wrote."""

    output: Path
    target: Target
    #: Split -> what each dataset gives to it.
    splits: Mapping[str, Sequence[Share]]
    #: Splits that were asked for -> datasets that have no samples of them.
    without: Mapping[str, Sequence[Path]]
    already_done: bool


def blend(output: Path, wanted: Sequence[Wanted], blending: Blending, stores: OpenStored) -> Blend:
    """Write the blend of the datasets to `output`.

    Args:
        stores: opens datasets that lie in stores.

    Raises:
        InputError: a dataset is none, or cannot be blended with the others as it is asked for, or the output would
            replace a file that is not ours; nothing has been written.
    """
    if output.suffix != ".yaml":
        raise InputError(f"{output}: Energon reads a blend from a file whose name ends in .yaml; choose such a name")
    place = Path(output.parent.resolve(), output.name)
    datasets = opened(wanted, place, stores, by_repetitions=blending.repetitions)
    parts = dict(blending.splits) or {split: split for split in SPLITS}
    _check_splits(datasets, parts)
    shares = {split: list(_shares(place, datasets, split, part, blending)) for split, part in parts.items()}
    splits = {split: found for split, found in shares.items() if found}
    used = {share.root for found in splits.values() for share in found}
    if idle := next((one for one in datasets if one.root not in used), None):
        raise InputError(f"{idle.wanted.root}: has no samples of {', '.join(parts)}; take it out of the blend")
    without = {split: [d.root for d in datasets if d.root not in {s.root for s in shares[split]}] for split in parts}
    with alone_on(place, option="the blend"):
        _check_output(place, overwrite=blending.overwrite)
        changed = _write(place, splits, "blend_epochized" if blending.repetitions else "blend")
    return Blend(place, datasets[0].target, splits, without, already_done=not changed)


def _check_splits(datasets: Sequence[Dataset], splits: Mapping[str, str]) -> None:
    """Refuse subsets of splits that the blend does not have; of several ones those that are not asked for may be."""
    for wanted in (one.wanted for one in datasets):
        asked = [*wanted.samples, *wanted.ranges]
        odd = [split for split in (*asked, *wanted.parts) if split not in (*splits, *SPLITS)]
        if not odd and asked and not any(split in splits for split in asked):
            odd = asked
        if odd:
            raise InputError(f"{wanted.root}: {odd[0]!r} is no split of the blend; {', '.join(splits)} were expected")


def _shares(output: Path, datasets: Sequence[Dataset], split: str, part: str, blending: Blending) -> Iterator[Share]:
    """What each dataset gives to a split; nothing, where it has no samples of it."""
    given = [_factor(one.wanted, blending) for one in datasets]
    if any(given) and not all(given):
        lacking = datasets[given.index(None)].wanted.root
        raise InputError(f"{lacking}: has no weight, others have; give each one, or none")
    for number, (dataset, factor) in enumerate(zip(datasets, given, strict=True), start=1):
        found = dataset.part(dataset.wanted.parts.get(split, part))
        if not found.samples:
            if split in dataset.wanted.samples or split in dataset.wanted.ranges:
                raise InputError(f"{dataset.wanted.root}: has no samples of {found.name}, but some were asked for")
            continue
        yield _share(output.with_name(f"{output.stem}.{split}.{number}"), dataset, found, split, factor, blending)


def _factor(wanted: Wanted, blending: Blending) -> float | None:
    if blending.repetitions:
        if wanted.weight is not None:
            raise InputError(f"{wanted.root}: has a weight in a blend by repetitions; repetitions were expected")
        return wanted.repetitions or 1
    return wanted.weight


def _share(stem: Path, dataset: Dataset, part: Part, split: str, factor: float | None, blending: Blending) -> Share:
    """What a dataset gives to a split.

    Args:
        stem: what the name of a file beside the blend begins with.
        factor: its weight or repetitions; None: as many as there are samples, so that each comes equally often.
    """
    wanted = dataset.wanted
    samples, subset = part.samples, None
    more: dict[str, Any] = {}
    if isinstance(dataset.content, DatasetIndex):  # of a blend no subset is asked for
        samples, subset, more = _cut(stem, dataset, dataset.content, part, split, blending)
    if subset is not None and blending.repetitions and factor != int(factor or 1):
        raise InputError(f"{wanted.root}: {factor:g} repetitions of a subset; ask for fewer samples instead")
    factor = samples if factor is None else factor
    if blending.repetitions and samples * factor < 1:
        raise InputError(f"{wanted.root}: {factor:g} repetitions of {samples} samples are none; ask for more")
    reference = {
        "repetitions" if blending.repetitions else "weight": factor,
        "path": dataset.url or _from(stem.parent, dataset.root),
        **({"split_part": part.name} if part.name != split else {}),
        **more,
    }
    return Share(dataset.root, part, samples, factor, subset, reference)


def _cut(
    stem: Path, dataset: Dataset, index: DatasetIndex, part: Part, split: str, blending: Blending
) -> tuple[int, Subset | None, dict[str, Any]]:
    """How many samples are taken of a dataset, what is left out, and how Energon is told."""
    wanted, samples = dataset.wanted, part.samples
    if split in wanted.samples and (count := count_of(wanted.samples[split], samples)) != samples:
        subset = choose(part, index, count, seed=blending.seed, whole_shards=blending.whole_shards)
        file = _split_file(stem, subset)
        # From a store no way leads here but the whole path.
        return count, subset, {"split_config": file.as_posix() if dataset.url else _from(dataset.root / FOLDER, file)}
    if (stretch := wanted.ranges.get(split)) is not None:
        return _ranged(wanted.root, part, stretch), None, {"subset": {"range": list(stretch)}}
    return samples, None, {}


def _ranged(root: Place, part: Part, stretch: tuple[int | str, int | str]) -> int:
    """How many samples a range takes."""
    if part.excluded:
        raise InputError(f"{root}: its split.yaml leaves samples out, which a range would count; give samples instead")
    samples, total = taken_of(stretch, part.samples), part.samples
    if samples < 1 or (isinstance(stretch[1], int) and stretch[1] > total):
        raise InputError(f"{root}: range {list(stretch)} of the {total} samples of {part.name}; another was expected")
    return samples


def _split_file(stem: Path, subset: Subset) -> Path:
    letters = hashlib.sha256(subset.split_file()).hexdigest()[:_HASH_LETTERS]
    return stem.with_name(f"{stem.name}.{letters}.yaml")


def _from(folder: Path, path: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _check_output(output: Path, *, overwrite: bool) -> None:
    if output.exists() and not overwrite and noted(output) is None:
        raise InputError(
            f"{output}: exists, and was not written by mm2energon (or was changed since); "
            "choose another name, or --overwrite it"
        )


def _write(output: Path, splits: Mapping[str, Sequence[Share]], kind: str) -> bool:
    """Write what is not there already, the blend last, and remove what only the one of before needed."""
    content = {**_CLASS, "splits": {split: {kind: [s.reference for s in shares]} for split, shares in splits.items()}}
    data = _HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()
    files = {
        (share.root / FOLDER / share.reference["split_config"]).resolve(): share.subset.split_file()
        for shares in splits.values()
        for share in shares
        if share.subset is not None
    }
    before = _subsets_of(read_ledger(output.parent).get(output.name))
    changed = [_write_file(path, text) for path, text in files.items()]
    names = sorted(path.name for path in files)
    about = {"by": "blend", "subsets": names, "sha256": hashlib.sha256(data).hexdigest()}
    earlier = read_ledger(output.parent).get(output.name)
    if not isinstance(earlier, dict) or {**earlier, **about} != earlier or sha256_of(output) != about["sha256"]:
        note(output.parent, output.name, {**about, "before": sha256_of(output)})
    changed.append(_write_file(output, data))
    for name in set(before) - set(names):
        (output.parent / name).unlink(missing_ok=True)
    return any(changed)


def _subsets_of(about: Any) -> Iterable[str]:
    """The files beside a blend of before, as the ledger has them."""
    names = about.get("subsets", []) if isinstance(about, dict) and about.get("by") == "blend" else []
    return [name for name in names if isinstance(name, str) and name.endswith(".yaml") and "/" not in name]


def _write_file(path: Path, data: bytes) -> bool:
    """Write a file, unless it is that already."""
    if path.is_file() and path.read_bytes() == data:
        return False
    with write_whole(path) as file:
        file.write(data)
    return True
