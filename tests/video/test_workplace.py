"""Work that ends too early: killed processes, full and locked folders; nothing is left behind, nothing is half done."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from media import read_numbers, write_clip
from mm2energon.errors import MediaError
from mm2energon.video import encode, workplace
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.layout import find_frames
from mm2energon.video.places import MARK_NAME
from mm2energon.video.sampling import Sampling

HALF_SECOND = FrameOptions(Sampling(interval_seconds=0.5))
AT_30_FPS = [0, 15, 30, 45]

#: Extracts the frames of the video of the first argument, and is killed at the n-th call of a method of Path.
KILLED = """
import os, pathlib, signal, sys
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.sampling import Sampling
method, calls = sys.argv[2], int(sys.argv[3])
real = getattr(pathlib.Path, method)
def counting(*arguments, **options):
    global calls
    calls -= 1
    if calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)
setattr(pathlib.Path, method, counting)
extract_frames(pathlib.Path(sys.argv[1]), FrameOptions(Sampling(interval_seconds=0.1)))
"""


def kill_at(video: Path, method: str, calls: int) -> None:
    command = [sys.executable, "-c", KILLED, video, method, str(calls)]
    process = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert process.returncode == -signal.SIGKILL


def visible(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


FINISHED = {"v.mp4", "v.json", "v", *(f"v/{number:06d}.jpg" for number in range(1, 5))}

#: (method, calls): in the middle of writing frames; with the mark alone in place; while frames move in; with all there
#: but the sidecar; with nothing left to do but to remove the mark (where there were no earlier frames).
MOMENTS = [("write_bytes", 3), ("replace", 1), ("replace", 8), ("replace", 21), ("unlink", 1)]


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize(("method", "calls"), MOMENTS)
def test_what_a_killed_run_left_is_made_anew_at_once_and_leaves_no_trace(
    tmp_path: Path, method: str, calls: int, earlier: bool
) -> None:
    video = write_clip(tmp_path / "v.mp4")
    if earlier:
        extract_frames(video, FrameOptions(Sampling(fps=20)))
    kill_at(video, method, calls)
    assert (find_frames(video) is not None) == (method == "unlink" or (earlier and method == "write_bytes"))
    assert read_numbers(extract_frames(video, HALF_SECOND).paths) == AT_30_FPS
    assert visible(tmp_path) == FINISHED


def test_leftovers_go_also_when_the_frames_were_done_already(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    kill_at(video, "write_bytes", 3)
    (left,) = tmp_path.glob(".*")
    left.rename(tmp_path / "aside")
    done = extract_frames(video, HALF_SECOND)
    (tmp_path / "aside").rename(left)
    (tmp_path / "v" / MARK_NAME).write_text("4")
    before = {path: path.stat().st_mtime_ns for path in done.paths}
    assert extract_frames(video, HALF_SECOND) == done
    assert visible(tmp_path) == FINISHED
    assert {path: path.stat().st_mtime_ns for path in done.paths} == before


def test_frames_of_a_killed_run_are_not_taken_for_other_tools_frames(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    kill_at(video, "replace", 8)
    video.unlink()
    with pytest.raises(MediaError) as caught:
        find_frames(video, default_fps=2.0)
    assert caught.value.code == "unfinished-frames"


def test_a_process_that_is_alive_is_waited_for_and_its_work_is_left_alone(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    taken = []
    with workplace.work_folder(video) as folder:
        waiting = threading.Thread(target=lambda: taken.append(extract_frames(video, HALF_SECOND)))
        waiting.start()
        waiting.join(timeout=0.3)
        assert waiting.is_alive()
        assert folder.is_dir()
    waiting.join()
    assert read_numbers(taken[0].paths) == AT_30_FPS
    assert visible(tmp_path) == FINISHED


def test_who_waited_for_the_same_frames_does_not_make_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_clip(tmp_path / "v.mp4")
    made = []
    index_video = encode.index_video
    monkeypatch.setattr(encode, "index_video", lambda *a, **options: made.append(1) or index_video(*a, **options))
    threads = [threading.Thread(target=extract_frames, args=(video, HALF_SECOND)) for _ in range(4)]
    with workplace.work_folder(video):
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert visible(tmp_path) == FINISHED


def test_a_file_system_without_locks_keeps_the_work_of_others_for_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    video = write_clip(tmp_path / "v.mp4")
    with workplace.work_folder(video) as other:
        frames = extract_frames(video, HALF_SECOND)
        assert other.is_dir()
        os.utime(other, (0, 0))
        extract_frames(video, FrameOptions(Sampling(fps=1)))
        assert not other.exists()
    assert read_numbers(extract_frames(video, HALF_SECOND).paths) == AT_30_FPS
    assert len(frames.paths) == 4
    assert visible(tmp_path) == FINISHED


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_names_the_folder_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    video = write_clip(tmp_path / "v.mp4")

    def full(path: Path, data: bytes) -> int:
        raise OSError(code, os.strerror(code), *([str(path)] if code == errno.EIO else []))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError) as caught:
        extract_frames(video, HALF_SECOND)
    assert (caught.value.errno, caught.value.filename) == (code, str(tmp_path))
    assert visible(tmp_path) == {"v.mp4"}


@contextmanager
def as_another_user() -> Iterator[None]:
    """As somebody whom permissions bind, which the superuser is not."""
    is_root = os.geteuid() == 0
    try:
        if is_root:
            os.seteuid(65534)
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can look into."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        Path(name).chmod(0o755)


def test_a_folder_that_cannot_be_written_to_is_named(open_folder: Path) -> None:
    video = write_clip(open_folder / "v.mp4")
    open_folder.chmod(0o555)
    with as_another_user(), pytest.raises(PermissionError) as caught:
        extract_frames(video, HALF_SECOND)
    assert caught.value.filename == str(open_folder)


def test_a_frame_folder_that_cannot_be_written_to_is_named(open_folder: Path) -> None:
    video = write_clip(open_folder / "v.mp4")
    extract_frames(video, HALF_SECOND)
    open_folder.chmod(0o777)
    (open_folder / "v").chmod(0o555)
    with as_another_user(), pytest.raises(PermissionError) as caught:
        extract_frames(video, FrameOptions(Sampling(fps=1)))
    assert caught.value.filename == str(open_folder / "v")


def test_frames_that_are_done_need_no_writing(open_folder: Path) -> None:
    video = write_clip(open_folder / "v.mp4")
    done = extract_frames(video, HALF_SECOND)
    open_folder.chmod(0o555)
    with as_another_user():
        assert extract_frames(video, HALF_SECOND) == done


@pytest.mark.parametrize("closed", ["video", "folder"])
def test_a_video_that_we_may_not_read_costs_that_video_alone(open_folder: Path, closed: str) -> None:
    (open_folder / "clips").mkdir()
    video = write_clip(open_folder / "clips" / "v.mp4")
    video.chmod(0o000)
    (open_folder / "clips").chmod(0o777 if closed == "video" else 0)
    with as_another_user(), pytest.raises(MediaError, match="no permission") as caught:
        extract_frames(video, HALF_SECOND)
    assert caught.value.code == "unreadable-video"
    (open_folder / "clips").chmod(0o755)
    assert visible(open_folder / "clips") == {"v.mp4"}


@pytest.mark.parametrize("damage", [b"", b"\xff\xd8\xff", b"\xff" * 100_000])
def test_a_frame_that_is_empty_cut_or_replaced_is_noticed_and_made_again(tmp_path: Path, damage: bytes) -> None:
    video = write_clip(tmp_path / "v.mp4")
    made = extract_frames(video, HALF_SECOND)
    made.paths[2].write_bytes(damage)
    assert find_frames(video) is None
    assert extract_frames(video, HALF_SECOND) == made
    assert read_numbers(made.paths) == AT_30_FPS


def test_the_sizes_are_those_of_the_files_and_the_rate_comes_first(tmp_path: Path) -> None:
    frames = extract_frames(write_clip(tmp_path / "v.mp4"), HALF_SECOND)
    sidecar: dict[str, Any] = json.loads((tmp_path / "v.json").read_text())
    assert next(iter(sidecar)) == "fps"
    assert sidecar["frame_bytes"] == [path.stat().st_size for path in frames.paths]


def test_a_sidecar_of_an_earlier_version_is_read_but_an_empty_frame_is_noticed(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    frames = extract_frames(video, HALF_SECOND)
    sidecar = json.loads((tmp_path / "v.json").read_text())
    del sidecar["frame_bytes"]
    (tmp_path / "v.json").write_text(json.dumps(sidecar))
    assert find_frames(video) == frames == extract_frames(video, HALF_SECOND)
    frames.paths[0].write_bytes(b"")
    assert find_frames(video) is None


def test_frames_are_on_the_disk_before_the_sidecar_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    frames = extract_frames(write_clip(tmp_path / "v.mp4"), HALF_SECOND)
    pictures = {path.stat().st_ino for path in frames.paths}  # several at a time, in any order
    then = [(tmp_path / name).stat().st_ino for name in ("v", "v.json", ".")]
    assert set(synced[1 : 1 + len(pictures)]) == pictures, "behind the mark"
    assert synced[1 + len(pictures) :] == then
