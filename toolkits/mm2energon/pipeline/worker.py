"""Worker: a process that runs a step on one item after another, as they are sent to it, and says what came of each."""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NoReturn

#: Exit status of a worker without memory, of one whose run is no more, and of one that was told to stop.
OUT_OF_MEMORY = 137
_ORPHANED = 1
STOPPED = 128 + signal.SIGTERM
#: Memory that a worker keeps rather than giving it back to the system.
_KEPT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a step made of an item, or raised."""

    result: Any = None
    error: Exception | None = None
    #: Where it was raised.
    trace: str = ""


def serve(connection: Connection, memory_bytes: int | None, module: str) -> None:
    """Say by a None that all is ready; then answer each step and item that comes, until there are no more.

    Args:
        memory_bytes: address space of this process, at most.
        module: where the step comes from; what it imports is imported ahead of the first item.
    """
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run
    signal.signal(signal.SIGTERM, _stop)
    _keep_freed_memory()
    _limit_memory(memory_bytes)
    with suppress(ImportError):  # the item says so
        importlib.import_module(module)
    with suppress(EOFError, ConnectionError):  # nobody waits for an answer any more
        connection.send(None)
        while True:
            connection.send_bytes(answered(connection.recv_bytes()))


def answered(asked: bytes) -> bytes:
    """The answer to a pickled step and item, pickled."""
    try:
        step, item = pickle.loads(asked)  # noqa: S301 (it comes from our own run)
        return pickle.dumps(Answer(_step_or_die(step, item)))
    except Exception as error:  # noqa: BLE001 (whatever it is, the run has to know)
        return pickle.dumps(_told(error))


def _told(error: Exception) -> Answer:
    """An error on its way; one that does not survive it is told in words."""
    trace = traceback.format_exc()
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (it was made just now)
    except Exception:  # noqa: BLE001 (errors of other packages pickle, or do not, as they like)
        return Answer(error=RuntimeError(f"{type(error).__name__}: {error}"), trace=trace)
    return Answer(error=error, trace=trace)


def _step_or_die(step: Callable[[Any], Any], item: Any) -> Any:
    """Run the step; a worker that has no memory left ends, for its next item would find none either."""
    try:
        return step(item)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _stop(_number: int, _frame: object) -> NoReturn:
    """End by way of what cleans up after the item."""
    # Where Python cannot raise, in a callback of a library, it would write a traceback; the run says all that there is.
    sys.unraisablehook = lambda _: None
    sys.exit(STOPPED)


def _die_with_parent() -> None:
    """End this worker at once when the run that it works for is no more: the next run may be at the same files."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(_ORPHANED)


def _limit_memory(memory_bytes: int | None) -> None:
    if memory_bytes is None:
        return
    with suppress(ImportError, ValueError, OSError):  # no such limit on Windows, nor where a lower one stands already
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _keep_freed_memory() -> None:
    """Have the C library keep some of what is freed, for the next frame or file, instead of giving it back each time.

    This saves the clearing of fresh pages: a tenth of the time of JPEG encoding. Numbers: `man 3 mallopt`.
    """
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8
    with suppress(OSError, AttributeError, TypeError):  # another C library than GNU's
        library = ctypes.CDLL(None)
        library.mallopt(trim_threshold, _KEPT_BYTES)
        library.mallopt(mmap_threshold, _KEPT_BYTES // 2)
        library.mallopt(arena_max, 2)  # each thread's own would count 64 MB against the limit of memory
