"""Holding: one run at a time in an output, whose status says how each of them ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm2energon.errors import InputError, ToolkitError
from mm2energon.locks import LockFile
from mm2energon.tuning.status import LOCK, now, tell_status


@contextmanager
def held_by_us(output: Path) -> Iterator[None]:
    """Keep other runs out of the output.

    Raises:
        InputError: one is there already, or it cannot be written to.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock = LockFile.enter(output / LOCK, wait=False)
    except BlockingIOError:
        raise InputError(
            f"--output {output}: another run is at work there; stop it, or choose another folder"
        ) from None
    except OSError as error:
        raise InputError(
            f"--output {output}: cannot be written to ({error.strerror}); choose another folder"
        ) from error
    open_locks = [lock.descriptor]

    def let_go() -> None:
        for descriptor in open_locks:
            os.close(descriptor)

    # A process that reads ahead lives on for a moment when this one is killed, and must not keep the lock.
    os.register_at_fork(after_in_child=let_go)
    try:
        yield
    finally:
        open_locks.clear()
        lock.leave()


@contextmanager
def told_how_it_ends(output: Path) -> Iterator[None]:
    """Let the status say how the block ends."""
    tell_status(output, state="preparing", message="", started=now())
    try:
        yield
    except BaseException as error:
        message = f"{error}" if isinstance(error, ToolkitError) else f"{type(error).__name__}: {error}"
        if isinstance(error, Exception):
            tell_status(output, state="failed", message=message)
        else:
            tell_status(output, state="stopped")
        raise
