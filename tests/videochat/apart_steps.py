"""Steps that are run apart in tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.videochat.apart import Note


def double(number: int) -> int:
    return 2 * number


def refuse(item: str) -> Any:
    raise InputError(f"{item}: no")


def stumble(_item: Any) -> Any:
    raise ZeroDivisionError


def lack(_item: Any) -> Any:
    raise ImportError("libx.so: failed to map segment from shared object")


def crash(_item: Any) -> Any:
    os.kill(os.getpid(), signal.SIGSEGV)


def eat(_item: Any) -> Any:
    return bytearray(1 << 33)


def hang(place: Path) -> Any:
    """Tells how far it is, once, and its process; then nothing more."""
    place.write_text(str(os.getpid()))
    Note(place.with_name("note")).tell(3, 10)
    time.sleep(600)


def sanitise_on_a_full_disk(job: Any) -> Any:
    """As `sanitise`, where no file can have more than 2000 bytes."""
    import resource

    from mm2energon.videochat.sanitise import sanitise

    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    return sanitise(job)
