"""Runs: fine-tuning runs below one folder, started, stopped, resumed and followed from another process.

A run is a process of its own, the same command line as by hand, in a session of its own: it goes on when the server
that started it ends, and a later server finds it by the files in its folder.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import mm2energon
from mm2energon.errors import InputError
from mm2energon.jsonio import dumps, loads
from mm2energon.storage import write_whole
from mm2energon.tuning.asked import checked, command_line
from mm2energon.tuning.options import OPTIONS
from mm2energon.tuning.status import (
    FINAL,
    JOB,
    LIVE,
    LOG,
    STATUS,
    Status,
    last_step,
    now,
    read_metrics,
    read_status,
    tell_status,
    this_machine,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
#: The run whose output is the folder itself, as `mm2energon finetune` makes it by default.
HERE = "."
_LOG_BYTES = 16 << 10
_LINES = 40


@dataclass(frozen=True)
class Run:
    """One run, as it is now."""

    id: str
    output: Path
    status: Status
    #: What it was asked for: `data`, `model`, and the options by name.
    options: Mapping[str, Any]
    #: The finished adapter; None as long as there is none.
    adapter: Path | None

    @property
    def is_live(self) -> bool:
        """Whether its process goes on."""
        return self.status.state in LIVE

    def as_json(self) -> dict[str, Any]:
        """As plain values: state, message, step, total, started, at, output, options, adapter, can_resume."""
        told = asdict(self.status)
        return {
            "id": self.id,
            **{name: told[name] for name in ("state", "message", "step", "total", "started", "at")},
            "output": str(self.output),
            "options": dict(self.options),
            "adapter": None if self.adapter is None else str(self.adapter),
            "can_resume": not self.is_live and self.status.state != "done" and bool(self.options),
        }


@dataclass(frozen=True)
class Followed:
    """A run, and what has come since one looked before."""

    run: Run
    #: `{"step", "loss", "learning_rate", "tokens_per_second", "seconds", "at"}`; a step that a resumed run did again
    #: comes again, with the same loss.
    losses: list[Mapping[str, Any]]
    #: `{"step", "eval_loss", "at"}`.
    evals: list[Mapping[str, Any]]
    #: The last lines that it printed.
    lines: list[str]
    #: What to give for `since` the next time.
    since: int


class Runs:
    """The runs below one folder, that of the adapters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._resuming = threading.Lock()
        #: Processes that were asked to stop, by number and start: a second signal would end them without a checkpoint.
        self._stopping: set[tuple[int, str]] = set()

    @staticmethod
    def form() -> list[dict[str, Any]]:
        """The options that `start` takes beside `data`, `model` and `output`, for a form."""
        return [option.as_json() for option in OPTIONS]

    def start(self, options: Mapping[str, Any]) -> str:
        """Begin a run.

        Args:
            options: `data` (a path or several) and `model`; `output`, the name of a new folder;
                `allow_absolute_media`, a list of roots; any of `form`.

        Returns:
            The run's id: the name of its folder.

        Raises:
            InputError: an option is unknown or out of range, the data is not there, or the name is taken.
        """
        asked = checked(options)
        name = self._new_folder(asked.pop("output", None))
        with write_whole(self._folder(name) / JOB) as file:
            file.write(dumps({"asked": asked}))
        self._spawn(name, asked)
        return name

    def stop(self, run: str) -> None:
        """Ask a run to write a checkpoint and end; it takes as long as a step. Nothing happens where it has ended.

        Raises:
            InputError: there is no such run, or it runs where no signal of ours gets.
        """
        found = self.get(run)
        if not found.is_live:
            return
        started = self._started.get(run)
        if found.status.state == "starting" and started is not None:
            started.terminate()
            return
        if found.status.machine != this_machine():
            raise InputError(f"{run}: runs on {found.status.machine.split()[0]}; stop it there")
        if found.status.state != "stopping":
            self._stopping.add((found.status.pid, found.status.process))
            with suppress(ProcessLookupError):
                os.kill(found.status.pid, signal.SIGTERM)

    def resume(self, run: str) -> None:
        """Go on with a run that was stopped, was killed or failed, from its last checkpoint.

        Raises:
            InputError: there is no such run, it goes on already, or is done.
        """
        with self._resuming:  # who asks at the same time finds it live
            found = self.get(run)
            if found.is_live or found.status.state == "done":
                raise InputError(f"{run}: is {found.status.state}; a run that was stopped was expected")
            if not found.options:
                raise InputError(f"{run}: its {JOB} cannot be read; start another run")
            self._spawn(run, found.options)

    def list(self) -> list[Run]:
        """All runs, the last one first."""
        names = [HERE] if (self.folder / STATUS).is_file() else []
        with suppress(OSError):
            names += [path.name for path in self.folder.iterdir() if (path / STATUS).is_file()]
        found = [self.get(name) for name in names if name == HERE or _NAME.fullmatch(name)]
        return sorted(found, key=lambda run: run.status.started, reverse=True)

    def get(self, run: str) -> Run:
        """One run, as it is now.

        Raises:
            InputError: there is no such run.
        """
        folder = self._folder(run)
        status = read_status(folder)
        if status is None:
            raise InputError(f"{run}: no such run below {self.folder}")
        status = self._with_end(run, folder, status)
        if status.state in LIVE and (status.pid, status.process) in self._stopping:
            status = replace(status, state="stopping")
        if status.state != "done":
            status = replace(status, step=max(status.step, last_step(folder)))
        final = folder / FINAL
        adapter = final if status.state == "done" and (final / "adapter_config.json").is_file() else None
        return Run(run, folder, status, _asked(folder), adapter)

    def follow(self, run: str, since: int = 0) -> Followed:
        """A run, and its figures behind `since` (0: all).

        Raises:
            InputError: there is no such run.
        """
        found = self.get(run)
        lines, following = read_metrics(found.output, since)
        return Followed(
            found,
            [line for line in lines if "loss" in line],
            [line for line in lines if "eval_loss" in line],
            _last_lines(found.output / LOG),
            following,
        )

    def _new_folder(self, asked: str | None) -> str:
        """The name of a new folder: the one that was asked for, else one of the time that is free."""
        usual = f"run-{datetime.now():%Y%m%d-%H%M%S}"
        for name in (asked,) if asked else (usual, *(f"{usual}-{number}" for number in range(2, 100))):
            with suppress(FileExistsError):
                self._folder(name).mkdir(parents=True)
                return name
        raise InputError(f"output {asked or usual!r}: there is such a folder; another name was expected")

    def _folder(self, name: str) -> Path:
        if name == HERE:
            return self.folder
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(
                f"{str(name)[:80]!r}: letters, digits, '.', '_' and '-' were expected in the name of a run"
            )
        return self.folder / name

    def _spawn(self, name: str, asked: Mapping[str, Any]) -> None:
        folder = self._folder(name)
        tell_status(folder, state="starting", message="", started=now())
        library = str(Path(mm2energon.__file__).resolve().parents[1])
        path = os.pathsep.join([library, *filter(None, [os.environ.get("PYTHONPATH")])])
        with (folder / LOG).open("ab") as log:
            self._started[name] = subprocess.Popen(
                command_line(asked, folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # what ends the server does not end it
            )

    def _with_end(self, run: str, folder: Path, status: Status) -> Status:
        """The status of a process of ours that ended before it could tell anything."""
        started = self._started.get(run)
        ended = None if started is None else started.poll()  # which also lets go of its number
        if status.state != "starting" or ended is None:
            return status
        if ended in (-signal.SIGTERM, 128 + signal.SIGTERM):
            told: dict[str, Any] = {"state": "stopped", "message": ""}
        else:
            said = [line for line in _last_lines(folder / LOG) if line.strip()]
            told = {"state": "failed", "message": said[-1] if said else f"ended with exit status {ended}"}
        tell_status(folder, **told)
        return replace(status, **told)


def _asked(folder: Path) -> Mapping[str, Any]:
    try:
        value = loads((folder / JOB).read_bytes())
        return value["asked"] if isinstance(value["asked"], Mapping) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _last_lines(path: Path) -> list[str]:
    """The last lines of a log; a bar that was drawn over and over counts as the last that it showed."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n") if line.strip()][-_LINES:]
