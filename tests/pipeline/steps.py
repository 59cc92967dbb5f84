"""Steps for the loop, good and bad; in a module of their own, so that worker processes find them."""

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from mm2energon.errors import MediaError
from mm2energon.video.workplace import work_folder

_LEAKED = []
#: Seconds after which nothing comes any more that was waited for.
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class KilledSome:
    """An item whose worker is killed the first few times."""

    times: int
    log: Path

    def __str__(self):
        return "killed"


@dataclass(frozen=True)
class Waits:
    """An item that takes until a file is there."""

    file: Path


@dataclass(frozen=True)
class Touches:
    """An item that makes a file."""

    file: Path


class _Collected:
    """Something that is collected at the moment a worker is told to stop: Python raises nothing there."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)


def step(item):
    """Double a number; what else is asked for by name goes wrong in that way."""
    if item == "dies":
        os._exit(9)
    if item == "hangs":
        time.sleep(600)
    if item == "eats memory":
        return len(bytearray(64 << 30))
    if item == "no memory":
        raise MemoryError
    if item == "leaks":
        _LEAKED.append(bytearray(256 << 20))
    if item in ("leaks", "counts"):
        _LEAKED.append(b"")
        return sum(one == b"" for one in _LEAKED)
    if item == "is stopped where nothing can be raised":
        _Collected()
        return "went on"
    if item == "cannot load":
        raise ImportError("failed to map segment from shared object")
    if isinstance(item, KilledSome):
        with item.log.open("a") as log:
            log.write("begun\n")
        if len(item.log.read_text().splitlines()) <= item.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"
    if isinstance(item, Waits):
        return "waited" if _wait_for(item.file) else "in vain"
    if isinstance(item, Touches):
        item.file.touch()
        return "touched"
    if item == "refused":
        raise MediaError("refused: a reason", "no-frames")
    if item == "bug":
        raise KeyError("a bug")
    return item * 2


def held(item, *, step, folder):
    """Another step, which waits for a sign: before its work for an even item, behind it for an odd one."""
    number = int(str(item).split()[-1])
    with (folder / "begun").open("a") as log:
        log.write(f"{number}\n")
    result = step(item) if number % 2 else None
    _wait_for(folder / "sign")
    return result if number % 2 else step(item)


def _wait_for(file):
    """Whether a file comes in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return file.exists()


def _wait_for_note(folder):
    """Whether a line comes in time in a file of a folder."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(path.stat().st_size for path in folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return any(path.stat().st_size for path in folder.iterdir())


def die_at_work(unit):
    """What a decoder does that crashes, or (b.mp4) hangs and cannot be told to stop."""
    with work_folder(unit.root / unit.video) as folder:
        (folder / "000001.jpg").write_bytes(b"half")
        if unit.video == "b.mp4":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        os._exit(9)


def fail_to_start(_connection, _memory_bytes, _module):
    """What a worker does that cannot start."""
    os._exit(3)


@dataclass(frozen=True)
class Made:
    """What a unit of an array becomes."""

    number: int
    note: str = ""


def note_unit(unit: dict[str, int | str]) -> Made:
    """A step of an array: its unit says what shall become of it, and where that is written down."""
    with Path(str(unit["log"])).open("a") as log:
        log.write(f"{unit['number']}\n")
    if unit.get("does") == "refused":
        raise MediaError(f"unit {unit['number']}: a reason", "no-frames")
    if unit.get("does") == "dies":
        os._exit(9)
    if unit.get("does") == "hangs":
        time.sleep(600)
    if unit.get("does") == "waits for a note" and not _wait_for_note(Path(str(unit["notes"]))):
        raise MediaError(f"unit {unit['number']}: waited in vain", "no-frames")
    if unit.get("does") == "disk is full" and not Path(str(unit["room"])).exists():
        raise OSError(errno.ENOSPC, "No space left on device", str(unit["log"]))
    return Made(10 * int(unit["number"]), "ö\udcff")


def sleep_unit(seconds: float) -> float:
    """A step of an array that takes so long."""
    time.sleep(seconds)
    return seconds
