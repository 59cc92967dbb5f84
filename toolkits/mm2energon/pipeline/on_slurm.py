"""Slurm: the units of a step as one job array, submitted with sbatch and waited for (https://slurm.schedmd.com/sbatch.html)."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import mm2energon
from mm2energon.errors import DependencyError, InputError, ToolkitError
from mm2energon.pipeline.array import ArrayExecutor, ranges
from mm2energon.pipeline.array_stage import Stage

_LOGS, _STAGE = "logs", re.compile(r"\d+-\w+")


@dataclass(frozen=True, slots=True)
class SlurmOptions:
    """How an array is submitted."""

    #: The folder of the plan, absolute, where all nodes see it.
    plan: Path
    tasks: int
    #: What else sbatch is given.
    sbatch: tuple[str, ...] = ()


def slurm_executor(options: SlurmOptions) -> ArrayExecutor:
    """What runs each step as a job array, and waits for it.

    Raises:
        InputError: the folder holds anything else than what an earlier go of the command left there.
    """
    names = (path.name for path in options.plan.iterdir()) if options.plan.is_dir() else ()
    others = sorted(name for name in names if name != _LOGS and not _STAGE.fullmatch(name))
    if others:
        raise InputError(f"--plan {options.plan}: holds other files ({others[0]}); a folder of its own was expected")
    return ArrayExecutor(options.plan, run_now=lambda stage: _run_array(stage, options))


def _run_array(stage: Stage, options: SlurmOptions) -> None:
    """Run the units that have no outcome yet.

    Raises:
        DependencyError: there is no sbatch.
        ToolkitError: some units have none afterwards either.
    """
    before = stage.outcomes()
    waiting = sum(1 for _ in before.missing())
    if not waiting:
        return
    logs = options.plan / _LOGS
    logs.mkdir(exist_ok=True)
    tasks = number_of_tasks(min(options.tasks, waiting), before.counts_of_tasks())
    try:
        # What sbatch says of the job is for whoever waits, and not what the command has to say.
        status = subprocess.run(_sbatch(tasks, options, logs), check=False, stdout=2).returncode
    except BaseException:
        _cancel(options.plan)
        raise
    missing = list(stage.outcomes().missing())
    if missing:
        raise ToolkitError(
            f"{stage.folder}: {len(missing)} of {stage.units} units were not run ({ranges(missing)}; sbatch: exit "
            f"status {status}); sbatch, or the tasks in {logs}, say why; run the same command again to go on"
        )


def number_of_tasks(most: int, before: list[int]) -> int:
    """How many tasks share what is missing: as many as may be, without a common divisor with the counts of before.

    Of a task that was lost every N-th unit is missing; among as many tasks again, one would have them all.
    """
    fitting = (count for count in range(most, 1, -1) if all(gcd(count, other) == 1 for other in before))
    return next(fitting, most)


def _sbatch(tasks: int, options: SlurmOptions, logs: Path) -> list[str]:
    found = shutil.which("sbatch")
    if found is None:
        raise DependencyError(
            "sbatch: is not installed here; a login node of Slurm was expected; or plan with mm2energon plan, run "
            "mm2energon run --index I --of N by any means, and end with mm2energon finalize"
        )
    library = shlex.quote(str(Path(mm2energon.__file__).resolve().parents[1]))
    run = shlex.join([sys.executable, "-m", "mm2energon", "run", "--plan", str(options.plan)])
    task = f"--index $SLURM_ARRAY_TASK_ID --of {tasks}"
    return [
        found,
        "--wait",
        f"--job-name={_job_name(options.plan)}",
        f"--array=0-{tasks - 1}",
        f"--output={logs}/%A_%a.log",
        *options.sbatch,
        f"--wrap=PYTHONPATH={library}${{PYTHONPATH:+:$PYTHONPATH}} exec {run} {task}",
    ]


def _job_name(plan: Path) -> str:
    """A name that the arrays of this plan alone have."""
    return f"mm2energon-{hashlib.sha256(os.fsencode(plan)).hexdigest()[:12]}"


def _cancel(plan: Path) -> None:
    """End the array that nobody waits for any more; what its tasks have done stays done."""
    if (found := shutil.which("scancel")) is not None:
        subprocess.run([found, f"--name={_job_name(plan)}"], check=False, stdout=2)
