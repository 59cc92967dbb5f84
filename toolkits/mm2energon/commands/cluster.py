"""Options that say where the units of work run, on this machine or on a cluster."""

from __future__ import annotations

import argparse
import re
import shlex
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from mm2energon.commands.values import count, plain, positive, size
from mm2energon.errors import InputError
from mm2energon.pipeline.loop import Executor

#: Where units of work run.
EXECUTORS = ("local", "ray", "slurm")
#: What is said to one of them, and means nothing to the others.
_OPTIONS = {
    "ray": ("ray_address", "cpus_per_unit", "memory_per_unit"),
    "slurm": ("plan", "array_tasks", "sbatch_options"),
}
_CPUS, _TASKS = 1.0, 16
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
        type=ray_address,
        metavar="ADDRESS",
        help="auto: the cluster of this machine, or of RAY_ADDRESS; local: one for this run; HOST:6379; "
        "ray://HOST:10001 (auto)",
    )
    group.add_argument("--cpus-per-unit", type=cpus, metavar="N", help="CPUs that Ray sets apart (1)")
    group.add_argument("--memory-per-unit", type=size, metavar="SIZE", help="memory that Ray sets apart, such as 4G")
    group.add_argument(
        "--plan", type=plan_folder, metavar="FOLDER", help="of Slurm: where all nodes see the units of work"
    )
    group.add_argument("--array-tasks", type=count, metavar="N", help="of Slurm: tasks of the array (16)")
    group.add_argument(
        "--sbatch-options",
        type=shell_words,
        metavar="'--OPTION ...'",
        help="of Slurm: such as '--partition=cpu --time=4:00:00'",
    )


def executor(arguments: argparse.Namespace) -> Executor | None:
    """What `add_executor` parsed; None: workers of this machine.

    Raises:
        InputError: an option is missing, or is of another executor.
    """
    chosen = arguments.executor
    if not isinstance(chosen, str):  # mm2energon plan has put its own there
        given: Executor = chosen
        return given
    _expect_no_other(arguments)
    if chosen == "ray":
        from mm2energon.pipeline.on_ray import RayExecutor
        from mm2energon.pipeline.ray_cluster import RayOptions

        address = arguments.ray_address or "auto"
        return RayExecutor(RayOptions(address, arguments.cpus_per_unit or _CPUS, arguments.memory_per_unit))
    if chosen == "slurm":
        from mm2energon.pipeline.on_slurm import SlurmOptions, slurm_executor

        if arguments.plan is None:
            raise InputError("--executor slurm: --plan FOLDER was expected beside it, which all nodes see")
        return slurm_executor(
            SlurmOptions(arguments.plan, arguments.array_tasks or _TASKS, arguments.sbatch_options or ())
        )
    return None


def _expect_no_other(arguments: argparse.Namespace) -> None:
    """
    Raises:
        InputError: an option is of another executor: the work would run elsewhere than was meant.
    """
    for executor_name, names in _OPTIONS.items():
        for name in names:
            if arguments.executor != executor_name and getattr(arguments, name) is not None:
                raise InputError(
                    f"--{name.replace('_', '-')}: is of --executor {executor_name}, and the work runs by --executor "
                    f"{arguments.executor}; give --executor {executor_name}, or leave it out"
                )


def shell_words(text: str) -> tuple[str, ...]:
    """What a shell makes of a text.

    Raises:
        argparse.ArgumentTypeError: a quote in it is not closed.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}; options as in a shell were expected") from error


def ray_address(text: str) -> str:
    """Where a Ray cluster is: `auto`, `local`, `HOST:PORT` or `ray://HOST:PORT`."""
    if text in ("auto", "local"):
        return text
    with suppress(ValueError):  # no port
        place = urlsplit(text if "://" in text else f"ray://{text}")
        if place.scheme == "ray" and place.hostname and place.port and place.path in ("", "/"):
            return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is no address of a Ray cluster; auto, local, HOST:6379 or ray://HOST:10001 was expected"
        + ("; an http:// address is for: ray job submit --address" if text.startswith("http") else "")
    )


def cpus(text: str) -> float:
    """A number of CPUs above 0, of which Ray takes four decimals."""
    number = round(positive(text), 4)
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is too little; 0.0001 or more was expected")
    return number


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
