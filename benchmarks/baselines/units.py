"""Units: work that does nothing, or keeps a core busy, on each executor."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterable
from typing import Any

from mm2energon.pipeline.loop import Executor, run_each

#: Units after which memory is noted, for what more of them add.
_FEW = 10_000


def nothing(number: int) -> int:
    """A unit of no work."""
    return number


def busy(milliseconds: int) -> int:
    """A unit that takes so much time of a core."""
    until = time.process_time() + milliseconds / 1000
    while time.process_time() < until:
        pass
    return milliseconds


def units(*, executor: str, workers: int, tiny: int, long: int, milliseconds: int) -> Callable[[], dict[str, Any]]:
    """So many units of no work, then so many long ones; what either took is told."""
    chosen = _executor(executor, workers)
    _run(nothing, range(workers), chosen, workers)  # the workers are there

    def work() -> dict[str, Any]:
        begun = time.perf_counter()
        first = min(_FEW, tiny)
        _run(nothing, range(first), chosen, workers)
        few_mb = _peak_mb()
        if tiny > first:
            _run(nothing, range(tiny - first), chosen, workers)
        facts = {"unit_us": (time.perf_counter() - begun) / max(tiny, 1) * 1e6, "few_mb": few_mb, "all_mb": _peak_mb()}
        begun = time.perf_counter()
        _run(busy, [milliseconds] * long, chosen, workers)
        return facts | {"long_seconds": time.perf_counter() - begun}

    return work


def _executor(name: str, workers: int) -> Executor | None:
    if name == "local":
        return None
    import ray
    from mm2energon.pipeline.on_ray import RayExecutor
    from mm2energon.pipeline.ray_cluster import RayOptions

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    return RayExecutor(RayOptions("local"))


def _run(step: Callable[[int], int], items: Iterable[int], executor: Executor | None, workers: int) -> None:
    for outcome in run_each(step, items, workers=workers, executor=executor):
        if outcome.error is not None:
            raise RuntimeError(str(outcome.error))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
