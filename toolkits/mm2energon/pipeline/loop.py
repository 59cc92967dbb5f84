"""The one loop: a step over items, here, in worker processes or on a cluster, whose faults cost one item each.

Outcomes come in the order of the items. A worker that crashes, hangs or eats memory is killed; its item alone fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from mm2energon.errors import SampleError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one item may cost before its worker is killed."""

    seconds: float | None = None
    #: Address space of a worker, in bytes.
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: a result, or the error that sets it aside."""

    item: Item
    result: Result | None = None
    error: SampleError | None = None


class Executor(Protocol):
    """Runs the items of a step elsewhere than in workers of this machine."""

    def run(
        self, step: Callable[[Item], Result], items: Iterable[Item], *, limits: Limits
    ) -> Iterator[Outcome[Item, Result]]:
        """As `run_each`: the outcomes, in the order of the items."""


class Progress(Protocol):
    """Shows how far a long step is."""

    def update(self, count: int, /, **also: float) -> Any:
        """Say that `count` more units are done, and with them so much of something `also`: `frames=20, MB=1.5`."""

    def close(self) -> Any:
        """Say that the step is over."""


#: Makes a bar from what is counted and how many there are (None: not known).
ProgressMaker = Callable[[str, "int | None"], Progress]


class _Silent:
    def update(self, count: int, /, **also: float) -> None:
        pass

    def close(self) -> None:
        pass


def silent(_what: str, _total: int | None) -> Progress:
    """A ProgressMaker that shows nothing."""
    return _Silent()


def run_each(
    step: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    limits: Limits | None = None,
    executor: Executor | None = None,
    in_order: bool = True,
    meanwhile: Callable[[], object] | None = None,
) -> Iterator[Outcome[Item, Result]]:
    """Run `step` over `items`, in order.

    Args:
        step: a function of one item, picklable when there are workers; a SampleError of it becomes the item's outcome,
            any other exception ends the run.
        workers: processes; 0 runs the step in this process, without limits.
        executor: what runs it instead of workers of this machine.
        in_order: False: workers of this machine may give each outcome as soon as it is there.
        meanwhile: called now and then while workers of this machine are at items that take long; what it raises ends
            the run, and them.

    Raises:
        ToolkitError: the workers cannot be started, or die one after another.
    """
    if executor is not None:
        yield from executor.run(step, items, limits=limits or Limits())
        return
    if workers == 0:
        for item in items:
            yield _here(step, item)
        return
    from mm2energon.pipeline import pool  # what it imports takes 40 ms, and most runs have no workers

    limits = limits or Limits()
    yield from pool.run_in_workers(step, items, workers=workers, limits=limits, in_order=in_order, meanwhile=meanwhile)


def _here(step: Callable[[Item], Result], item: Item) -> Outcome[Item, Result]:
    try:
        return Outcome(item, result=step(item))
    except SampleError as error:
        return Outcome(item, error=error)
