"""`mm2energon run` = run_units.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.options import count, count_or_none
from mm2energon.commands.planned import noted_command, stages_of
from mm2energon.errors import InputError
from mm2energon.pipeline.array import run_share
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.machine import usual_workers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--plan", type=Path, metavar="FOLDER", required=True, help="what mm2energon plan was given")
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
            f"--index {index} --of {of}: a task from 0 to {of - 1} was expected; of Slurm take --array=0-{of - 1}"
        )
    plan = arguments.plan.absolute()
    command = noted_command(plan)
    stages = stages_of(plan)
    if not stages:
        raise InputError(f"--plan {plan}: mm2energon plan did not come to its end; run it again")
    ran, before = run_share(stages[-1], index, of, workers=arguments.workers, progress=progress)
    lines = [
        f"{stages[-1].folder}   task {index} of {of}: {ran} units of mm2energon {command.name} run, {before} were done"
    ]
    return Result(lines)
