"""`mm2energon plan` = plan_units.py."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.cluster import plan_folder
from mm2energon.commands.planned import PLANNED, PlannedCommand, go_on, note_command, parse
from mm2energon.errors import InputError
from mm2energon.pipeline.array import UnitsWaitError
from mm2energon.pipeline.loop import ProgressMaker

_EPILOG = """\
The command is planned as it would run, and stops where its units of work begin:

  mm2energon plan shard --dataset-root DATA --train-split 9 --val-split 1 --plan /shared/plan
  mm2energon run --plan /shared/plan --index 0 --of 2      (and 1 of 2: on any machines, at any time)
  mm2energon finalize --plan /shared/plan

`mm2energon plan shard --help` says what shard takes. A folder is for one command; planned again it says what waits."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "--plan", type=plan_folder, metavar="FOLDER", help="a new folder for the units of work, which all machines see"
    )
    parser.add_argument("planned", choices=PLANNED, metavar="COMMAND", help=f"one of {', '.join(PLANNED)}")
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="...", help="its options; --plan may stand among them"
    )


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Plan the units of a command, and stop where they have to be run."""
    among = argparse.ArgumentParser(prog="mm2energon plan", add_help=False, allow_abbrev=False)
    among.add_argument("--plan", type=plan_folder, default=arguments.plan)
    found, rest = among.parse_known_args(arguments.rest)
    parse(arguments.planned, rest)
    if found.plan is None:
        raise InputError("--plan: is missing; a folder was expected that all machines see: --plan FOLDER")
    command = PlannedCommand(arguments.planned, tuple(rest), os.getcwd())  # noqa: PTH109
    note_command(found.plan, command)
    try:
        return go_on(found.plan, command, progress)
    except UnitsWaitError as wait:
        return Result(what_waits(found.plan, command, wait))


def what_waits(plan: Path, command: PlannedCommand, wait: UnitsWaitError) -> list[str]:
    """What is to be done about units that wait."""
    where = shlex.quote(str(plan))
    how_many = str(wait.stage.units)
    if len(wait.missing) != wait.stage.units:
        how_many = f"{len(wait.missing)} of {how_many}"
    return [
        f"{plan}   {how_many} units of mm2energon {command.name} wait to be run ({wait.stage.folder.name})",
        "",
        f"Run them, in any number of tasks: mm2energon run --plan {where} --index I --of N",
        f"Then: mm2energon finalize --plan {where}",
    ]
