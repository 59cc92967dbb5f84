"""A Ray cluster of several nodes on this machine, and drivers that wait for a sign, for tests.

`python -m pipeline.ray_nodes FOLDER shard ...` is `mm2energon shard ...` whose units wait as `steps.held` says.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mm2energon import cli
from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.on_ray import RayExecutor

from pipeline.steps import PATIENCE_SECONDS, held

TESTS = Path(__file__).resolve().parents[1]
#: What nodes say that they have.
_MEMORY_BYTES = 8 << 30
#: The least that Ray takes.
_STORE_BYTES = 80 << 20


class Nodes:
    """A cluster whose head runs no units of work."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster()
        self.add(num_cpus=0)
        self.address: str = self._cluster.address

    def add(self, *, num_cpus: float, **environment: str) -> Any:
        """A further node, whose processes find the steps of the tests."""
        python_path = environment.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [python_path, str(TESTS)]))
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"RAY_USAGE_STATS_ENABLED": "0", **environment}.items():
                patch.setenv(name, value)
            return self._cluster.add_node(
                num_cpus=num_cpus, object_store_memory=_STORE_BYTES, include_dashboard=False, memory=_MEMORY_BYTES
            )

    def kill(self, node: Any) -> None:
        """End all processes of a node at once, as a power cut does; workers would outlive their raylet for a moment."""
        raylet = node.all_processes["raylet"][0].process.pid
        children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
        for process in [raylet, *map(int, children)]:
            os.kill(process, signal.SIGKILL)
        self._cluster.remove_node(node, allow_graceful=False)

    def settle(self, num_cpus: float) -> None:
        """Wait until the cluster has noticed which nodes have gone: until those there have so many CPUs."""
        import ray

        until = time.monotonic() + PATIENCE_SECONDS
        while sum(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]) != num_cpus:
            assert time.monotonic() < until, ray.nodes()
            time.sleep(0.1)

    def stop(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()


@contextmanager
def started() -> Iterator[Nodes]:
    """A cluster, until the block ends."""
    import ray

    nodes = Nodes()
    try:
        yield nodes
    finally:
        ray.shutdown()
        nodes.stop()


def hold_units(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have all that runs on Ray wait for `folder / "sign"`, and note in `folder / "begun"` what has begun."""
    run = RayExecutor.run

    def run_held(self: RayExecutor, step: Any, items: Any, *, limits: Limits) -> Any:
        return run(self, partial(held, step=step, folder=folder), items, limits=limits)

    patch.setattr(RayExecutor, "run", run_held)


def begun(folder: Path, *, at_least: int) -> list[int]:
    """The units that have begun, once there are so many."""
    log, deadline = folder / "begun", time.monotonic() + PATIENCE_SECONDS
    while True:
        found = [int(line) for line in log.read_text().splitlines()] if log.exists() else []
        if len(found) >= at_least:
            return found
        assert time.monotonic() < deadline, f"{len(found)} units of {at_least} have begun"
        time.sleep(0.01)


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as whole_run:
        hold_units(whole_run, Path(sys.argv[1]))
        sys.argv[1:] = sys.argv[2:]
        sys.exit(cli.main())
