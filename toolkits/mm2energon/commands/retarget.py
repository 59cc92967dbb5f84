"""`mm2energon retarget` = retarget_shards.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.info import summary
from mm2energon.pipeline.describe import retarget
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.targets import TARGETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("shards", type=Path, nargs="?", default=Path("wds"), help="folder of the shards (wds)")
    parser.add_argument("--target", choices=list(TARGETS), required=True, help="who shall read the shards")


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Rewrite the metadata."""
    return Result(summary(arguments.shards, retarget(arguments.shards, arguments.target)))
