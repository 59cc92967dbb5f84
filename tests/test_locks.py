"""Lock files whose folder comes and goes under the hands of other processes, and whether a process is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mm2energon.locks import LockFile, takes_signals


def test_a_folder_that_another_process_removes_while_we_enter_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.mkdir, []

    def mkdir(path: str | Path, mode: int = 0o777) -> None:
        calls.append(path)
        if len(calls) == 1:  # another process has made it, and removed it right after we were told so
            raise FileExistsError(17, "File exists", str(path))
        real(path, mode)

    monkeypatch.setattr(os, "mkdir", mkdir)
    lock = LockFile.enter(tmp_path / "hall" / "lock")
    assert lock.held and len(calls) == 2
    lock.leave(with_folder=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "hall").write_text("mine")
    with pytest.raises(NotADirectoryError):
        LockFile.enter(tmp_path / "hall" / "lock")
    assert (tmp_path / "hall").read_text() == "mine"


def test_a_link_to_nowhere_in_the_way_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "hall").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        LockFile.enter(tmp_path / "hall" / "lock")
    assert [path.name for path in tmp_path.iterdir()] == ["hall"]


def test_the_folder_of_the_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LockFile.enter(tmp_path / "nowhere" / "hall" / "lock")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_which_nothing_can_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *_: object) -> int:
        raise FileNotFoundError(2, "No such file or directory", str(path))  # as /proc says

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(FileNotFoundError):
        LockFile.enter(tmp_path / "lock")


def test_a_process_is_known_to_be_there_or_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    assert takes_signals(os.getpid()) and takes_signals(1) and not takes_signals(gone.pid)
