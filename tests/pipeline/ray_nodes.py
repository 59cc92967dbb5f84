"""A Ray cluster of several nodes on this machine, for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_TESTS = Path(__file__).resolve().parents[1]
#: The least that Ray takes.
_STORE_BYTES = 80 << 20


class Nodes:
    """A cluster whose head runs no units of work."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster()
        self.add(num_cpus=0)
        self.address: str = self._cluster.address

    def add(self, *, num_cpus: float, **more: Any) -> Any:
        """A further node."""
        return self._cluster.add_node(
            num_cpus=num_cpus, object_store_memory=_STORE_BYTES, include_dashboard=False, **more
        )

    def kill(self, node: Any) -> None:
        """End all processes of a node at once."""
        self._cluster.remove_node(node, allow_graceful=False)

    def stop(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()


@contextmanager
def started() -> Iterator[Nodes]:
    """A cluster, until the block ends; its processes find the steps of the tests."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(_TESTS), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        nodes = Nodes()
        try:
            yield nodes
        finally:
            ray.shutdown()
            nodes.stop()
