"""`mm2energon retarget` = retarget_shards.py."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.info import summary
from mm2energon.commands.places import add_cache, stored_dataset
from mm2energon.pipeline.describe import retarget
from mm2energon.pipeline.lease import leased
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.remote import Place, Remote, place
from mm2energon.targets import TARGETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("shards", type=place, nargs="?", default=Path("wds"), help="folder or URL of the shards (wds)")
    parser.add_argument("--target", choices=list(TARGETS), required=True, help="who shall read the shards")
    add_cache(parser)


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Rewrite the metadata."""
    where: Place = arguments.shards
    with contextlib.ExitStack() as stack:
        stack.enter_context(leased(where if isinstance(where, Remote) else None))
        root, stored = stored_dataset(where, arguments, stack)
        return Result(summary(where, retarget(root, arguments.target, stored)))
