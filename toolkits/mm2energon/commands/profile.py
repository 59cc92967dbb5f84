"""Where the time of a run went, and how much memory it took: for people, and as a JSON file for programs."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from mm2energon.pipeline.machine import peak_memory_bytes
from mm2energon.stopwatch import Stopwatch
from mm2energon.storage import write_whole


def add_profile(parser: argparse.ArgumentParser) -> None:
    """The option that asks for it."""
    parser.add_argument("--profile", type=Path, metavar="FILE", help="write where time and memory went, as JSON")


class Profile:
    """Measures a command from its making to its lines."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._path: Path | None = arguments.profile
        self._begun = time.perf_counter()

    @property
    def wall_seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._begun

    def lines(self, watch: Stopwatch) -> list[str]:
        """The table, once the file is written; nothing when nobody asked for it.

        The seconds of a step are added up over all workers: together they may be more than the whole run took.
        """
        if self._path is None:
            return []
        wall_seconds = self.wall_seconds
        spent = watch.spent
        steps = {
            step: {"wall_seconds": round(one.wall_seconds, 6), "cpu_seconds": round(one.cpu_seconds, 6)}
            for step, one in spent.items()
        }
        about = {"wall_seconds": round(wall_seconds, 6), "steps": steps, "peak_memory_bytes": _peaks()}
        with write_whole(self._path) as file:
            file.write(json.dumps(about, indent=1).encode() + b"\n")
        rows = [f"  {step:<12}{one.wall_seconds:>10.2f}{one.cpu_seconds:>10.2f}" for step, one in spent.items()]
        return [f"{'seconds':<14}{'clock':>10}{'work':>10}", *rows, f"  {'whole run':<12}{wall_seconds:>10.2f}"]


def memory_line() -> list[str]:
    """The line of a summary that says how much memory the run took at most; none where that is not known."""
    peaks = _peaks()
    if peaks is None:
        return []
    worker = f", {peaks['worker'] / 1e6:.0f} MB in a worker" if peaks["worker"] else ""
    return [f"memory     {peaks['main'] / 1e6:>8.0f}   (MB at most{worker})"]


def _peaks() -> dict[str, int] | None:
    peaks = peak_memory_bytes()
    return None if peaks is None else {"main": peaks[0], "worker": peaks[1]}
