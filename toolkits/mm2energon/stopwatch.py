"""Stopwatch: how long the steps of a long work take, added up over items and threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")


class Spent(NamedTuple):
    """What a step took."""

    #: Seconds by the clock, waiting included.
    wall_seconds: float = 0.0
    #: Seconds that a core worked.
    cpu_seconds: float = 0.0


class Stopwatch:
    """Adds up what named steps take.

    with watch.time("encode"):
        ...
    for frame in watch.each("decode", frames):
        ...
    """

    def __init__(self) -> None:
        self._spent: dict[str, Spent] = {}
        self._lock = threading.Lock()

    @property
    def spent(self) -> Mapping[str, Spent]:
        """Step -> what it took so far, in the order in which the steps were first timed."""
        return dict(self._spent)

    def add(self, step: str, spent: Spent) -> None:
        """Count in what was measured elsewhere."""
        with self._lock:
            before = self._spent.get(step, Spent())
            wall, cpu = before.wall_seconds + spent.wall_seconds, before.cpu_seconds + spent.cpu_seconds
            self._spent[step] = Spent(wall, cpu)

    def add_all(self, spent: Mapping[str, Spent]) -> None:
        """Count in what another one measured."""
        for step, one in spent.items():
            self.add(step, one)

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Time a block, on its own thread."""
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self.add(step, Spent(time.perf_counter() - wall, time.thread_time() - cpu))

    def each(self, step: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items, with the time that it takes to come up with each."""
        iterator = iter(items)
        while True:
            with self.time(step):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
