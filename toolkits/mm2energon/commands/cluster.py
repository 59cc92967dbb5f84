"""Options that say where the units of work run, on this machine or on a cluster."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

from mm2energon.commands.values import count, plain, positive, size
from mm2energon.errors import InputError
from mm2energon.pipeline.loop import Executor

#: Where units of work run.
EXECUTORS = ("local", "ray", "slurm")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def add_executor(parser: argparse.ArgumentParser) -> None:
    """Options that say where the units of work run."""
    group = parser.add_argument_group("cluster")
    group.add_argument(
        "--executor",
        choices=EXECUTORS,
        default="local",
        help="where the work runs: workers of this machine, a Ray cluster, or an array of Slurm (local)",
    )
    group.add_argument(
        "--ray-address",
        default="auto",
        metavar="ADDRESS",
        help="auto: the cluster of this machine, or of RAY_ADDRESS; local: one for this run; ray://HOST:10001 (auto)",
    )
    group.add_argument("--cpus-per-unit", type=positive, default=1.0, metavar="N", help="CPUs that Ray sets apart (1)")
    group.add_argument("--memory-per-unit", type=size, metavar="SIZE", help="memory that Ray sets apart, such as 4G")
    group.add_argument(
        "--plan", type=plan_folder, metavar="FOLDER", help="of Slurm: where all nodes see the units of work"
    )
    group.add_argument("--array-tasks", type=count, default=16, metavar="N", help="of Slurm: tasks of the array (16)")
    group.add_argument(
        "--sbatch-options",
        default="",
        metavar="'--OPTION ...'",
        help="of Slurm: such as '--partition=cpu --time=4:00:00'",
    )


def executor(arguments: argparse.Namespace) -> Executor | None:
    """What `add_executor` parsed; None: workers of this machine.

    Raises:
        InputError: an option is missing.
    """
    chosen = arguments.executor
    if not isinstance(chosen, str):  # mm2energon plan has put its own there
        given: Executor = chosen
        return given
    if chosen == "ray":
        from mm2energon.pipeline.on_ray import RayExecutor
        from mm2energon.pipeline.ray_cluster import RayOptions

        return RayExecutor(RayOptions(arguments.ray_address, arguments.cpus_per_unit, arguments.memory_per_unit))
    if chosen == "slurm":
        from mm2energon.pipeline.on_slurm import SlurmOptions, slurm_executor

        if arguments.plan is None:
            raise InputError("--executor slurm: --plan FOLDER was expected beside it, which all nodes see")
        return slurm_executor(
            SlurmOptions(arguments.plan, arguments.array_tasks, tuple(shlex.split(arguments.sbatch_options)))
        )
    return None


def plan_folder(text: str) -> Path:
    """The folder of a plan, absolute.

    Raises:
        argparse.ArgumentTypeError: it lies in an object store.
    """
    if _URL.match(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} lies in an object store, where tasks cannot note unit by unit what is done; a folder on a file "
            "system was expected that all machines see (results may lie in a store)"
        )
    return plain(Path(text))
