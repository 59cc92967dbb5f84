"""Isolated: decoding and checking in processes of their own, so that a crash or a hang costs a message alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar, cast

import anyio
import anyio.to_thread
from fastapi import Request

from mm2energon.errors import MediaError, ToolkitError
from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.pool import Crew
from mm2energon.studio.answers import Refused

Item = TypeVar("Item")
Result = TypeVar("Result")

#: How often it is asked whether somebody still waits for an answer.
_LOOK_SECONDS = 0.3
_CLOSING_SECONDS = 5.0


class GivenUpError(ToolkitError):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class _Call(Generic[Item]):
    """One item of a step."""

    step: Callable[[Item], Any]
    item: Item

    def __str__(self) -> str:
        return str(self.item)


def _call(one: _Call[Any]) -> Any:
    return one.step(one.item)


class _Worker(Crew["_Call[Any]", Any]):
    """One worker, whose item can be given up."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(_call, 1, limits)
        self.given_up = threading.Event()

    def _listen(self) -> None:
        busy = [worker for worker in self._workers if worker.task is not None]
        told = wait([worker.pipe for worker in busy], _LOOK_SECONDS)
        if self.given_up.is_set():
            raise GivenUpError("nobody waits for the answer any more")
        if told or any(worker.deadline is not None and time.monotonic() >= worker.deadline for worker in busy):
            super()._listen()


@dataclass(eq=False)
class _Job:
    """Something that is worked on, and how many wait for it."""

    task: asyncio.Task[Any]
    given_up: threading.Event = field(default_factory=threading.Event)
    waiters: int = 0


class Isolated:
    """Workers that steps run in; each is started when it is needed first, and lives on."""

    def __init__(self, workers: int, limits: Limits) -> None:
        self._count, self._limits = workers, limits
        self._free: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._lock = threading.Lock()
        self._is_closed = False
        self._turns: anyio.CapacityLimiter | None = None
        self._jobs: dict[Hashable, _Job] = {}

    async def answer(
        self, request: Request, step: Callable[[Item], Result], item: Item, *, key: Hashable = None
    ) -> Result:
        """What a step makes of an item, for a request; it ends when nobody waits for it any more.

        Args:
            key: requests of one key wait for one answer.

        Raises:
            ToolkitError: the step's own; the worker died, or took too long.
            Refused: the request was given up.
        """
        key = object() if key is None else key
        job = self._jobs.get(key) or self._begin(step, item, key)
        job.waiters += 1
        try:
            while not job.task.done():
                await asyncio.wait({job.task}, timeout=_LOOK_SECONDS)
                if not job.task.done() and await request.is_disconnected():
                    raise Refused(499, "nobody waits for the answer any more", "gone")
        finally:
            job.waiters -= 1
            if job.waiters == 0:
                self._jobs.pop(key, None)
                job.given_up.set()
                job.task.cancel()  # where it waits for its turn; a worker looks at the flag
        return cast(Result, job.task.result())

    def _begin(self, step: Callable[[Item], Result], item: Item, key: Hashable) -> _Job:
        given_up = threading.Event()
        self._turns = self._turns or anyio.CapacityLimiter(self._count)
        work = anyio.to_thread.run_sync(self.run, step, item, given_up, limiter=self._turns)
        job = self._jobs[key] = _Job(asyncio.ensure_future(work), given_up)
        job.task.add_done_callback(lambda task: task.cancelled() or task.exception())  # told, also where nobody asks
        return job

    def run(self, step: Callable[[Item], Result], item: Item, given_up: threading.Event | None = None) -> Result:
        """What a step makes of an item; waits for it, on whatever thread.

        Args:
            given_up: set where nobody waits any more.

        Raises:
            ToolkitError: the step's own; the worker died, or took too long.
        """
        worker = self._take(given_up or threading.Event())
        try:
            outcome = next(worker.run(iter([_Call(step, item)])))
        except BaseException:
            self._give_back(worker, is_sound=False)
            raise
        self._give_back(worker, is_sound=True)
        if outcome.error is not None:
            raise self._told(outcome.error, item)
        return cast(Result, outcome.result)

    def close(self) -> None:
        """End all workers, also those that are at something."""
        until = time.monotonic() + _CLOSING_SECONDS
        with self._lock:
            self._is_closed = True
            free, self._free = self._free, []
            for worker in self._busy:
                worker.given_up.set()
        for worker in free:
            worker.stop()
        while self._busy and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS / 10)

    def _take(self, given_up: threading.Event) -> _Worker:
        with self._lock:
            if self._is_closed:
                raise ToolkitError("the studio stops; ask again when it is back")
            worker = self._free.pop() if self._free else _Worker(self._limits)
            worker.given_up = given_up
            self._busy.add(worker)
            return worker

    def _give_back(self, worker: _Worker, *, is_sound: bool) -> None:
        if not is_sound or self._is_closed:
            worker.stop()
        with self._lock:
            self._busy.discard(worker)
            if is_sound and not self._is_closed:
                self._free.append(worker)

    def _told(self, error: Exception, item: object) -> Exception:
        """An error without advice that only makes sense elsewhere."""
        if isinstance(error, MediaError) and error.code == "video-timeout":
            seconds = f"{self._limits.seconds:g} s"
            message = f"{item}: took longer than {seconds} here, and was stopped; it may be damaged, or very long"
            return MediaError(message, error.code)
        return error
