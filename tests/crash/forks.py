"""Runs commands in forks of one process that has imported everything: 20 ms each, where a new Python takes a second.

    python -m crash.forks      reads requests as JSON lines, answers each with a line

Steps run in the process of the command (no workers), so that every call of theirs is counted by `faults`. Commands have
no right to read and write everything, also where the tests run as root: a mode of a file holds for them.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crash.faults import Fault, install

TESTS = Path(__file__).resolve().parents[1]
TOOLKITS = TESTS.parent / "toolkits"
#: Seconds after which a command that hangs is killed.
_PATIENCE_SECONDS = 120
#: capabilities(7): the version of the calls, and the rights of root over files (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH).
_CAPABILITY_VERSION, _RIGHTS_OVER_FILES = 0x20080522, 0b110


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    #: Exit status; -9 when it was killed.
    status: int
    said: str
    error: str
    #: What it did to files below the counted folder.
    calls: tuple[str, ...]


class Forks:
    """A process that runs commands in forks of itself.

    with Forks() as forks:
        forks.run(["normalize", "--input-file", "a.json"], Fault("EIO", 7, str(folder)))
    """

    def __enter__(self) -> Forks:
        environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TOOLKITS}"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "crash.forks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        #: The process that the commands are forks of.
        self.number = self._process.pid
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, arguments: Sequence[object], fault: Fault) -> Ended:
        """Run a command on a disk that fails."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = json.dumps({"arguments": [str(one) for one in arguments], "fault": fault.unparse()})
        self._process.stdin.write(request.encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["status"], answer["said"], answer["error"], tuple(answer["calls"]))


def _serve() -> None:
    import webdataset.tariterators  # noqa: F401 (this, and the rest, before the fork)
    from mm2energon import cli
    from mm2energon.pipeline import extract, frames, loop, normalize, repair, run, shard, verify  # noqa: F401
    from mm2energon.video import decoders, pack, runs  # noqa: F401

    def here(step: Any, items: Any, **_limits: Any) -> Any:
        return loop.run_each(step, items, workers=0)

    extract.run_each = shard.run_each = here  # type: ignore[assignment,attr-defined]
    for line in sys.stdin.buffer:
        request = json.loads(line)
        with tempfile.TemporaryDirectory() as folder:
            status = _fork(Path(folder), request, cli)
            answer = {name: _read(Path(folder) / name) for name in ("said", "error")}
            calls = _read(Path(folder) / "calls").splitlines()
        sys.stdout.write(json.dumps({"status": status, **answer, "calls": calls}) + "\n")
        sys.stdout.flush()


def _fork(folder: Path, request: dict[str, Any], cli: Any) -> int:
    child = os.fork()
    if child == 0:
        signal.alarm(_PATIENCE_SECONDS)
        for name, number in (("said", 1), ("error", 2)):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), number)
        calls = os.open(folder / "calls", os.O_WRONLY | os.O_CREAT)
        status = 99
        _give_up_rights_over_files()
        try:
            disk = install(Fault.parse(request["fault"]))
            try:
                status = cli.main(request["arguments"])
            finally:
                disk.write_to_descriptor(calls, "\n".join(disk.calls).encode("utf-8", "backslashreplace"))
        except BaseException:  # noqa: BLE001 (what the command lets through is what is looked for)
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _give_up_rights_over_files() -> None:
    """Let modes of files hold for this process, whoever runs it."""
    library = ctypes.CDLL(None)
    head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same of the higher numbers
    assert library.capget(head, sets) == 0
    for place in range(3):
        sets[place] &= ~_RIGHTS_OVER_FILES
    assert library.capset(head, sets) == 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


if __name__ == "__main__":
    _serve()
