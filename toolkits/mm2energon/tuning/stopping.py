"""Stopping: the first SIGTERM or Ctrl-C lets the step that is under way end; the second one ends all at once."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from mm2energon.tuning.status import is_there

#: Of linux/prctl.h: the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG = 1


@dataclass
class Stop:
    """Whether somebody asked for the end, and by which signal."""

    number: int = 0

    @property
    def status(self) -> int:
        """The exit status that says so."""
        return 128 + self.number


@dataclass
class Watch:
    """What the loop tells and is told."""

    #: Takes a line of metrics; of one device.
    tell: Callable[[Mapping[str, Any]], None]
    #: Takes the number of the step that is done.
    stepped: Callable[[int], None]
    stop: Stop


@contextmanager
def asked_to_stop() -> Iterator[Stop]:
    """Note the first signal; a second one does what it did before."""
    stop, before = Stop(), dict[int, Any]()

    def note(number: int, frame: Any) -> None:
        if stop.number:
            for other, handler in before.items():
                signal.signal(other, handler)
            signal.raise_signal(number)
        stop.number = number

    with suppress(ValueError):  # not in the main thread
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, note)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # where a shell put us in the background
            before[signal.SIGINT] = signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_signals_to_parent(_number: int = 0) -> None:
    """In a process that reads ahead: go on when a whole group of processes is asked to stop, as Ctrl-C and torchrun do.

    Its parent needs batches until its step has ended; it ends with its parent. Torch looks after that as well, but not
    where the parent was killed before this process had begun.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError, AttributeError):  # prctl(2) is Linux's
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if parent.pid is not None and not is_there(parent.pid):
        os._exit(1)
    threading.Thread(target=_end_behind, args=(parent,), daemon=True).start()


def _end_behind(parent: Any) -> None:
    """End this process when the one that asked for it has ended: a fork server stays as long as its children."""
    parent.join()
    os._exit(1)
