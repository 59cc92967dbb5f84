"""Apart: one step in a process of its own, that may be given up at any moment and tells how far it is.

What comes from outside (a site's pages, a stranger's video) is touched in such processes alone. They are the workers of
the pipeline; but here is one item, somebody waits for it, and may have had enough.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from mm2energon.errors import MediaError, ToolkitError
from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.pool import Trial, Worker
from mm2energon.pipeline.worker import OUT_OF_MEMORY, Answer

T = TypeVar("T")
Job = TypeVar("Job")

#: Seconds between two looks at the note and at whether the step is still wanted.
_PAUSE = 0.1
#: Seconds between two notes of a worker.
_NOTE_PAUSE = 0.25


class CancelledError(ToolkitError):
    """Somebody wants no more of it."""


class Note:
    """Where a worker says how far it is, for whoever waits; a file, which is no part of what it makes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = 0.0

    def tell(self, done: float, total: float | None) -> None:
        """Note that so much of it is done; not each time, and never as a reason to fail."""
        if time.monotonic() - self._written >= _NOTE_PAUSE:
            self._written = time.monotonic()
            with suppress(OSError):
                self._path.write_text(json.dumps([done, total]), encoding="ascii")

    def read(self) -> tuple[float, float | None] | None:
        """What was noted last."""
        try:
            done, total = json.loads(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError, TypeError):  # none yet, or it is being written
            return None
        return done, total


def run_apart(
    step: Callable[[Job], T],
    job: Job,
    *,
    limits: Limits,
    note: Note,
    told: Callable[[float, float | None], None],
    stop: threading.Event,
) -> T:
    """What the step makes of the job, in a process that ends with it.

    Args:
        step: a function of a module, and `job` what can be pickled.
        note: where the step notes how far it is.
        told: is called with what it noted last, now and then; what it raises ends the process.
        stop: once it is set, the process is ended.

    Raises:
        CancelledError: it was stopped.
        MediaError: `video-timeout` it took longer than the limit; `worker-died` its process died, or cannot begin.
        ToolkitError: what the step raised; no process can be started.
    """
    worker = Worker(limits, step.__module__)
    noted: tuple[float, float | None] = (0.0, None)

    def look() -> None:
        nonlocal noted
        if stop.is_set():
            raise CancelledError("it was cancelled")
        if worker.deadline is not None and time.monotonic() >= worker.deadline:
            raise MediaError(f"the work was given up: it took longer than {limits.seconds:g} s", "video-timeout")
        noted = note.read() or noted
        told(*noted)

    try:
        worker.give(step, Trial(job))
        answer = _answer(worker, look)
    finally:
        worker.process.terminate()
        worker.end()
    if isinstance(answer.error, ImportError):
        why = (
            f"its libraries cannot be loaded ({answer.error}), for want of memory as a rule; close what else runs here"
        )
        raise MediaError(f"the work was given up: {why}", "worker-died") from answer.error
    if answer.error is not None:
        raise answer.error
    result: T = answer.result
    return result


def _answer(worker: Worker, look: Callable[[], None]) -> Answer:
    """Wait for the answer, looking around meanwhile."""
    while True:
        if worker.pipe.poll(_PAUSE):
            if (answer := _received(worker)) is not None:
                return answer
            worker.is_ready = True  # the first word says that it begins
            worker.begin()
        look()


def _received(worker: Worker) -> Answer | None:
    try:
        received: Answer | None = worker.pipe.recv()
    except (EOFError, OSError) as error:  # it is dead
        status = worker.end()
        why = "it ran out of memory" if status == OUT_OF_MEMORY else f"its process ended with {status}"
        raise MediaError(
            f"the work was given up: {why}; a damaged file, or too little memory", "worker-died"
        ) from error
    return received
