"""Real processes are killed at random moments and started again until they are done: the bytes of a quiet run.

CRASHES is how many processes are killed in all (`make crash`: 100), SEED says at which moments.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crash.forks import TESTS, TOOLKITS
from crash.runs import COMMANDS, SEED, Case, difference, half_written, make_case

#: Processes that are killed, for each command and each kind of victim.
KILLS = max(1, int(os.environ.get("CRASHES") or 20) // 10)
#: Seconds within which the workers of a killed run are gone.
_GRACE_SECONDS = 10
_MARK = "MM2ENERGON_TEST_RUN"

#: Of these there are no workers.
_ALONE = ("normalize", "convert", "filter", "text-to-frames", "report", "mix", "blend", "export")
VICTIMS = [
    (name, victim)
    for name in COMMANDS
    for victim in ("run", "worker", "group")
    if name not in _ALONE or victim == "run"
]


@dataclass
class Run:
    """A process that runs a command with workers, and all that belongs to it."""

    arguments: list[str]
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        path = f"{TESTS}{os.pathsep}{TOOLKITS}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "crash.command", *self.arguments],
            env={**os.environ, "PYTHONPATH": path, _MARK: self.mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def kill(self, victim: str, chance: random.Random) -> bool:
        """Kill the run, one of its workers, or all of them; whether there was one."""
        if self.process.poll() is not None:
            return False
        if victim == "group":
            os.killpg(self.process.pid, signal.SIGKILL)
        elif victim == "run":
            self.process.kill()
        else:
            workers = self._workers()
            if not workers:
                return False
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
        return True

    def end(self) -> tuple[int, str]:
        """Wait for its end: exit status, and what it said of faults."""
        _, error = self.process.communicate(timeout=300)
        return self.process.returncode, error

    def processes(self) -> Iterator[tuple[int, str]]:
        """Number and command of each process that belongs to the run."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{_MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    yield int(folder.name), (folder / "cmdline").read_bytes().decode()

    def _workers(self) -> list[int]:
        return [number for number, command in self.processes() if "spawn_main" in command]


@dataclass(frozen=True)
class Quiet:
    """A command undisturbed: its case, and seconds from its start to its first trace on the disk, and to its end."""

    case: Case
    first: float
    last: float


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Quiet]:
    """Each command undisturbed."""
    return {name: _undisturbed(name, tmp_path_factory.mktemp("kills") / "data") for name in COMMANDS}


def _undisturbed(name: str, root: Path) -> Quiet:
    spans = []

    def run(arguments: list[str]) -> int:
        before, start, first = _names(root.parent), time.monotonic(), None
        process = Run(arguments)
        while process.process.poll() is None:
            if first is None and _names(root.parent) != before:
                first = time.monotonic() - start
            time.sleep(0.005)
        last = time.monotonic() - start
        spans.append((last if first is None else first, last))
        return process.end()[0]

    case = make_case(name, root, run)
    return Quiet(case, *spans[-1])


def _names(root: Path) -> set[str]:
    """What lies in the folders, of which some may vanish meanwhile."""
    return {name for _, folders, files in os.walk(root) for name in (*folders, *files)}


@pytest.mark.parametrize(("name", "victim"), VICTIMS)
def test_a_run_that_is_killed_again_and_again_gives_the_bytes_of_one_that_is_not(
    quiet: dict[str, Quiet], name: str, victim: str
) -> None:
    case, first, last = quiet[name].case, quiet[name].first, quiet[name].last
    chance = random.Random(f"{SEED} {name} {victim}")
    kills, moments = 0, list[float]()
    before: list[Run] = []
    case.renew()
    while True:
        run = Run(case.arguments)
        before.append(run)
        if kills < KILLS:
            moments.append(round(chance.uniform(0.8 * first, last), 3))
            time.sleep(moments[-1])
            kills += run.kill(victim, chance)
        status, error = run.end()
        about = f"SEED={SEED}: {name}, {victim} killed at {moments} s: {status}, {error}"
        if status == -signal.SIGKILL and kills % 2:
            continue  # at once: the workers of the killed run must not come in between
        while before:
            _wait_for_its_workers(before.pop(), about)
        assert not half_written(case), about
        if status == -signal.SIGKILL:
            continue
        assert status == case.status, about
        assert not difference(case), f"{about}\n{difference(case)}"
        if kills >= KILLS:
            return
        case.renew()


def _wait_for_its_workers(run: Run, about: str) -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    while list(run.processes()):
        assert time.monotonic() < deadline, f"still alive: {list(run.processes())}: {about}"
        time.sleep(0.01)
