"""Measure: CPU and wall seconds of work in a process of its own, contenders in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: How often the memory of a tree of processes is looked at.
WATCH_SECONDS = 0.05


class Unfit(Exception):
    """A contender cannot do this work here: not installed, or it cannot decode the file."""


@dataclass(frozen=True)
class Sample:
    """One run. CPU is user + sys, of the process and of all processes that it started."""

    cpu_seconds: float
    wall_seconds: float
    #: Of the largest process; of all together where a run was watched.
    peak_mb: float
    facts: dict[str, Any] = field(default_factory=dict)

    def __add__(self, other: Sample) -> Sample:
        return Sample(
            self.cpu_seconds + other.cpu_seconds,
            self.wall_seconds + other.wall_seconds,
            max(self.peak_mb, other.peak_mb),
            self.facts | other.facts,
        )


#: Does the work once, cleaning up before and after, outside what it measures.
Contender = Callable[[], Sample]


@dataclass(frozen=True)
class Race:
    """What became of contenders that ran in turn."""

    samples: dict[str, list[Sample]]
    #: Contender -> why it did not take part.
    unfit: dict[str, str]

    def cpu(self, name: str) -> float:
        """Median CPU seconds."""
        return median(sample.cpu_seconds for sample in self.samples[name])

    def wall(self, name: str) -> float:
        """Median wall seconds."""
        return median(sample.wall_seconds for sample in self.samples[name])


def race(contenders: Mapping[str, Contender], repeats: int) -> Race:
    """Run the contenders one after another, `repeats` times round, so that a busy moment meets all of them."""
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    unfit: dict[str, str] = {}
    for _ in range(repeats):
        for name, contender in contenders.items():
            if name in unfit:
                continue
            try:
                samples[name].append(contender())
            except Unfit as error:
                unfit[name] = str(error)
    return Race({name: runs for name, runs in samples.items() if name not in unfit}, unfit)


def run_child(task: str, *, python: str = sys.executable, **arguments: Any) -> Sample:
    """Measure a task (`module:function` below `benchmarks`) in a fresh process that has imported what it needs.

    Raises:
        Unfit: the task says that it cannot be done here.
        RuntimeError: it failed.
    """
    done = subprocess.run(
        [python, "-m", "benchmarks.child", task, json.dumps(arguments, default=str)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{task} failed with {arguments}:\n{done.stderr[-3000:]}")
    value = json.loads(done.stdout.splitlines()[-1])
    if "unfit" in value:
        raise Unfit(value["unfit"])
    return Sample(value["cpu_seconds"], value["wall_seconds"], value["peak_mb"], value["facts"])


def run_command(command: Sequence[str | Path], *, cwd: Path = ROOT, watch: bool = False) -> Sample:
    """Measure a whole command, its start included.

    Args:
        watch: look at the memory of all its processes together while it runs.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        # stdout is not a terminal, so that no progress bar is drawn.
        process = subprocess.Popen(
            list(map(str, command)), cwd=cwd, env=environment(), stdout=output, stderr=subprocess.STDOUT
        )
        peaks = [0.0]
        if watch:
            watcher = threading.Thread(target=_watch, args=(process.pid, peaks), daemon=True)
            watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read().decode("utf-8", "replace")[-3000:]
            raise RuntimeError(f"{' '.join(map(str, command))} exited with {process.returncode}:\n{said}")
    return Sample(usage.ru_utime + usage.ru_stime, wall, max(usage.ru_maxrss / 1024, *peaks))


def ours(*arguments: str | Path) -> list[str | Path]:
    """The command line of mm2energon."""
    return [sys.executable, "-m", "mm2energon", *arguments]


def environment() -> dict[str, str]:
    """The environment of measured processes: this checkout comes first."""
    path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "toolkits"), os.environ.get("PYTHONPATH")]))
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PYTHONPATH": path, "PATH": binaries}


def _watch(process: int, peaks: list[float]) -> None:
    """Note the most memory (MB) that a process and its children hold at one time, until it is gone."""
    page_mb = os.sysconf("SC_PAGE_SIZE") / 2**20
    while True:
        try:
            pages = sum(_pages(member) for member in _tree(process))
        except OSError:
            return
        peaks[0] = max(peaks[0], pages * page_mb)
        time.sleep(WATCH_SECONDS)


def _tree(process: int) -> list[int]:
    found = [process]
    for member in found:  # grows while it is walked
        for task in Path(f"/proc/{member}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _pages(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:  # a child that has just gone
        return 0
