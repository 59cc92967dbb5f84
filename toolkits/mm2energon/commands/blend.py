"""`mm2energon blend` = blend_datasets.py."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.places import add_cache, stored_shards
from mm2energon.errors import InputError
from mm2energon.pipeline.blend import Blend, Blending, Share, blend
from mm2energon.pipeline.blend_recipe import Recipe, named_dataset, read_recipe
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.remote import Remote

_SEED = 42
#: Samples left out by name above which the summary says that they cost.
_MANY = 100_000
#: Workers above which nobody is told that there may not be more.
_FEW_WORKERS = 2048
#: Splits that trainings validate on: each dataset once through, whatever its weight.
_READ_ONCE = ("val", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("output", type=Path, metavar="OUT.yaml", help="the blend, for Energon in the place of a folder")
    parser.add_argument(
        "datasets",
        nargs="*",
        metavar="DATASET[:WEIGHT]",
        help="folder or URL of finished shards, or an earlier blend, and how often it is drawn from (without weights: "
        "each sample equally often)",
    )
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="YAML that names the datasets, and subsets of them")
    parser.add_argument(
        "--repetitions",
        action="store_true",
        help="the numbers say how often each sample comes in an epoch (1), in the place of weights",
    )
    parser.add_argument(
        "--split-part",
        action="append",
        default=[],
        metavar="SPLIT[=PART]",
        help="a split of the blend, and which one of the datasets it is; may be given several times (train, val, test)",
    )
    parser.add_argument("--seed", type=int, help=f"chooses the samples of subsets ({_SEED}, or that of the recipe)")
    parser.add_argument(
        "--whole-shards",
        action="store_true",
        help="take subsets of as few shards as hold so many: less to leave out, but samples that lie together",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that mm2energon did not write")
    add_cache(parser)


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Write the blend."""
    recipe = _recipe(arguments)
    in_recipe = arguments.recipe is not None and any(one.repetitions is not None for one in recipe.datasets)
    seed = arguments.seed if arguments.seed is not None else recipe.seed
    blending = Blending(
        splits=_splits(arguments.split_part),
        seed=_SEED if seed is None else seed,
        repetitions=arguments.repetitions or in_recipe,
        whole_shards=arguments.whole_shards,
        overwrite=arguments.overwrite,
    )
    with contextlib.ExitStack() as stack:

        def opened(where: Remote) -> StoredDataset:
            return stored_shards(where, arguments, stack)

        done = blend(arguments.output, recipe.datasets, blending, opened)
        return Result(list(_summary(done, blending)))


def _recipe(arguments: argparse.Namespace) -> Recipe:
    if arguments.recipe is None:
        return Recipe(tuple(named_dataset(text, repetitions=arguments.repetitions) for text in arguments.datasets))
    if arguments.datasets:
        raise InputError(f"{arguments.datasets[0]}: datasets and a --recipe; one of the two was expected")
    return read_recipe(arguments.recipe)


def _splits(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        split, _, part = text.partition("=")
        if not split or split in found or (part or split) in found.values():
            raise InputError(f"--split-part {text}: each split once, each of another part, was expected")
        found[split] = part or split
    return found


def _summary(done: Blend, blending: Blending) -> Iterator[str]:
    yield f"{done.output}   for {done.target.name}: {done.target.reader}"
    if done.already_done:
        yield "  was complete already, nothing was written"
    for split, shares in done.splits.items():
        epoch = _epoch(shares) if blending.repetitions and split not in _READ_ONCE else ""
        yield f"{split:<6} {sum(share.samples for share in shares):>8} samples of {len(shares)} datasets{epoch}"
        yield from (f"{_taken(share)}{_how(share, split, shares, blending)}" for share in shares)
    for split, roots in done.without.items():
        if split not in done.splits:
            yield f"note: no dataset has samples of {split}; the blend has no such split"
        else:
            yield from (f"note: {root} has no samples of {split}, which is without it" for root in roots)
    yield from _notes(done, blending)
    yield "Give this file to the training in the place of the folder of shards."


def _epoch(shares: Sequence[Share]) -> str:
    drawn = sum(int(share.samples * share.factor) for share in shares)
    return f", {'about ' * any(map(_is_broken, shares))}{drawn} in an epoch"


def _is_broken(share: Share) -> bool:
    return share.factor != int(share.factor)


def _taken(share: Share) -> str:
    taken = f"{share.samples}" if share.samples == share.part.samples else f"{share.samples} of {share.part.samples}"
    part = f" ({share.part.name})" if "split_part" in share.reference else ""
    return f"  {share.root}{part}: {taken} samples"


def _how(share: Share, split: str, shares: Sequence[Share], blending: Blending) -> str:
    """How often a dataset is drawn from, where Energon does not read it once through."""
    if split in _READ_ONCE:
        return ""
    if blending.repetitions:
        return f", {share.factor:g} times"
    percent = 100 * share.factor / sum(one.factor for one in shares)
    return f", weight {share.factor:.12g}, {percent:.1f} % of what is drawn"


def _notes(done: Blend, blending: Blending) -> Iterator[str]:
    shares = [share for found in done.splits.values() for share in found]
    trained_on = [share for split, found in done.splits.items() if split not in _READ_ONCE for share in found]
    subsets = [share.subset for share in shares if share.subset is not None]
    drawn = [share.subset for share in trained_on if share.subset is not None]
    if subsets and not blending.repetitions:
        yield "note: Energon 7.0 and 7.1 pass over subsets and take all; 4.0 to 6.0, and 7.2 and later, take them"
    if any("subset" in share.reference for share in shares):
        yield "note: a range needs Energon 7.2 or later"
    if blending.repetitions:
        yield f"note: repetitions{' of subsets' * bool(subsets)} need Energon {'7.2' if subsets else '5.2'} or later"
    if blending.repetitions and any(map(_is_broken, trained_on)):
        yield "note: repetitions that are no whole numbers are rounded down, for each worker by itself"
    if blending.repetitions and drawn and not blending.whole_shards:
        yield (
            "note: Energon counts what a subset leaves out when it draws, so that an epoch begins with more of that "
            "dataset and ends with less; weights, or --whole-shards, do not"
        )
    if drawn and (least := min(subset.most_workers for subset in drawn)) < _FEW_WORKERS:
        advice = "" if blending.whole_shards else "; --whole-shards allows more"
        yield (
            f"note: with more than {least} workers, of all ranks together, one may find no sample of a subset, and "
            f"Energon waits for ever{advice}"
        )
    if (names := sum(len(subset.excluded) for subset in subsets)) > _MANY:
        yield f"note: Energon reads {names} names that are left out at each start; --whole-shards shortens the list"
