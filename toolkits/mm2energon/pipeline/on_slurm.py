"""Slurm: the units of a step as one job array, submitted with sbatch and waited for (https://slurm.schedmd.com/sbatch.html)."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import mm2energon
from mm2energon.errors import DependencyError, ToolkitError
from mm2energon.pipeline.array import ArrayExecutor, Stage, ranges


@dataclass(frozen=True, slots=True)
class SlurmOptions:
    """How an array is submitted."""

    #: The folder of the plan, absolute, where all nodes see it.
    plan: Path
    tasks: int
    #: What else sbatch is given.
    sbatch: tuple[str, ...] = ()


def slurm_executor(options: SlurmOptions) -> ArrayExecutor:
    """What runs each step as a job array, and waits for it."""
    return ArrayExecutor(options.plan, run_now=lambda stage: _run_array(stage, options))


def _run_array(stage: Stage, options: SlurmOptions) -> None:
    """Run the units that have no outcome yet.

    Raises:
        DependencyError: there is no sbatch.
        ToolkitError: some units have none afterwards either.
    """
    waiting = sum(1 for _ in stage.outcomes().missing())
    if not waiting:
        return
    logs = options.plan / "logs"
    logs.mkdir(exist_ok=True)
    status = subprocess.run(_sbatch(min(options.tasks, waiting), options, logs), check=False).returncode
    missing = list(stage.outcomes().missing())
    if missing:
        raise ToolkitError(
            f"{stage.folder}: {len(missing)} of {stage.units} units were not run ({ranges(missing)}; sbatch: exit "
            f"status {status}); {logs} says why; run the same command again to go on"
        )


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
        "--job-name=mm2energon",
        f"--array=0-{tasks - 1}",
        f"--output={logs}/%A_%a.log",
        *options.sbatch,
        f"--wrap=PYTHONPATH={library}${{PYTHONPATH:+:$PYTHONPATH}} exec {run} {task}",
    ]
