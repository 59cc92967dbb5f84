"""`mm2energon finalize` = finalize_units.py."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.cluster import plan_folder
from mm2energon.commands.plan import what_waits
from mm2energon.commands.planned import go_on, goes_of, noted_command
from mm2energon.errors import InputError
from mm2energon.pipeline.array import UnitsWaitError, ranges
from mm2energon.pipeline.array_stage import stages_in
from mm2energon.pipeline.loop import ProgressMaker

#: Exit status of a command that came to further units: they have to be run, and then it is finalized again.
UNITS_WAIT = 4
_EPILOG = """\
Units that were not run are named, and nothing is written. Exit status: as of the planned command; 4 where it came to
further units (shard: first the videos without frames, then the shards), which are run and finalized in the same way."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "--plan", type=plan_folder, metavar="FOLDER", required=True, help="what mm2energon plan was given"
    )


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Go on with what became of the units: to the end of the command, or to the next units."""
    plan = arguments.plan
    command = noted_command(plan)
    if not stages_in(plan) and not goes_of(plan):
        raise InputError(f"--plan {plan}: mm2energon plan did not come to its units; run it again")
    try:
        return go_on(plan, command, progress)
    except UnitsWaitError as wait:
        if wait.is_new:
            return Result(what_waits(plan, command, wait), UNITS_WAIT)
        raise _missing(plan, wait) from wait


def _missing(plan: Path, wait: UnitsWaitError) -> InputError:
    """What is missing, and which tasks run it."""
    found = f"{len(wait.missing)} of {wait.stage.units} units were not run ({ranges(wait.missing)})"
    run = f"mm2energon run --plan {shlex.quote(str(plan))}"
    counts = wait.stage.outcomes().counts_of_tasks()
    if not counts:
        return InputError(f"{wait.stage.folder}: {found}: no task has begun; run {run} --index I --of N, then finalize")
    tasks = ranges(sorted({unit % counts[-1] for unit in wait.missing}))
    return InputError(
        f"{wait.stage.folder}: {found}: they belong to the tasks {tasks} of {counts[-1]}; run these again "
        f"({run} --index I --of {counts[-1]}), or any number of new ones, then finalize"
    )
