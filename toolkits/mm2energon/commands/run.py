"""`mm2energon run` = run_units.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.cluster import plan_folder
from mm2energon.commands.planned import goes_of, noted_command
from mm2energon.commands.values import count, count_or_none
from mm2energon.errors import InputError
from mm2energon.pipeline.array_share import run_share
from mm2energon.pipeline.array_stage import Stage, stages_in
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.machine import usual_workers

_EPILOG = """\
Task I runs the units I, I + N, I + 2 N, ... that nobody has run. Tasks may run in any order, on any machines, also at
the same time; one that was killed, or that failed, is run again, and goes on. In a job array of Slurm:

  mm2energon run --plan /shared/plan --index $SLURM_ARRAY_TASK_ID --of $SLURM_ARRAY_TASK_COUNT

Of an array of some tasks alone (--array=3,7) the count is another: give the N of the whole one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "--plan", type=plan_folder, metavar="FOLDER", required=True, help="what mm2energon plan was given"
    )
    parser.add_argument(
        "--index",
        type=count_or_none,
        required=True,
        metavar="I",
        help="which task this is, from 0: $SLURM_ARRAY_TASK_ID",
    )
    parser.add_argument(
        "--of", type=count, required=True, metavar="N", help="how many tasks there are: $SLURM_ARRAY_TASK_COUNT"
    )
    parser.add_argument(
        "--workers", type=count, default=usual_workers(), help="processes of this task (the cores that may be used)"
    )


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Run this task's share of the units."""
    index, of = arguments.index, arguments.of
    if index >= of:
        raise InputError(
            f"--index {index} --of {of}: a task from 0 to {of - 1} was expected; of Slurm take --array=0-{of - 1}, and "
            "--of of the whole array where some of its tasks run again"
        )
    stage = _last_stage(arguments.plan)
    if stage is None:
        return Result([f"{arguments.plan}   there were no units to run; the command came to its end"])
    ran, before = run_share(stage, index, of, workers=arguments.workers, progress=progress)
    return Result([f"{stage.folder}   task {index} of {of}: {ran} units run, {before} were done before"])


def _last_stage(plan: Path) -> Stage | None:
    """The units that wait; None where the command came to its end without any.

    Raises:
        InputError: it came to none yet.
    """
    stages = stages_in(plan)
    if stages:
        return stages[-1]
    noted_command(plan)
    if any(go.stage is None for go in goes_of(plan)):
        return None
    raise InputError(f"--plan {plan}: mm2energon plan did not come to its units; run it again")
