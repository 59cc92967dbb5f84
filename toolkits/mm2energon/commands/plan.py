"""`mm2energon plan` = plan_units.py."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.planned import PLANNED, PlannedCommand, go_on, note_command, parse
from mm2energon.errors import InputError
from mm2energon.pipeline.array import StagePlannedError
from mm2energon.pipeline.loop import ProgressMaker

_HELP = "folder for the units of work, which all machines see; its results must lie where they see them, too"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--plan", type=Path, metavar="FOLDER", help=_HELP)
    parser.add_argument("planned", choices=PLANNED, metavar="COMMAND", help=f"one of {', '.join(PLANNED)}")
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="...", help="its options; --plan may stand among them"
    )


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Plan the units of a command, and stop where they have to be run."""
    among = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    among.add_argument("--plan", type=Path, default=arguments.plan)
    found, rest = among.parse_known_args(arguments.rest)
    parse(arguments.planned, rest)
    if found.plan is None:
        raise InputError("--plan FOLDER: was expected; the units of work are written there")
    plan = found.plan.absolute()
    command = PlannedCommand(arguments.planned, tuple(rest), os.getcwd())  # noqa: PTH109
    note_command(plan, command)
    return planned_or_done(plan, command, progress)


def planned_or_done(plan: Path, command: PlannedCommand, progress: ProgressMaker) -> Result:
    """What a command has to say at its end, or of the units that it waits for."""
    try:
        return go_on(plan, command, progress)
    except StagePlannedError as waits:
        stage = waits.stage
        where = shlex.quote(str(plan))
        return Result(
            [
                f"{plan}   {stage.units} units of mm2energon {command.name} wait to be run ({stage.folder.name})",
                "",
                f"Run them, in any number of tasks: mm2energon run --plan {where} --index I --of N",
                f"Then: mm2energon finalize --plan {where}",
            ]
        )
