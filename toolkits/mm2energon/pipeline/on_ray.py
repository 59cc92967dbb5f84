"""Ray: the items of a step as tasks of a Ray cluster (https://docs.ray.io/en/latest/ray-core/tasks.html).

Few of them are under way at a time, so that the driver's memory stays flat however many there are. No media pass
through Ray's object store: a task is given what a worker is given, and reads and writes the files itself. Ray retries
nothing by itself; what is begun again here is what was lost with its node, and, a few times, with its process.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import mm2energon
from mm2energon.errors import MediaError, ToolkitError
from mm2energon.pipeline.loop import Item, Limits, Outcome, Result
from mm2energon.pipeline.pool import Crew
from mm2energon.pipeline.ray_cluster import Cluster, RayOptions, connected, first_line
from mm2energon.pipeline.under_way import Task, UnderWay

#: How often an item is begun whose process dies, whose node dies, and whose node has too little memory.
_ATTEMPTS_OF_A_PROCESS = 3
_ATTEMPTS_ON_NODES = 10
_ATTEMPTS_FOR_MEMORY = 8
#: Seconds that Ray is waited for at a time; what a signal raises it lets through in between alone.
_WAIT_SECONDS = 1.0
#: Seconds after which the cluster is looked at again, as nodes come and go.
_LOOK_AGAIN_SECONDS = 15.0
#: Where a node finds this library that has none installed, and sees the same files.
_LIBRARY = str(Path(mm2energon.__file__).resolve().parents[1])


@dataclass(eq=False)
class _Task(Task[Item, Result]):
    #: What Ray sets apart for it.
    cpus: float = 1.0
    #: How often its process died, its node died, or its node had too little memory.
    crashes: int = 0
    losses: int = 0
    shortages: int = 0


class RayExecutor:
    """Runs items as tasks of a Ray cluster."""

    def __init__(self, options: RayOptions) -> None:
        self._options = options

    def run(
        self, step: Callable[[Item], Result], items: Iterable[Item], *, limits: Limits
    ) -> Iterator[Outcome[Item, Result]]:
        """As `run_each`.

        Raises:
            InputError: there is no such cluster, or none of its nodes is large enough.
            DependencyError: Ray is not installed.
        """
        cluster = Cluster(connected(self._options), self._options)
        flight: _Flight[Item, Result] = _Flight(cluster, step, limits)
        try:
            yield from flight.run(iter(items))
        except BaseException:
            flight.cancel()
            raise


class _Flight(UnderWay["_Task[Item, Result]", Item, Result]):
    """The items of one step that are under way."""

    def __init__(self, cluster: Cluster, step: Callable[[Item], Result], limits: Limits) -> None:
        super().__init__(partial(_Task, cpus=cluster.options.cpus))
        self._cluster, self._ray = cluster, cluster.ray
        self._step = step if limits == Limits() else partial(run_guarded, step=step, limits=limits)
        name = getattr(step, "__name__", "unit")
        self._remote = self._ray.remote(
            max_retries=0, name=name, num_cpus=cluster.options.cpus, memory=cluster.options.memory_bytes
        )(_task())
        #: What Ray calls a task -> the task.
        self._flying: dict[Any, _Task[Item, Result]] = {}
        self._looked_at = time.monotonic()

    def cancel(self) -> None:
        """Stop what is under way."""
        for reference in self._flying:
            self._ray.cancel(reference, force=True)
        self._flying.clear()

    def _width(self) -> int:
        return self._cluster.width

    def _busy(self) -> int:
        return len(self._flying)

    def _give_out(self) -> None:
        while self._waiting:
            self._submit(self._waiting.popleft())

    def _submit(self, task: _Task[Item, Result]) -> None:
        asked = pickle.dumps((self._step, task.item))
        with_room = self._remote.options(num_cpus=task.cpus) if task.shortages else self._remote
        reference = with_room.remote(asked, mm2energon.__version__, _LIBRARY)
        self._flying[reference] = task

    def _listen(self) -> None:
        """Wait until some tasks have ended, and take in what they say."""
        try:
            ended, rest = self._ray.wait(list(self._flying), num_returns=1, timeout=_WAIT_SECONDS)
            if ended and rest:
                more, _ = self._ray.wait(rest, num_returns=len(rest), timeout=0)
                ended = [*ended, *more]
        except SystemError as error:  # what a signal raised here, as Ray passes it on
            raise error.__cause__ or error from None
        for reference in ended:
            self._hear(reference, self._flying.pop(reference))
        if time.monotonic() - self._looked_at > _LOOK_AGAIN_SECONDS:
            self._cluster.look()
            self._looked_at = time.monotonic()

    def _hear(self, reference: Any, task: _Task[Item, Result]) -> None:
        lost = self._ray.exceptions
        try:
            answer: bytes | str = self._ray.get(reference)
        except lost.WorkerCrashedError as error:
            task.crashes += 1
            self._begin_again(task, error, begun=task.crashes, most=_ATTEMPTS_OF_A_PROCESS)
        except lost.OutOfMemoryError as error:
            task.shortages += 1
            task.cpus = self._cluster.more(task.cpus)  # fewer run beside it, and at last none
            self._begin_again(task, error, begun=task.shortages, most=_ATTEMPTS_FOR_MEMORY)
        except (lost.NodeDiedError, lost.ObjectLostError) as error:
            task.losses += 1
            self._begin_again(task, error, begun=task.losses, most=_ATTEMPTS_ON_NODES)
        except lost.RayError as error:
            task.fault = ToolkitError(
                f"{task.item}: Ray could not run it ({first_line(error)}); see the logs of the cluster, and run the "
                "same command again to go on"
            )
        else:
            if isinstance(answer, str):
                task.fault = ToolkitError(answer)
            else:
                task.note(pickle.loads(answer))  # noqa: S301 (it comes from our own run)

    def _begin_again(self, task: _Task[Item, Result], error: Exception, *, begun: int, most: int) -> None:
        if begun < most:
            self._waiting.append(task)
            return
        message = f"{task.item}: the process that worked on it died {begun} times ({first_line(error)}): "
        message += "a damaged file, or too little memory"
        task.outcome = Outcome(task.item, error=MediaError(message, "worker-died"))


def _task() -> Callable[[bytes, str, str], bytes | str]:
    """What a task of Ray does. It goes to the node as code, and not by its name, which a node may not know yet."""

    def answer(asked: bytes, version: str, library: str) -> bytes | str:
        import socket
        import sys

        told = f"Ray: {socket.gethostname()} has %s; {version} was expected, as the driver has; "
        told += "install it on every node, and run the same command again to go on"
        if library not in sys.path:
            sys.path.append(library)  # last: what is installed there comes first
        try:
            import mm2energon
            from mm2energon.pipeline.worker import answered
        except ImportError as error:
            return told % f"no mm2energon ({error})"
        if mm2energon.__version__ != version:
            return told % f"mm2energon {mm2energon.__version__}"
        return answered(asked)

    return answer


def run_guarded(item: Item, *, step: Callable[[Item], Result], limits: Limits) -> Result:
    """Run a step on an item in a process that can be killed, and lives on for the next item.

    Raises:
        MediaError: it was.
    """
    key = pickle.dumps((step, limits))
    crew = _crews.pop(key, None) or Crew(step, 1, limits)
    try:
        [outcome] = crew.run(iter([item]))
    except BaseException:
        crew.stop()
        raise
    _crews[key] = crew
    if outcome.error is not None:
        raise outcome.error
    return cast(Result, outcome.result)


#: Of this process of Ray's: step and limits, pickled -> the worker that lives on between tasks.
_crews: dict[bytes, Crew[Any, Any]] = {}
