"""What is known of a run from its folder: its state, told by the run itself, and whether its process still lives.

    status.json     {"state": "running", "message": "", "step": 40, "total": 300, "pid": 4711, ...}, written whole
    metrics.jsonl   one line for each step and validation, appended

Others read them at any time; who starts a run from elsewhere writes its first status.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mm2energon.jsonio import dumps, loads
from mm2energon.locks import lock, takes_signals
from mm2energon.storage import write_whole

STATUS, METRICS, LOG, JOB, FINAL = "status.json", "metrics.jsonl", "log.txt", "finetune.json", "final_checkpoint"
#: Held by the process of a run as long as it lives.
LOCK = ".finetune.lock"
#: So much of the metrics holds the last step.
_TAIL_BYTES = 16 << 10
#: States of a run that goes on; `interrupted` is told where the process of one of them is gone.
LIVE = ("starting", "preparing", "running", "stopping")


@dataclass(frozen=True)
class Status:
    """How a run is."""

    #: starting, preparing, running, stopping; done, stopped, failed, interrupted.
    state: str
    #: Why it failed, or what else there is to say.
    message: str = ""
    #: Optimizer steps done, and in all.
    step: int = 0
    total: int = 0
    #: When it was last begun, and when this was written: UTC, ISO 8601.
    started: str = ""
    at: str = ""
    pid: int = 0
    #: What tells the process from a later one of the same number, and where it runs.
    process: str = ""
    machine: str = ""


def now() -> str:
    """The time, as it stands in the files of a run."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_status(folder: Path, status: Status) -> None:
    """Tell how a run is, as this process knows it."""
    pid = os.getpid()
    told = replace(status, at=now(), pid=pid, process=_process(pid) or "", machine=this_machine())
    with write_whole(folder / STATUS) as file:
        file.write(dumps(asdict(told)))


def tell_status(folder: Path, **changes: Any) -> None:
    """Tell what has changed since the last status."""
    write_status(folder, replace(read_status(folder) or Status(""), **changes))


def read_status(folder: Path) -> Status | None:
    """How the run in a folder is; None where there is none."""
    try:
        value = loads((folder / STATUS).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(value, Mapping) or not isinstance(value.get("state"), str):
        return None
    status = Status(**{name: value[name] for name in _FIELDS if isinstance(value.get(name), _FIELDS[name])})
    if status.state in LIVE and not is_alive(folder, status):
        return replace(
            status, state="interrupted", message="its process was killed; resume it from its last checkpoint"
        )
    return status


_FIELDS: Mapping[str, type] = {
    name: int if name in ("step", "total", "pid") else str for name in Status.__dataclass_fields__
}


def is_alive(folder: Path, status: Status) -> bool:
    """Whether the process that told a status still lives.

    On this machine its number and its start tell; elsewhere (another container, another node) its lock does.
    """
    if status.machine == this_machine():
        return bool(status.process) and _process(status.pid) == status.process
    return _is_locked(folder / LOCK)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        lock(descriptor, wait=False)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_there(pid: int) -> bool:
    """Whether there is a process of a number that has not ended."""
    return _process(pid) is not None


def _process(pid: int) -> str | None:
    """When a process began; None where there is none (any more). See proc_pid_stat(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None if Path("/proc/self/stat").exists() or not takes_signals(pid) else "?"
    return None if fields[0] in ("Z", "X") else fields[19]


def this_machine() -> str:
    """What tells where process numbers mean the same: the machine since its last start, and the container."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


class Metrics:
    """Appends lines to the metrics of a run."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / METRICS).open("ab+")
        self._file.seek(0, os.SEEK_END)
        if self._file.tell():
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":  # a run was killed in the middle of a line
                self._file.write(b"\n")

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line, whole."""
        self._file.write(dumps({**line, "at": now()}) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def read_metrics(folder: Path, since: int = 0) -> tuple[list[Mapping[str, Any]], int]:
    """The lines behind `since`, and what to give for `since` the next time; a line that was cut off is left out."""
    try:
        with (folder / METRICS).open("rb") as file:
            file.seek(max(0, since))
            data = file.read()
    except OSError:
        return [], 0
    whole = data[: data.rfind(b"\n") + 1]
    lines = []
    for line in whole.splitlines():
        with suppress(ValueError):
            value = loads(line)
            if isinstance(value, Mapping) and isinstance(value.get("step"), int):
                lines.append(value)
    return lines, max(0, since) + len(whole)


def last_step(folder: Path) -> int:
    """The last step of which there is a figure; 0: none. Of a long run the end of the metrics is read alone."""
    try:
        size = (folder / METRICS).stat().st_size
    except OSError:
        return 0
    lines, _ = read_metrics(folder, size - _TAIL_BYTES)
    return int(lines[-1]["step"]) if lines else 0
