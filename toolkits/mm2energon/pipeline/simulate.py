"""Simulate: how long units of work would take on more machines, from what some of them took.

Each worker takes one unit after another, as tasks of an array or of Ray do. A unit takes the seconds that it was
measured to take, and reads and writes meanwhile at an even rate; while all that run want more of the storage than it
gives, all of them go slower by the same factor. So the schedule is one of undisturbed seconds, stretched afterwards.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mm2energon.errors import InputError

if TYPE_CHECKING:  # numpy is imported where it is needed: a tenth of a second
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

#: What the time of a run goes to.
LIMITS = ("workers", "storage bandwidth", "storage requests", "last units", "driver")


@dataclass(frozen=True)
class Work:
    """Units in the order in which they are given out: what each takes; float64, one number a unit."""

    seconds: Numbers
    bytes_read: Numbers
    bytes_written: Numbers
    requests: Numbers
    #: What one machine does alone: it plans the units before, and finishes the command after them.
    driver_seconds: float = 0.0

    def times(self, factor: float) -> Work:
        """So many times as much work, of units of the same kinds in the same order.

        Raises:
            InputError: nothing is left of it.
        """
        import numpy as np

        count = round(len(self.seconds) * factor)
        if not count:
            raise InputError(f"--times {factor:g}: leaves none of {len(self.seconds)} units; a larger one was expected")
        like = np.minimum((np.arange(count) / factor).astype(np.int64), len(self.seconds) - 1)
        return Work(
            self.seconds[like],
            self.bytes_read[like],
            self.bytes_written[like],
            self.requests[like],
            self.driver_seconds * factor,
        )


@dataclass(frozen=True)
class Cluster:
    """The machines that units would run on."""

    nodes: int
    #: Units that each node runs at the same time.
    workers: int
    #: Of the storage, for all nodes together; None: no limit.
    bytes_per_second: float | None = None
    requests_per_second: float | None = None
    #: Seconds until a node begins with its first unit.
    start_seconds: float = 0.0
    #: Units are shared out beforehand, every N-th to a node (an array); else who is free takes the next (Ray).
    by_share: bool = True
    #: Units that the driver gives out in a second, where they are not shared out beforehand.
    units_per_second: float | None = None


@dataclass(frozen=True)
class Prediction:
    """What a run would take."""

    nodes: int
    workers: int
    wall_seconds: float
    #: Part of the time that workers are at work while units run.
    busy: float
    #: On the average while units run.
    bytes_per_second: float
    requests_per_second: float
    #: Between the moment that the first worker finds nothing more to do and the end of the last unit.
    last_seconds: float
    #: One of LIMITS -> seconds that it was what held the run up.
    limited_by: dict[str, float]

    @property
    def bottleneck(self) -> str:
        """What holds the run up most."""
        return max(self.limited_by, key=lambda limit: self.limited_by[limit])


def simulate(work: Work, cluster: Cluster) -> Prediction:
    """What the work would take on these machines."""
    import numpy as np

    begins, ends, idle_from = _schedule(work, cluster)
    moments = np.concatenate([begins, ends])
    order = np.argsort(moments, kind="stable")
    moments = moments[order]
    spans = np.diff(moments)
    lasting = np.maximum(work.seconds, 1e-9)
    bandwidth = _level((work.bytes_read + work.bytes_written) / lasting, order) / (cluster.bytes_per_second or np.inf)
    requests = _level(work.requests / lasting, order) / (cluster.requests_per_second or np.inf)
    spans = spans * np.maximum(1.0, np.maximum(bandwidth, requests))
    clock = np.concatenate([[0.0], np.cumsum(spans)]) + moments[0]
    run_seconds = float(clock[-1])
    idle_moment = float(np.interp(idle_from, moments, clock))
    by_storage = np.maximum(bandwidth, requests) > 1.0
    is_last = moments[:-1] >= idle_from
    limited = dict.fromkeys(LIMITS, 0.0)
    limited["storage bandwidth"] = float(spans[by_storage & (bandwidth >= requests)].sum())
    limited["storage requests"] = float(spans[by_storage & (bandwidth < requests)].sum())
    limited["last units"] = float(spans[~by_storage & is_last].sum())
    limited["workers"] = float(spans[~by_storage & ~is_last].sum()) + float(moments[0])
    limited["driver"] = work.driver_seconds
    at_work = float((_level(np.ones(len(lasting)), order) * spans).sum())
    return Prediction(
        nodes=cluster.nodes,
        workers=cluster.workers,
        wall_seconds=run_seconds + work.driver_seconds,
        busy=at_work / max(1e-9, run_seconds * cluster.nodes * cluster.workers),
        bytes_per_second=float((work.bytes_read + work.bytes_written).sum()) / max(1e-9, run_seconds),
        requests_per_second=float(work.requests.sum()) / max(1e-9, run_seconds),
        last_seconds=run_seconds - idle_moment,
        limited_by=limited,
    )


def _level(rates: Numbers, order: NDArray[np.int64]) -> Numbers:
    """The sum of the rates of the units that run, between each moment and the next; begins come before ends."""
    import numpy as np

    level: Numbers = np.maximum(0.0, np.cumsum(np.concatenate([rates, -rates])[order])[:-1])
    return level


def _schedule(work: Work, cluster: Cluster) -> tuple[Numbers, Numbers, float]:
    """When each unit would begin and end on a storage without limits, and when the first worker has nothing more."""
    import numpy as np

    begins = np.empty(len(work.seconds))
    idle_from = float("inf")
    for numbers, workers in _queues(len(work.seconds), cluster):
        free = [cluster.start_seconds] * workers
        for place, number in enumerate(numbers):
            given = place / cluster.units_per_second if cluster.units_per_second and not cluster.by_share else 0.0
            begin = max(free[0], given)
            begins[number] = begin
            heapq.heapreplace(free, begin + float(work.seconds[number]))
        idle_from = min(idle_from, free[0])
    return begins, begins + work.seconds, idle_from


def _queues(units: int, cluster: Cluster) -> Iterator[tuple[range, int]]:
    """Units that workers take in order, and how many workers."""
    if not cluster.by_share:
        yield range(units), cluster.nodes * cluster.workers
        return
    for node in range(cluster.nodes):
        yield range(node, units, cluster.nodes), cluster.workers
