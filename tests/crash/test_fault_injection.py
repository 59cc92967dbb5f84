"""Whatever call on a file fails, or is the last one before a crash: nothing half-written, and the same bytes at last.

`make crash` lets every call fail; here it is a sample of them, another one each time (SEED repeats it).
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crash.faults import QUIET, Fault
from crash.forks import Ended, Forks
from crash.runs import COMMANDS, SEED, Case, difference, half_written, make_case

KINDS = ("ENOSPC", "EIO", "EACCES", "KILL", "POWER")
#: Calls that fail, and those at which a run is stopped, of each kind and command; all of them when CRASHES is set.
SAMPLED, SAMPLED_STOPS = 6, 2
#: How much a disk has room for: next to nothing, and a little more each time.
ROOM_KILOBYTES = range(0, 200, 4) if os.environ.get("CRASHES") else (0, 8, 40, 100, 152, 168)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_call_that_fails_leaves_nothing_half_written_and_the_same_command_gives_the_same_bytes(
    forks: Forks, cases: dict[str, Case], name: str, kind: str
) -> None:
    case = cases[name]
    for fault in _places(forks, case, kind, sampled=SAMPLED):
        _strike(forks, case, fault)


def _strike(forks: Forks, case: Case, fault: Fault) -> None:
    """Run a command with a fault, and again without."""
    case.renew()
    ended = forks.run(case.arguments, fault)
    about = f"SEED={SEED}: {case.name}, {fault}: {ended.status}, {ended.error}"
    if fault.kind in ("KILL", "POWER"):
        assert ended.status == -9, about
    else:
        assert ended.status in (0, 1, 3) and _is_clear(ended), about
    is_complete = ended.status == case.status or ended.status in (0, -9, 1)
    if is_complete and not _sets_videos_aside(ended.status, case):
        assert not half_written(case), about
    again = forks.run(case.arguments, Fault(fault.kind, 0, fault.below))
    assert again.status == case.status, f"{about}\nthen {again.error}"
    assert not difference(case), f"{about}\nthen {difference(case)}"


@pytest.mark.parametrize("kind", ["SIGTERM", "SIGINT", "SIGINT+"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_run_that_is_told_to_stop_at_any_call_says_how_to_go_on_and_leaves_nothing_half_written(
    forks: Forks, cases: dict[str, Case], name: str, kind: str
) -> None:
    case = cases[name]
    said, status = {"SIGTERM": ("stopped", 143)}.get(kind, ("interrupted", 130))
    for fault in _places(forks, case, kind):
        case.renew()
        ended = forks.run(case.arguments, fault)
        about = f"SEED={SEED}: {case.name}, {fault}: {ended.status}, {ended.error}"
        told = (status, f"{said}; run the same command again to go on\n")
        assert (ended.status, ended.error) in (told, (case.status, "")), about
        assert not half_written(case), about
        assert forks.run(case.arguments, replace(fault, at=0)).status == case.status, about
        assert not difference(case), f"{about}\n{difference(case)}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_vanishes_at_any_call_is_one_line_and_when_it_is_there_again_the_run_goes_on(
    forks: Forks, cases: dict[str, Case], name: str
) -> None:
    case = cases[name]
    away = case.root.with_name("away")
    for fault in _places(forks, case, "GONE"):
        case.renew()
        ended = forks.run(case.arguments, fault)
        shutil.rmtree(case.root, ignore_errors=True)
        away.rename(case.root)
        about = f"SEED={SEED}: {case.name}, {fault}: {ended.status}, {ended.error}"
        assert ended.status in (1, case.status) and _is_clear(ended), about
        assert not half_written(case), about
        assert forks.run(case.arguments, replace(fault, at=0)).status == case.status, about
        assert not difference(case), f"{about}\n{difference(case)}"


def _places(forks: Forks, case: Case, kind: str, *, sampled: int = SAMPLED_STOPS) -> list[Fault]:
    """The calls of a command at which something happens: all of them when CRASHES is set, else a sample."""
    case.renew()
    calls = len(forks.run(case.arguments, Fault(kind, 0, str(case.root))).calls)
    places = list(range(1, calls + 1))
    if not os.environ.get("CRASHES"):
        places = sorted(random.Random(f"{SEED} {case.name} {kind}").sample(places, min(sampled, calls)))
    return [Fault(kind, place, str(case.root)) for place in places]


def _is_clear(ended: Ended) -> bool:
    """Whether a run that failed says so in one line that names a place, and no other run does."""
    errors = [line for line in ended.error.splitlines() if not line.startswith("warning: ")]
    if ended.status != 1:
        return not errors
    return len(errors) == 1 and errors[0].startswith("error: ") and "error: a file:" not in errors[0]


def _sets_videos_aside(status: int, case: Case) -> bool:
    """Whether a run may have ended without frames that could not be written beside their video."""
    return status == 3 and case.name == "frames"


class Room:
    """A folder on a disk of its own, whose size is set; where none may be mounted, the size of each file is."""

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.folder, self._forks = folder, forks
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=False)
        self.is_disk = mounted.returncode == 0

    def leave(self, kilobytes: int | None) -> None:
        """Leave room for so much more, in the whole or in each file; None: for everything."""
        if self.is_disk:
            found = os.statvfs(self.folder)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize // 1024
            size = 65536 if kilobytes is None else used + kilobytes
            subprocess.run(["mount", "-o", f"remount,size={size}k", self.folder], check=True)
            return
        _, hard = resource.prlimit(self._forks.number, resource.RLIMIT_FSIZE)
        limit = hard if kilobytes is None else (kilobytes + 4) * 1024  # what is said to the terminal is a file, too
        resource.prlimit(self._forks.number, resource.RLIMIT_FSIZE, (limit, hard))

    def close(self) -> None:
        if self.is_disk:
            subprocess.run(["umount", self.folder], check=True)
        else:
            self.leave(None)


@pytest.fixture
def room(tmp_path: Path, forks: Forks) -> Iterator[Room]:
    found = Room(tmp_path, forks)
    yield found
    found.close()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_disk_that_is_full_is_one_line_and_with_room_the_run_goes_on(forks: Forks, room: Room, name: str) -> None:
    def run(arguments: list[str]) -> int:
        return forks.run(arguments, QUIET).status

    case = make_case(name, room.folder / "data", run)
    failed = 0
    for kilobytes in ROOM_KILOBYTES:
        case.renew()
        room.leave(kilobytes)
        ended = forks.run(case.arguments, QUIET)
        about = f"{kilobytes} KB: {ended}"
        assert ended.status in (1, case.status) and _is_clear(ended), about
        assert "again to go on" in ended.error or ended.status == case.status or not room.is_disk, about
        assert not half_written(case), about
        failed += ended.status == 1
        room.leave(None)
        assert run(case.arguments) == case.status, about
        assert not difference(case), about
    assert failed or not room.is_disk  # files as small as these hardly come to a limit of each
