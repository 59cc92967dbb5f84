"""Stopping: the first SIGTERM or Ctrl-C lets the step that is under way end; the second one ends all at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any


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

    Its parent needs batches until its step has ended; it ends with its parent, which torch looks after.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
