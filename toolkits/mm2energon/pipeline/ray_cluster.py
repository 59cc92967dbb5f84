"""A Ray cluster: how it is reached, and how many units of work it can run at a time."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mm2energon.errors import InputError, ToolkitError, missing_extra

#: Of a cluster that is started for one run: its object store holds results alone.
_STORE_BYTES = 200 << 20
#: Seconds for a cluster to answer at all. Ray itself would go on trying for many minutes.
_KNOCK_SECONDS = 10.0
#: Seconds that a run waits for nodes, when all have gone.
_PATIENCE_SECONDS = 900.0
_STDERR = 2
#: Sizes of nodes that are named.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class RayOptions:
    """Which cluster, and what a unit of work needs there."""

    #: `auto`: the one of this machine, or of RAY_ADDRESS; `local`: one that is started for this run; `ray://host:10001`.
    address: str = "auto"
    cpus: float = 1.0
    memory_bytes: int | None = None


class Cluster:
    """The nodes that can run units of work."""

    def __init__(self, ray: Any, options: RayOptions) -> None:
        """
        Raises:
            InputError: no node is large enough for a unit.
        """
        self.ray, self.options = ray, options
        #: How many units can run at the same time, and the CPUs of the largest node.
        self.width, self._most_cpus = 1, options.cpus
        self._last_seen = time.monotonic()
        if not self._count():
            memory = options.memory_bytes
            asked = f"--cpus-per-unit {options.cpus:g}" + (f", --memory-per-unit {memory >> 20}M" if memory else "")
            raise InputError(
                f"{asked}: no node of the Ray cluster has so much ({self._nodes()}); give less, or add a node that is "
                "large enough"
            )

    def look(self) -> None:
        """Count the nodes again.

        Raises:
            ToolkitError: none has been there for a long time.
        """
        if self._count():
            self._last_seen = time.monotonic()
        elif time.monotonic() - self._last_seen > _PATIENCE_SECONDS:
            raise ToolkitError(
                f"Ray: for {_PATIENCE_SECONDS / 60:g} minutes the cluster has had no node that is large enough for a "
                "unit of work; add one, and run the same command again to go on"
            )

    def more(self, cpus: float) -> float:
        """CPUs to set apart for a unit that had too little memory beside others."""
        return max(cpus, min(2 * cpus, self._most_cpus))

    def _nodes(self) -> str:
        """What nodes there are, in words."""
        found = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        told = sorted({(each.get("CPU", 0.0), int(each.get("memory", 0)) >> 20) for each in found}, reverse=True)
        return ", ".join(f"{cpus:g} CPUs and {megabytes}M" for cpus, megabytes in told[:_NAMED]) or "there is none"

    def _count(self) -> bool:
        """Whether there is room for a unit; nodes that have just gone may come again, so that width is at least 1."""
        wanted = {"CPU": self.options.cpus, "memory": float(self.options.memory_bytes or 0)}
        room, cpus = [], []
        for node in self.ray.nodes():
            found = node["Resources"] if node["Alive"] else {}
            # Ray keeps four decimals
            room.append(min(int(found.get(name, 0) / amount + 1e-4) for name, amount in wanted.items() if amount))
            cpus.append(found.get("CPU", 0.0) if room[-1] else 0.0)
        self.width = max(1, sum(room))
        self._most_cpus = max([self.options.cpus, *cpus])
        return sum(room) > 0


def connected(options: RayOptions) -> Any:
    """Ray, connected to the cluster.

    Raises:
        InputError: there is none.
        DependencyError: Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise missing_extra("ray", "ray") from error
    if ray.is_initialized():
        return ray
    how: dict[str, Any] = {}
    if options.address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster for one run tells nobody of it
        how = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        _knock(options.address)
        with _signals_stay(), _quiet():
            # What happens to nodes Ray prints otherwise, logs and all, among what the command prints for programs.
            ray._private.worker._worker_logs_enabled = False
            ray.init(address=options.address, log_to_driver=False, logging_level=logging.ERROR, **how)
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
        if _wants_token(error):
            raise InputError(
                f"--ray-address {options.address}: the Ray cluster asks for a token; set RAY_AUTH_MODE=token, with the "
                "token of its head in ~/.ray/auth_token, and run the same command again"
            ) from error
        raise InputError(
            f"--ray-address {options.address}: no Ray cluster answers ({first_line(error)}); start one with "
            f"ray start --head, or give --ray-address local{_of_client(options.address)}"
        ) from error
    return ray


def _of_client(address: str) -> str:
    """What else may be wrong: a server for clients does not say that it asks for a token."""
    if not address.startswith("ray://") or os.environ.get("RAY_AUTH_MODE") == "token":
        return ""
    return " (where the cluster asks for a token: set RAY_AUTH_MODE=token, with that of its head in ~/.ray/auth_token)"


def _wants_token(error: BaseException | None) -> bool:
    """Whether it comes of that; Ray has an error for it since 2.52, and raises others from it."""
    while error is not None:
        if type(error).__name__ == "AuthenticationError" or "AuthenticationError" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def first_line(error: BaseException) -> str:
    """What an error says, in short."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _knock(address: str) -> None:
    """See whether anybody listens at an address.

    Raises:
        OSError: nobody does.
        ValueError: it is no address.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or _noted_address()
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.scheme in ("", "ray") and place.hostname is not None and place.port is not None:
        socket.create_connection((place.hostname, place.port), timeout=_KNOCK_SECONDS).close()


def _noted_address() -> str:
    """The address that Ray would take here, which may be that of a cluster that died."""
    try:
        from ray._private.services import canonicalize_bootstrap_address
    except ImportError:  # another version of Ray; it will see for itself
        return ""
    return canonicalize_bootstrap_address("auto") or ""


@contextmanager
def _signals_stay() -> Iterator[None]:
    """Keep what the command does when it is told to stop: Ray puts a way of its own in its place."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and signal.getsignal(signal.SIGTERM) is not before:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what Ray's parts write to the terminal each time they try; the error says it in the end."""
    sys.stderr.flush()
    try:
        kept = os.dup(_STDERR)
    except OSError:  # there is no terminal
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
