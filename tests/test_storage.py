"""Files appear whole or not at all, and what a killed run left goes."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mm2energon import storage
from mm2energon.storage import TEMPORARY_SUFFIX, remove_leftovers, write_whole


def test_a_file_is_there_when_the_block_ends_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.json"
    with write_whole(path) as file:
        file.write(b"whole")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("before", [None, b"before"])
def test_an_error_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, before: bytes | None, error: type[BaseException]
) -> None:
    path = tmp_path / "a.json"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(error), write_whole(path) as file:
        file.write(b"half")
        raise error
    assert [found.read_bytes() for found in tmp_path.iterdir()] == ([] if before is None else [before])


@pytest.mark.parametrize("size", [10_000, 1 << 20])
def test_a_file_for_which_there_is_no_room_is_named_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as caught, write_whole(tmp_path / "a.json") as file:
            file.write(b"x" * size)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_under_the_name_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(OSError), write_whole(tmp_path / "a.json") as file:
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_writer_that_is_killed_leaves_only_what_its_name_marks_as_temporary(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from mm2energon.storage import write_whole\n"
        "with write_whole(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "a.json"], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".") and left.name.endswith(TEMPORARY_SUFFIX)


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_a_file_is_as_readable_as_the_umask_says(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with write_whole(tmp_path / "a.json") as file:
            file.write(b"{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o666 & ~umask


def test_writers_of_one_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with write_whole(path) as first, write_whole(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_being_written_stays_and_what_a_dead_run_left_goes_at_once(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    with write_whole(deep / "a.json") as file:
        file.write(b"half")
        (alive,) = deep.iterdir()
        dead = alive.with_name(f".dead{TEMPORARY_SUFFIX}")
        dead.write_bytes(b"half")
        other = tmp_path / f"not-ours{TEMPORARY_SUFFIX}"
        other.write_bytes(b"")
        remove_leftovers(tmp_path)
        assert dead.exists()
        remove_leftovers(tmp_path, deep=True)
        assert (dead.exists(), alive.exists(), other.exists()) == (False, True, True)
    assert (deep / "a.json").read_bytes() == b"half"


def test_without_locks_what_is_an_hour_old_goes_and_what_is_younger_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    for name, age in (("old", 4000), ("new", 10)):
        path = tmp_path / f".{name}{TEMPORARY_SUFFIX}"
        path.write_bytes(b"")
        os.utime(path, (time.time() - age,) * 2)
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f".new{TEMPORARY_SUFFIX}"]


def test_a_file_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, calls = storage.lock, []

    def late(descriptor: int, *, wait: bool) -> bool:
        if not calls:
            calls.append(1)
            remove_leftovers(tmp_path)
        return lock(descriptor, wait=wait)

    monkeypatch.setattr(storage, "lock", late)
    with write_whole(tmp_path / "a.json") as file:
        file.write(b"whole")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]
