"""Alone: one run at a time writes a file; a lock that dies with its process keeps the others out."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.locks import LockFile
from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.storage import remove_leftovers

#: Something else has the name of the lock; other faults are those of the folder.
_IN_THE_WAY = (errno.EISDIR, errno.ELOOP, errno.ENXIO)


@contextmanager
def alone_on(output: Path, *, option: str) -> Iterator[None]:
    """Keep other runs from writing `output` until the block ends; what a killed run left beside it is removed.

    Args:
        option: the one that names the output, for the message.

    Raises:
        InputError: another run writes it now.
        OSError: its folder cannot be written to.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = LockFile.enter(output.with_name(f".{output.name}.lock"), wait=False)
    except BlockingIOError as error:
        raise InputError(
            f"{option} {output}: another run writes it now; wait for it, or choose another name"
        ) from error
    except OSError as error:
        if error.errno not in _IN_THE_WAY:
            error.filename = str(output.parent)
        raise
    try:
        for folder in (output.parent, output.parent / STATE_FOLDER):
            remove_leftovers(folder)
        yield
    finally:
        lock.leave()
