"""Ray: the items of a step as tasks of a Ray cluster (https://docs.ray.io/en/latest/ray-core/tasks.html).

Few of them are under way at a time, so that the driver's memory stays flat however many there are. No media pass
through Ray's object store: a task is given what a worker is given, and reads and writes the files itself. Ray retries
nothing by itself; what is begun again here is what was lost with its node, and, a few times, with its process.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Any, Generic

import mm2energon
from mm2energon.errors import InputError, MediaError, ToolkitError, missing_extra
from mm2energon.pipeline.loop import Item, Limits, Outcome, Result
from mm2energon.pipeline.pool import Crew, note_answer
from mm2energon.pipeline.worker import Answer, answer_of

#: Tasks submitted for each that can run at the same time: the next one is there when one ends.
_AHEAD = 2
#: Items whose outcomes may wait for that of an earlier one, for each that can run at the same time.
_WINDOW = 64
#: How often an item is begun whose process died, and one that was lost with its node, or for its node's want of memory.
_ATTEMPTS_OF_A_PROCESS = 3
_ATTEMPTS_ON_NODES = 10
#: Seconds after which the size of the cluster is asked for again, as nodes come and go.
_LOOK_AGAIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class RayOptions:
    """Which cluster, and what a unit of work needs there."""

    #: `auto`: the one of this machine, or of RAY_ADDRESS; `local`: one that is started for this run; `ray://host:10001`.
    address: str = "auto"
    cpus: float = 1.0
    memory_bytes: int | None = None


@dataclass(eq=False)
class _Task(Generic[Item, Result]):
    item: Item
    attempts: int = 0
    outcome: Outcome[Item, Result] | None = None
    fault: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.outcome is not None or self.fault is not None


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
        ray = _connected(self._options)
        flight: _Flight[Item, Result] = _Flight(ray, step, limits, self._options)
        try:
            yield from flight.run(iter(items))
        except BaseException:
            flight.cancel()
            raise


class _Flight(Generic[Item, Result]):
    """The items of one step that are under way."""

    def __init__(self, ray: Any, step: Callable[[Item], Result], limits: Limits, options: RayOptions) -> None:
        self._ray, self._step, self._limits, self._options = ray, step, limits, options
        self._submit = ray.remote(
            max_retries=0, num_cpus=options.cpus, memory=options.memory_bytes, name=step.__name__
        )(run_one)
        #: In the order of the items; the first is the next to be given back.
        self._begun: deque[_Task[Item, Result]] = deque()
        self._waiting: deque[_Task[Item, Result]] = deque()
        #: What Ray calls a task -> the task.
        self._flying: dict[Any, _Task[Item, Result]] = {}
        self._room = self._width()
        self._looked_at = time.monotonic()
        #: Fewer at a time, since some were killed for want of memory.
        self._spared = 0

    def run(self, items: Iterator[Item]) -> Iterator[Outcome[Item, Result]]:
        """The outcomes, in the order of the items."""
        while True:
            for item in islice(items, self._room * _WINDOW - len(self._begun)):
                self._begun.append(_Task(item))
                self._waiting.append(self._begun[-1])
            if not self._begun:
                return
            while self._waiting and len(self._flying) < max(1, _AHEAD * self._room - self._spared):
                self._give_out(self._waiting.popleft())
            if not self._begun[0].is_done:
                self._listen()
                continue
            task = self._begun.popleft()
            if task.fault is not None:
                raise task.fault
            if task.outcome is not None:
                yield task.outcome

    def cancel(self) -> None:
        """Stop what is under way."""
        for reference in self._flying:
            self._ray.cancel(reference, force=True)
        self._flying.clear()

    def _give_out(self, task: _Task[Item, Result]) -> None:
        reference = self._submit.remote(self._step, task.item, self._limits, mm2energon.__version__)
        self._flying[reference] = task

    def _listen(self) -> None:
        """Wait until some tasks have ended, and take in what they say."""
        flying = list(self._flying)
        ended, rest = self._ray.wait(flying, num_returns=1, timeout=_LOOK_AGAIN_SECONDS)
        if rest:
            more, _ = self._ray.wait(rest, num_returns=len(rest), timeout=0)
            ended = [*ended, *more]
        for reference in ended:
            self._hear(reference, self._flying.pop(reference))
        if time.monotonic() - self._looked_at > _LOOK_AGAIN_SECONDS:
            self._room, self._looked_at = self._width(), time.monotonic()

    def _hear(self, reference: Any, task: _Task[Item, Result]) -> None:
        lost = self._ray.exceptions
        try:
            answer: Answer = self._ray.get(reference)
        except (lost.WorkerCrashedError, lost.OutOfMemoryError, lost.NodeDiedError, lost.ObjectLostError) as error:
            self._begin_again(task, error, of_node=not isinstance(error, lost.WorkerCrashedError))
            self._spared += isinstance(error, lost.OutOfMemoryError)
        except lost.RayError as error:
            task.fault = ToolkitError(
                f"{task.item}: Ray could not run it ({_first_line(error)}); the same mm2energon and Python were "
                "expected on every node; mend that, and run the same command again to go on"
            )
        else:
            note_answer(task, answer)

    def _begin_again(self, task: _Task[Item, Result], error: Exception, *, of_node: bool) -> None:
        task.attempts += 1
        if task.attempts < (_ATTEMPTS_ON_NODES if of_node else _ATTEMPTS_OF_A_PROCESS):
            self._waiting.append(task)
            return
        message = f"{task.item}: the process that worked on it died {task.attempts} times ({_first_line(error)}): "
        message += "a damaged file, or too little memory"
        task.outcome = Outcome(task.item, error=MediaError(message, "worker-died"))

    def _width(self) -> int:
        """How many items the cluster can run at the same time.

        Raises:
            InputError: no node is large enough for one.
        """
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        wanted = {"CPU": self._options.cpus, "memory": self._options.memory_bytes or 0}
        width = sum(
            min(int(node.get(name, 0) // amount) for name, amount in wanted.items() if amount) for node in nodes
        )
        if nodes and not width:
            raise InputError(
                f"--cpus-per-unit {self._options.cpus:g}: no node of the Ray cluster has so many CPUs, or so much "
                "memory as --memory-per-unit; less was expected"
            )
        return max(1, ceil(width))


def run_one(step: Callable[[Any], Any], item: Any, limits: Limits, version: str) -> Answer:
    """Run a step on an item, in a task of Ray: what has limits in a process that can be killed."""
    if version != mm2energon.__version__:
        message = f"Ray: a node has mm2energon {mm2energon.__version__}, the driver {version}; the same was expected"
        return Answer(error=ToolkitError(f"{message}; install it on every node"))
    if limits == Limits():
        return answer_of(step, item)
    if (step.__module__, limits) not in _crews:
        _crews[step.__module__, limits] = Crew(step, 1, limits)
    try:
        [outcome] = _crews[step.__module__, limits].run(iter([item]))
    except Exception as error:  # noqa: BLE001 (whatever it is, the driver has to know)
        return Answer(error=error)
    return Answer(outcome.result, outcome.error)


#: Of this process of Ray's: module of a step and limits -> the worker that lives on between tasks.
_crews: dict[tuple[str, Limits], Crew[Any, Any]] = {}


def _connected(options: RayOptions) -> Any:
    """Ray, connected to the cluster."""
    try:
        import ray
    except ImportError as error:
        raise missing_extra("ray", "ray") from error
    if ray.is_initialized():
        return ray
    how: dict[str, Any] = {"include_dashboard": False} if options.address == "local" else {}
    try:
        ray.init(address=options.address, log_to_driver=False, logging_level=logging.ERROR, **how)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"--ray-address {options.address}: no Ray cluster answers ({_first_line(error)}); start one with "
            "ray start --head, or give --ray-address local"
        ) from error
    return ray


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
