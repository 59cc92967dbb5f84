"""Workers: processes that a step runs in, which are killed where an item makes them crash, hang or eat memory."""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

from pebble import ProcessExpired, ProcessPool

from mm2energon.errors import MediaError, SampleError, ToolkitError
from mm2energon.pipeline.loop import Item, Limits, Outcome, Result

#: Items given to each worker ahead of time: enough to keep it busy, few enough to keep memory flat.
_AHEAD = 4
#: Items after which a worker is replaced: decoders that leak would come to the limit of memory in the end.
_ITEMS_OF_A_WORKER = 500
_OUT_OF_MEMORY = 137
_ORPHANED = 1
#: How often an item is begun whose worker is killed from outside, which is no fault of the item's, as a rule.
_ATTEMPTS = 3
#: Memory that a worker keeps rather than giving it back to the system.
_KEPT_BYTES = 64 << 20


def run_in_workers(
    step: Callable[[Item], Result], items: Iterable[Item], *, workers: int, limits: Limits
) -> Iterator[Outcome[Item, Result]]:
    """As `run_each`, in that many processes."""
    source = iter(items)
    begun: deque[Item] = deque()
    failures = 0
    while True:
        try:
            for outcome in _in_one_pool(step, source, begun, workers=workers, limits=limits):
                failures = 0
                yield outcome
            return
        except BrokenProcessPool as error:  # workers were killed while they waited for something to do
            failures += 1
            if failures == _ATTEMPTS:
                raise _broken_pool(error) from error


def _in_one_pool(
    step: Callable[[Item], Result], source: Iterator[Item], begun: deque[Item], *, workers: int, limits: Limits
) -> Iterator[Outcome[Item, Result]]:
    """As `run_in_workers`, until the pool breaks.

    Args:
        begun: items that were given to workers and have no outcome yet, those of a broken pool first.

    Raises:
        BrokenProcessPool: it did.
    """
    with ProcessPool(
        max_workers=workers,
        max_tasks=_ITEMS_OF_A_WORKER,
        context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(limits.memory_bytes, step.__module__),
    ) as pool:
        try:
            begun.extend(islice(source, max(0, workers * _AHEAD - len(begun))))
            with _without_interrupts():  # the pool starts with its first item
                futures = deque(_schedule(pool, step, item, limits) for item in begun)
            while begun:
                item, future = begun[0], futures.popleft()
                for _ in range(_ATTEMPTS - 1):
                    if _was_killed(future):
                        future = _schedule(pool, step, item, limits)
                outcome: Outcome[Item, Result] = _collect(item, future, limits)
                for following in islice(source, 1):
                    begun.append(following)
                    futures.append(_schedule(pool, step, following, limits))
                begun.popleft()
                yield outcome
        except BaseException:
            pool.stop()  # type: ignore[no-untyped-call]
            raise


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


def _schedule(pool: ProcessPool, step: Callable[[Item], Result], item: Item, limits: Limits) -> Any:
    try:
        return pool.schedule(_step_or_die, args=(step, item), timeout=limits.seconds)
    except RuntimeError as error:  # also the BrokenProcessPool of a worker that could not be started
        raise BrokenProcessPool(str(error)) from error


def _broken_pool(error: BaseException) -> ToolkitError:
    return ToolkitError(
        f"worker processes: cannot start, or do not live ({type(error).__name__}: {error}); "
        "give them more memory (--video-memory), or take fewer --workers, and run the same command again to go on"
    )


def _was_killed(future: Any) -> bool:
    """Whether the worker of an item was killed from outside: by a person, or by a system that ran out of memory."""
    error = future.exception()
    return isinstance(error, ProcessExpired) and error.exitcode in (-signal.SIGKILL, -signal.SIGTERM)


def _collect(item: Item, future: Any, limits: Limits) -> Outcome[Item, Result]:
    try:
        return Outcome(item, result=future.result())
    except SampleError as error:
        return Outcome(item, error=error)
    except FutureTimeout:
        message = f"{item}: took longer than {limits.seconds:g} s; raise --video-timeout, or take it out"
        return Outcome(item, error=MediaError(message, "video-timeout"))
    except ProcessExpired as error:
        why = "out of memory" if error.exitcode == _OUT_OF_MEMORY else error
        message = f"{item}: the process that worked on it died ({why}): a damaged file, or too little memory"
        return Outcome(item, error=MediaError(message, "worker-died"))
    except ImportError as error:
        raise _broken_pool(error) from error


def _step_or_die(step: Callable[[Item], Result], item: Item) -> Result:
    """Run the step in a worker; one that has no memory left ends, for its next item would find none either."""
    try:
        return step(item)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)


def _start_worker(memory_bytes: int | None, module: str) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _keep_freed_memory()
    _limit_memory(memory_bytes)
    # With its first item a worker would import the step under the lock that all workers share: one after another, and
    # for a minute none where it is killed just then.
    with suppress(ImportError):  # the item says so
        importlib.import_module(module)


def _limit_memory(memory_bytes: int | None) -> None:
    if memory_bytes is None:
        return
    with suppress(ImportError, ValueError, OSError):  # no such limit on Windows, nor where a lower one stands already
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _die_with_parent() -> None:
    """End this worker at once when the run that it works for is no more: the next run may be at the same files."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(_ORPHANED)


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
