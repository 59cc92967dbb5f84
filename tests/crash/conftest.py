"""Commands in forked processes, and each of them undisturbed, for all tests of a module."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.faults import QUIET
from crash.forks import Forks
from crash.runs import COMMANDS, Case, make_case


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as process:
        yield process


@pytest.fixture(scope="module")
def cases(forks: Forks) -> Iterator[dict[str, Case]]:
    """Each command undisturbed; in memory where there is such a folder, as every write of theirs is synced."""

    def run(arguments: list[str]) -> int:
        return forks.run(arguments, QUIET).status

    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield {name: make_case(name, Path(folder) / name / "data", run) for name in COMMANDS}
