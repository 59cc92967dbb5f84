"""Under way: items of a step that others work on, some at a time, and whose outcomes come back in their order, or as
they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from mm2energon.errors import SampleError, ToolkitError
from mm2energon.pipeline.loop import Item, Outcome, Result
from mm2energon.pipeline.worker import Answer

#: Items taken for each that can be worked on at the same time that are not done yet: the next is there when one ends.
AHEAD = 4
#: As many with those that are done and wait for the outcome of an earlier one: enough to keep all busy behind a long
#: one, few enough to keep memory flat.
WINDOW = 64


@dataclass(eq=False)
class Task(Generic[Item, Result]):
    """An item under way."""

    item: Item
    outcome: Outcome[Item, Result] | None = None
    #: What ends the run when the turn of the item comes.
    fault: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """Whether it is known what became of it."""
        return self.outcome is not None or self.fault is not None

    def note(self, answer: Answer) -> None:
        """Make what its worker answered its outcome, or what ends the run."""
        if answer.error is None:
            self.outcome = Outcome(self.item, result=answer.result)
        elif isinstance(answer.error, SampleError):
            self.outcome = Outcome(self.item, error=answer.error)
        else:
            fault = answer.error
            self.fault = no_workers(f"{type(fault).__name__}: {fault}") if isinstance(fault, ImportError) else fault
            self.fault.__cause__ = _InWorkerError(answer.trace)


class _InWorkerError(Exception):
    """Where an error was raised in a worker, for whoever has to find it."""


def no_workers(why: str) -> ToolkitError:
    """The error of workers that do not come to life."""
    return ToolkitError(
        f"worker processes: cannot start, or do not live ({why}); "
        "give them more memory (--video-memory), or take fewer --workers, and run the same command again to go on"
    )


T = TypeVar("T", bound="Task")  # type: ignore[type-arg]


class UnderWay(ABC, Generic[T, Item, Result]):
    """Tasks in the order of their items; whoever works on them says how."""

    def __init__(self, task_of: Callable[..., T]) -> None:
        self._task_of = task_of
        #: In the order of the items; the first is the next to be given back.
        self._begun: deque[T] = deque()
        #: Those of them that nobody is at.
        self._waiting: deque[T] = deque()

    def run(self, items: Iterator[Item], *, in_order: bool = True) -> Iterator[Outcome[Item, Result]]:
        """The outcomes, in the order of the items.

        Args:
            in_order: False: each as soon as it is there.

        Raises:
            ToolkitError: nobody can work on them.
        """
        while True:
            for item in islice(items, self._room()):
                self._begun.append(self._task_of(item))
                self._waiting.append(self._begun[-1])
            if not self._begun:
                return
            self._give_out()
            task = self._begun[0] if in_order else self._first_done()
            if not task.is_done:
                self._listen()
                continue
            self._begun.remove(task)
            if task.fault is not None:
                raise task.fault
            if task.outcome is not None:
                yield task.outcome

    def _first_done(self) -> T:
        """A task that is done, of which a fault comes last; any where none is."""
        return min(self._begun, key=lambda task: (not task.is_done, task.fault is not None))

    def _room(self) -> int:
        """How many more items can be taken."""
        undone, width = len(self._waiting) + self._busy(), self._width()
        return max(0, min(width * AHEAD - undone, width * WINDOW - len(self._begun)))

    @abstractmethod
    def _width(self) -> int:
        """How many items can be worked on at the same time."""

    @abstractmethod
    def _busy(self) -> int:
        """How many somebody is at."""

    @abstractmethod
    def _give_out(self) -> None:
        """Give waiting tasks to those who are free."""

    @abstractmethod
    def _listen(self) -> None:
        """Wait until something has become of a task, and take it in."""
