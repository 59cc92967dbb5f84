"""Workers: processes that a step runs in, which are killed where an item makes them crash, hang or eat memory.

Each worker has a pipe of its own and one item at a time, so that there is nothing that one could leave locked, or half
read, for the others: a worker may be killed at any moment, and it is known which item it was at.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from mm2energon.errors import MediaError
from mm2energon.pipeline.loop import Item, Limits, Outcome, Result
from mm2energon.pipeline.under_way import Task, UnderWay, no_workers
from mm2energon.pipeline.worker import OUT_OF_MEMORY, STOPPED, Answer, serve

#: Items after which a worker is replaced: decoders that leak would come to the limit of memory in the end.
_ITEMS_OF_A_WORKER = 500
#: How often an item is begun whose worker is killed from outside, which is no fault of the item's, as a rule; and how
#: often a worker is started anew that does not come to life.
_ATTEMPTS = 3
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, STOPPED)
#: Seconds that a worker has to clean up.
_GRACE_SECONDS = 3.0
#: Seconds between two looks at what else is wanted, while items take long.
_LOOK_SECONDS = 0.5


def run_in_workers(
    step: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    limits: Limits,
    in_order: bool = True,
    meanwhile: Callable[[], object] | None = None,
) -> Iterator[Outcome[Item, Result]]:
    """As `run_each`, in that many processes."""
    crew: Crew[Item, Result] = Crew(step, workers, limits, meanwhile)
    try:
        yield from crew.run(iter(items), in_order=in_order)
    except BaseException:
        crew.stop()
        raise
    crew.dismiss()


@dataclass(eq=False)
class Trial(Task[Item, Result]):
    """A task, and how often it was begun in vain."""

    attempts: int = 0


class Worker:
    """A process, the pipe to it, and the task that it is at."""

    def __init__(self, limits: Limits, module: str) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=serve, args=(theirs, limits.memory_bytes, module), daemon=True)
        try:
            with _without_interrupts():
                self.process.start()
        except (OSError, EOFError) as error:
            raise no_workers(f"{type(error).__name__}: {error}") from error
        theirs.close()
        self.task: Trial[Any, Any] | None = None
        self.is_ready = False
        self.items = 0
        self._seconds = limits.seconds
        #: Time by which the task has to be done.
        self.deadline: float | None = None

    def give(self, step: Callable[[Any], Any], task: Trial[Any, Any]) -> bool:
        """Send the task; False when nobody takes it."""
        try:
            self.pipe.send_bytes(pickle.dumps((step, task.item)))
        except OSError:
            return False
        self.task = task
        self.begin()
        return True

    def begin(self) -> None:
        """Let the time of the task run, once the worker is at it."""
        if self.is_ready and self._seconds is not None:
            self.deadline = time.monotonic() + self._seconds

    def end(self, grace_seconds: float | None = None) -> int:
        """Wait for the end of the process, for so long; its exit status."""
        self.pipe.close()
        self.process.join(_GRACE_SECONDS if grace_seconds is None else grace_seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        return self.process.exitcode or 0


class Crew(UnderWay["Trial[Item, Result]", Item, Result]):
    """The workers of a run, and the tasks that are under way; they live on from one `run` to the next."""

    def __init__(
        self,
        step: Callable[[Item], Result],
        count: int,
        limits: Limits,
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        self._step, self._count, self._limits, self._meanwhile = step, count, limits, meanwhile
        super().__init__(Trial)
        self._workers: list[Worker] = []
        self._failed_starts = 0

    def stop(self) -> None:
        """End the workers, whatever they are at."""
        for worker in self._workers:
            worker.process.terminate()
        self.dismiss()

    def dismiss(self) -> None:
        """Send home the workers, which have nothing more to do."""
        for worker in self._workers:
            worker.pipe.close()
        until = time.monotonic() + _GRACE_SECONDS
        for worker in self._workers:
            worker.end(max(0.0, until - time.monotonic()))
        self._workers.clear()

    def _width(self) -> int:
        return self._count

    def _busy(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    def _give_out(self) -> None:
        """Give the waiting tasks to workers that are free."""
        while self._waiting:
            worker = next((worker for worker in self._workers if worker.task is None), None)
            if worker is None:
                if len(self._workers) == self._count:
                    return
                worker = Worker(self._limits, self._step.__module__)
                self._workers.append(worker)
            if worker.give(self._step, self._waiting[0]):
                self._waiting.popleft()
            else:
                self._bury(worker)

    def _listen(self) -> None:
        """Wait until a worker has something to say, or has had its time."""
        busy = [worker for worker in self._workers if worker.task is not None]
        until = [worker.deadline for worker in busy if worker.deadline is not None]
        if self._meanwhile is not None:
            self._meanwhile()
            until.append(time.monotonic() + _LOOK_SECONDS)
        told = wait([worker.pipe for worker in busy], max(0.0, min(until) - time.monotonic()) if until else None)
        for worker in busy:
            if worker.pipe in told:
                self._hear(worker)
            elif worker.deadline is not None and time.monotonic() >= worker.deadline:
                self._give_up(worker)

    def _hear(self, worker: Worker) -> None:
        try:
            answer: Answer | None = worker.pipe.recv()
        except (EOFError, OSError):  # it is dead, or was killed while it spoke
            self._bury(worker)
            return
        if answer is None:
            worker.is_ready = True
            worker.begin()
            return
        self._failed_starts = 0
        if worker.task is not None:
            worker.task.note(answer)
        worker.task, worker.deadline = None, None
        worker.items += 1
        if worker.items == _ITEMS_OF_A_WORKER:
            self._workers.remove(worker)
            worker.end()

    def _give_up(self, worker: Worker) -> None:
        """End a worker that takes too long."""
        self._workers.remove(worker)
        worker.process.terminate()
        worker.end()
        if worker.task is not None:
            message = f"{worker.task.item}: took longer than {self._limits.seconds:g} s; "
            message += "raise --video-timeout, or take it out"
            worker.task.outcome = Outcome(worker.task.item, error=MediaError(message, "video-timeout"))

    def _bury(self, worker: Worker) -> None:
        """Let go of a dead worker; its task is begun again where that may help."""
        self._workers.remove(worker)
        status, task = worker.end(), worker.task
        if task is None or not worker.is_ready:  # it never came to the task
            self._failed_starts += 1
            if self._failed_starts == _ATTEMPTS:
                raise no_workers(_shown(status))
            if task is not None:
                self._waiting.appendleft(task)
            return
        task.attempts += 1
        if status in _FROM_OUTSIDE and task.attempts < _ATTEMPTS:
            self._waiting.appendleft(task)
            return
        message = f"{task.item}: the process that worked on it died ({_shown(status)}): "
        message += "a damaged file, or too little memory"
        task.outcome = Outcome(task.item, error=MediaError(message, "worker-died"))


def _shown(status: int) -> str:
    if status == OUT_OF_MEMORY:
        return "out of memory"
    return f"signal {-status}" if status < 0 else f"exit status {status}"


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started meanwhile, and from those that they start: it is for this one."""
    try:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    except AttributeError:  # Windows
        yield
        return
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
