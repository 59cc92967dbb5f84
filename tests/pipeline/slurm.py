"""A stand-in for Slurm's sbatch: it runs the tasks of an array as real processes, in an order of its own, and waits.

Tasks whose numbers stand in SLURM_KILLS are killed soon after they began, once each; SLURM_LOG notes what was asked.
"""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import stat
import subprocess
import sys
import time
from pathlib import Path


def install(folder: Path) -> Path:
    """Put `sbatch` and `scancel` into a folder, for PATH; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("sbatch", "scancel"):
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(__file__)} {name} "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def asked(log: Path) -> list[list[str]]:
    """What the commands were given so far."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def main(name: str, words: list[str]) -> int:
    with Path(os.environ["SLURM_LOG"]).open("a") as log:
        log.write(json.dumps([name, *words]) + "\n")
    if name == "scancel":
        return 0
    options, rest = _options(words)
    script = rest[0] if rest else None
    if script is not None:  # what stands in the script counts where the command line says nothing
        lines = re.findall(r"^#SBATCH +(--.+?)(?: +#.*)?$", Path(script).read_text(), re.MULTILINE)
        options = {**_options(lines)[0], **options}
    print("Submitted batch job 42", flush=True)
    command = ["bash", script, *rest[1:]] if script else ["sh", "-c", options["wrap"]]
    return _run_array(command, _numbers(options["array"]), options.get("output", "/dev/null"))


def _options(words: list[str]) -> tuple[dict[str, str], list[str]]:
    pairs = (word[2:].partition("=") for word in words if word.startswith("--"))
    return {name: value for name, _, value in pairs}, [word for word in words if not word.startswith("--")]


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.partition("%")[0].split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def _run_array(command: list[str], numbers: list[int], output: str) -> int:
    kills = {int(number) for number in os.environ.get("SLURM_KILLS", "").split()}
    killed = Path(os.environ["SLURM_LOG"] + ".killed")
    kills -= set(map(int, killed.read_text().split())) if killed.exists() else set()
    order = random.Random(len(numbers)).sample(numbers, len(numbers))
    statuses = []
    for number in order:
        environment = {
            **os.environ,
            "SLURM_ARRAY_TASK_ID": str(number),
            "SLURM_ARRAY_TASK_COUNT": str(len(numbers)),
            "SLURM_ARRAY_JOB_ID": "42",
        }
        with Path(output.replace("%A", "42").replace("%a", str(number))).open("ab") as log:
            task = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            if number in kills:
                time.sleep(0.05)
                os.killpg(task.pid, 9)
                with killed.open("a") as file:
                    file.write(f"{number}\n")
            statuses.append(abs(task.wait()))
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
