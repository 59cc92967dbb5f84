"""A studio in a process of its own, started as a person starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

HEADERS = {"X-Studio": "1"}


class Running:
    """A studio that listens."""

    def __init__(self, process: subprocess.Popen[str], line: str) -> None:
        self.process, self.line = process, line
        self.address = line.split()[4]
        self.page = httpx.Client(base_url=self.address, headers=HEADERS, timeout=60)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send it a signal; its exit status, and what it said."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """The process of `mm2energon studio`."""
    command = [sys.executable, "-m", "mm2energon", "studio", *map(str, arguments)]
    given = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "toolkits"), **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=given)


@contextmanager
def running(*arguments: object, **environment: str) -> Iterator[Running]:
    """A studio that listens at a free port, until the block ends."""
    process = start(*arguments, "--port", "0", "--no-browser", **environment)
    try:
        line = process.stdout.readline()
        assert line.startswith("the studio is at "), line + process.stderr.read()
        yield Running(process, line)
    finally:
        process.kill()
        process.communicate()
