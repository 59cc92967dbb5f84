"""`mm2energon verify` = verify_shards.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.options import count_or_none
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.verify import verify

#: Faults shown; the number of all is said.
_SHOWN = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("shards", type=Path, nargs="?", default=Path("wds"), help="folder of the shards (wds)")
    parser.add_argument("--workers", type=count_or_none, default=0, help="processes for Energon's loader (0: this one)")
    parser.add_argument("--skip-energon", action="store_true", help="read with webdataset alone (needs no torch)")


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Read everything back."""
    found = verify(arguments.shards, energon=not arguments.skip_energon, workers=arguments.workers, progress=progress)
    lines = [f"{arguments.shards}   for {found.target}"]
    for split, samples in found.by_webdataset.items():
        energon = "not asked" if arguments.skip_energon else str(found.by_energon.get(split, 0))
        lines.append(f"{split:<6} {samples:>8} samples by webdataset, {energon:>8} by Energon")
    lines.append(f"{found.images} images, {found.videos} videos with {found.frames} frames decoded")
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"FAULT {fault}" for fault in found.faults[:_SHOWN]]
    if found.faults:
        more = f" ({_SHOWN} shown)" if len(found.faults) > _SHOWN else ""
        return Result([*lines, f"{len(found.faults)} faults{more}"], 1)
    return Result([*lines, "no fault"])
