"""`mm2energon info` = show_shards.py."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.places import add_cache, stored_dataset
from mm2energon.pipeline.describe import Description, describe
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.remote import Place, place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("shards", type=place, nargs="?", default=Path("wds"), help="folder or URL of the shards (wds)")
    add_cache(parser)


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Describe a dataset."""
    with contextlib.ExitStack() as stack:
        root, stored = stored_dataset(arguments.shards, arguments, stack)
        return Result(summary(arguments.shards, describe(root, stored)))


def summary(root: Place, found: Description) -> list[str]:
    """A dataset in a few lines."""
    lines = [f"{root}   for {found.target.name}: {found.target.reader}"]
    for split, (shards, samples, size) in found.splits.items():
        lines.append(f"{split:<6} {samples:>8} samples in {shards:>4} shards, {size / 1e6:10.1f} MB")
    if found.lost:
        lines.append(
            f"note: {found.lost} of these samples {found.target.name} drops or cuts: they were not written for it"
        )
    parts = ", ".join(f"{name} ({size} bytes)" for name, size in found.parts.items())
    lines.append(f"first record: {parts}")
    for other, lost in found.also_read_by.items():
        what = "not counted" if lost is None else f"{lost} samples would be dropped or cut"
        lines.append(f"also read by {other} (dataset.{other}.yaml): {what}")
    if made_by := found.manifest.get("made_by"):
        lines.append(f"made by {made_by}")
    return lines
