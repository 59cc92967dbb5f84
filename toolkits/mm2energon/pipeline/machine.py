"""Machine: the cores and the memory that this process may use, containers and batch systems considered.

Limits of control groups: https://docs.kernel.org/admin-guide/cgroup-v2.html (`cpu.max`, `memory.max`), and of their
first version, https://docs.kernel.org/scheduler/sched-bwc.html (`cpu.cfs_quota_us`, `cpu.cfs_period_us`) and
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html (`memory.limit_in_bytes`). Slurm need not hold its jobs to
their cores; what it gave them stands in https://slurm.schedmd.com/sbatch.html (`SLURM_CPUS_ON_NODE`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from math import ceil
from pathlib import Path

#: Where control groups are seen, and where a process reads which is its own.
GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")

#: What is assumed of a system that does not tell.
_ASSUMED_BYTES = 4 << 30
#: Memory for each worker by default: a decoder of 4K video, and as much again.
_BYTES_OF_A_WORKER = 1 << 30


def usable_cores() -> int:
    """Cores that this process may use: its affinity, the quota of its control group, counted up, its job of Slurm."""
    cores = os.cpu_count() or 1
    with suppress(AttributeError):  # not on every system
        cores = len(os.sched_getaffinity(0))
    for quota, period in (*_limits("cpu.max"), *_limits("cpu.cfs_quota_us", "cpu.cfs_period_us", controller="cpu")):
        cores = min(cores, ceil(int(quota) / int(period)))
    with suppress(KeyError, ValueError):
        cores = min(cores, int(os.environ["SLURM_CPUS_ON_NODE"]))
    return max(1, cores)


def peak_memory_bytes() -> tuple[int, int] | None:
    """The most memory that this process has held, and the most that a worker of it held that has ended; None: unknown.

    What several processes share (the code of libraries) counts for each.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    own, worker = (resource.getrusage(whose).ru_maxrss for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own * unit, worker * unit


def usable_memory_bytes() -> int:
    """Memory that this process and its workers may use: what the machine has, or the limit of its control group."""
    memory = _ASSUMED_BYTES
    with suppress(AttributeError, ValueError, OSError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for (limit,) in (*_limits("memory.max"), *_limits("memory.limit_in_bytes", controller="memory")):
        memory = min(memory, int(limit))
    return memory


def usual_workers() -> int:
    """Worker processes when nobody says how many: one a core, fewer where memory is short."""
    return max(1, min(usable_cores(), usable_memory_bytes() // _BYTES_OF_A_WORKER))


def _limits(*names: str, controller: str = "") -> Iterator[list[str]]:
    """The words in files of a limit, for the group of this process and each group around it that has them all.

    Args:
        controller: of the first version, which keeps a tree of groups for each; none: the one tree of the second.
    """
    try:
        lines = [line.split(":", 2) for line in OWN_GROUP.read_text("ascii").splitlines()]
    except (OSError, ValueError):
        return
    own = next((line[2] for line in lines if len(line) == 3 and controller in line[1].split(",")), "/")
    tree = GROUPS / controller
    group = tree / own.lstrip("/")
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):
            words = [word for name in names for word in (folder / name).read_text("ascii").split()]
            if words and all(word.isdecimal() for word in words):
                yield words
        if folder == tree:
            return
