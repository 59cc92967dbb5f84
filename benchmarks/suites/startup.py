"""Start-up: what a command costs before it does anything."""

from __future__ import annotations

import sys

from benchmarks.measure import ours, race, run_command
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting

AT_MOST_SECONDS = 0.25
#: Starts are short: more of them make a median.
TIMES = 3


def run(setting: Setting, results: Results) -> None:
    """Measure `--help` against a Python that does nothing."""
    setting.say("startup")
    contenders = {
        "mm2energon": lambda: run_command(ours("--help")),
        "python -c pass": lambda: run_command([sys.executable, "-c", "pass"]),
    }
    found = race(contenders, setting.repeats * TIMES)
    work = "`mm2energon --help`"
    results.add_race("startup", work, found)
    more = round(found.wall("mm2energon") - found.wall("python -c pass"), 3)
    results.figures.append(
        Figure(
            "startup",
            work,
            "python -c pass",
            "value",
            value=more,
            unit="s more",
            target=AT_MOST_SECONDS,
            target_on=("value",),
        )
    )
