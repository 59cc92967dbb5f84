"""`mm2energon finalize` = finalize_units.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.plan import planned_or_done
from mm2energon.commands.planned import noted_command, stages_of
from mm2energon.errors import InputError
from mm2energon.pipeline.loop import ProgressMaker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--plan", type=Path, metavar="FOLDER", required=True, help="what mm2energon plan was given")


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Go on with what became of the units: to the end of the command, or to the next units."""
    plan = arguments.plan.absolute()
    command = noted_command(plan)
    if not stages_of(plan):
        raise InputError(f"--plan {plan}: mm2energon plan did not come to its end; run it again")
    return planned_or_done(plan, command, progress)
