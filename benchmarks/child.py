"""Child: `python -m benchmarks.child MODULE:FUNCTION ARGUMENTS` measures one piece of work and prints its figures.

The function imports what it needs and returns the work itself, so that imports do not count.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time

from benchmarks.measure import Unfit

#: Threads of numpy's algebra library spin for a while after they are made; that is not the work's.
SETTLE_SECONDS = 0.25


def main() -> None:
    """Measure the task named on the command line."""
    module, function = sys.argv[1].split(":")
    try:
        work = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**json.loads(sys.argv[2]))
        if "numpy" in sys.modules:
            time.sleep(SETTLE_SECONDS)
        cpu, wall = cpu_seconds(), time.perf_counter()
        facts = work()
        cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    except Unfit as error:
        sys.stdout.write(json.dumps({"unfit": str(error)}) + "\n")
        return
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    value = {"cpu_seconds": cpu, "wall_seconds": wall, "peak_mb": peak_mb, "facts": facts}
    sys.stdout.write("\n" + json.dumps(value) + "\n")


def cpu_seconds() -> float:
    """User and system seconds of this process and of the children that it has waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
