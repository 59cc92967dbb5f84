"""What a blend is made of, opened: finished datasets, and earlier blends, all for one reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.pipeline.blend_nested import Held, OpenStored, is_blend, read_blend
from mm2energon.pipeline.blend_recipe import Wanted
from mm2energon.pipeline.blend_subset import Part, part_of
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.pipeline.verify_metadata import target_of
from mm2energon.remote import Remote
from mm2energon.shards.metadata import FOLDER
from mm2energon.shards.reader import DatasetIndex, read_index
from mm2energon.targets import Target


@dataclass(frozen=True)
class Dataset:
    """A dataset of a blend, or a blend in its place."""

    wanted: Wanted
    #: Its folder, or a mirror of it.
    root: Path
    target: Target
    #: What there is of it: a dataset has an index, a blend what it gives.
    content: DatasetIndex | Held
    #: The dataset, where it lies in a store.
    stored: StoredDataset | None = None

    @property
    def url(self) -> str | None:
        """By which Energon reads it, where it lies in a store."""
        return None if self.stored is None else self.stored.energon_url

    def part(self, name: str) -> Part:
        """A split of it; one that is not there has no samples.

        Raises:
            InputError: shards of it are gone.
        """
        if isinstance(self.content, DatasetIndex):
            return part_of(self.root, self.content, name)
        return Part(self.root, name, {self.root.name: self.content.samples.get(name, 0)}, frozenset())


def opened(wanted: Sequence[Wanted], output: Path, stores: OpenStored, *, by_repetitions: bool) -> list[Dataset]:
    """The datasets, each once, and all for the same reader.

    Args:
        output: the blend that they are for.
        stores: opens those that lie in stores.

    Raises:
        InputError: one of them is none, or does not go with the others.
    """
    found: dict[str, Dataset] = {}
    for one in wanted:
        if isinstance(one.root, Remote):
            dataset = _opened_stored(one, one.root, stores)
            if found.setdefault(str(dataset.url), dataset) is not dataset:
                raise _twice(one)
            continue
        root = one.root.resolve()  # Energon takes `..` out of paths without following links
        if str(root) in found:
            raise _twice(one)
        if is_blend(root):
            found[str(root)] = _opened_blend(one, root, output, stores, by_repetitions=by_repetitions)
        else:
            found[str(root)] = _opened(one, root)
    datasets = list(found.values())
    if not datasets:
        raise InputError("no datasets; name at least one folder of finished shards, or a --recipe")
    for other in datasets[1:]:
        if other.target.name != datasets[0].target.name:
            raise InputError(_unlike(datasets[0], other))
    return datasets


def _opened(wanted: Wanted, root: Path, stored: StoredDataset | None = None) -> Dataset:
    if not (root / FOLDER).is_dir():
        raise InputError(f"{wanted.root}: no {FOLDER} in it; the folder of a finished dataset was expected")
    index = read_index(root)
    if stored is not None:
        stored.show_shards(index.counts)
    return Dataset(wanted, root, target_of(root, index), index, stored)


def _opened_stored(wanted: Wanted, where: Remote, stores: OpenStored) -> Dataset:
    stored = stores(where)
    if stored.energon_url is None:
        raise InputError(f"{where}: Energon does not read it there; a dataset of msc://, s3:// or gs:// was expected")
    dataset = _opened(wanted, stored.root, stored)
    if wanted.samples:
        stored.bring_rows()
    return dataset


def _twice(wanted: Wanted) -> InputError:
    return InputError(f"{wanted.root}: is in the blend twice; once was expected, with the sum of both weights")


def _opened_blend(wanted: Wanted, root: Path, output: Path, stores: OpenStored, *, by_repetitions: bool) -> Dataset:
    held = read_blend(root, stores, within=[output])
    if held.by_repetitions != by_repetitions:
        kinds = ("weights", "repetitions")
        raise InputError(
            f"{wanted.root}: is a blend by {kinds[held.by_repetitions]}, but {kinds[by_repetitions]} are asked for; "
            "Energon takes both of one kind"
        )
    if wanted.samples or wanted.ranges:
        raise InputError(f"{wanted.root}: is a blend, of which no subset can be had; ask for subsets of its datasets")
    return Dataset(wanted, root, held.target, held)


def _unlike(one: Dataset, other: Dataset) -> str:
    """Why two datasets cannot be blended, and what to do."""
    what = (
        f"{other.wanted.root}: is for {other.target.name}, {one.wanted.root} is for {one.target.name}; "
        "a blend is read by one reader"
    )
    for dataset, target in ((one, other.target), (other, one.target)):
        if isinstance(dataset.content, DatasetIndex) and (
            target.name in dataset.target.also or dataset.content.manifest.get("written_for") == target.name
        ):
            return f"{what}; mm2energon retarget {dataset.wanted.root} --target {target.name} lets that one read both"
    return f"{what}; shard one of them anew with the --target of the other"
