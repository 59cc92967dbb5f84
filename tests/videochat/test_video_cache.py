"""Copies of videos are kept up to a limit, and never taken from whoever uses them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from mm2energon.errors import InputError
from mm2energon.videochat.video_cache import CachedVideo, VideoCache

ABOUT: dict[str, Any] = {
    "name": "мой.mp4", "duration": 1.5, "width": 64, "height": 48, "fps": 10.0, "frames": 15, "has_sound": False,
    "notes": ("a note",),
}  # fmt: skip


def key(number: int) -> str:
    return f"{number:032x}"


def add(cache: VideoCache, number: int, size: int = 100, *, used: int | None = None) -> CachedVideo:
    """Put a copy of so many bytes there, used so many seconds after 1970."""
    with cache.work() as folder:
        made = folder / "made"
        made.write_bytes(bytes([number]) * size)
        found = cache.add(key(number), made, ABOUT)
    if used is not None:
        os.utime(found.path, (used, used))
    return found


def test_what_was_put_in_comes_back_also_in_another_process(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "videos"
    put = add(VideoCache(folder, most_bytes=1000), 1)
    assert VideoCache(folder, most_bytes=1000).get(key(1)) == put
    assert (put.name, put.bytes, put.notes) == ("мой.mp4", 100, ("a note",))
    assert VideoCache(folder, most_bytes=1000).get(key(2)) is None


def test_nobody_else_can_look_into_it(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir(mode=0o755)
    cache = VideoCache(tmp_path / "videos", most_bytes=1000)
    found = add(cache, 1)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert found.path.stat().st_mode & 0o777 == 0o600
    assert found.path.with_suffix(".json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["../../etc/passwd", "x", "", key(1) + ".mp4", "A" * 32, key(1) + "\n", "/" * 32])
def test_what_is_no_key_is_not_looked_for(tmp_path: Path, name: str) -> None:
    cache = VideoCache(tmp_path / "videos", most_bytes=1000)
    add(cache, 1)
    assert cache.get(name) is None


def test_the_copy_that_was_not_used_longest_goes_first(tmp_path: Path) -> None:
    cache = VideoCache(tmp_path, most_bytes=250)
    add(cache, 1, used=1000)
    add(cache, 2, used=2000)
    assert cache.get(key(1)) is not None  # which uses it
    add(cache, 3)
    assert [cache.get(key(number)) is not None for number in (1, 2, 3)] == [True, False, True]
    assert not (tmp_path / f"{key(2)}.json").exists()


def test_a_copy_in_use_stays_and_what_has_no_room_is_refused(tmp_path: Path) -> None:
    cache = VideoCache(tmp_path, most_bytes=250)
    add(cache, 1, used=1000)
    add(cache, 2, used=2000)
    with cache.use(key(1)) as first:
        add(VideoCache(tmp_path, most_bytes=250), 3)
        assert first.path.read_bytes() == b"\1" * 100
        assert cache.get(key(2)) is None
        with pytest.raises(InputError, match="no room for 200 bytes; it has 250, of which 100 are in use"):
            add(cache, 4, 200)
    add(cache, 4, 200)
    assert [cache.get(key(number)) is not None for number in (1, 3, 4)] == [False, False, True]


def test_what_is_gone_cannot_be_used(tmp_path: Path) -> None:
    cache = VideoCache(tmp_path, most_bytes=1000)
    for name in (key(9), "../x"):
        with pytest.raises(InputError, match="not in the cache any more"), cache.use(name):
            pass


def test_a_copy_is_replaced_under_its_users(tmp_path: Path) -> None:
    cache = VideoCache(tmp_path, most_bytes=1000)
    add(cache, 1)
    with cache.use(key(1)) as used, used.path.open("rb") as file:
        add(cache, 1, 200)
        assert len(file.read()) == 100
    found = cache.get(key(1))
    assert found is not None
    assert found.bytes == 200


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b"null", b'{"name": 1', b'{"duration": 1}', b"\xff"])
def test_a_copy_whose_note_is_broken_is_none(tmp_path: Path, note: bytes) -> None:
    cache = VideoCache(tmp_path, most_bytes=1000)
    found = add(cache, 1)
    found.path.with_suffix(".json").write_bytes(note)
    assert cache.get(key(1)) is None


LEAVES = """
import os, sys
sys.path[:0] = {path!r}
from pathlib import Path
from mm2energon.videochat.video_cache import VideoCache
cache = VideoCache(Path({folder!r}), most_bytes=1000)
with cache.work() as folder:
    (folder / "source").write_bytes(b"x" * 50)
    print("there", flush=True)
    sys.stdin.read(1)
    os._exit(9)
"""


def test_what_a_killed_process_left_goes_when_the_next_begins_and_what_a_live_one_makes_stays(tmp_path: Path) -> None:
    code = LEAVES.format(path=sys.path, folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        (tmp_path / f"{key(5)}.mp4").write_bytes(b"without a note")
        VideoCache(tmp_path, most_bytes=1000)
        assert len(list((tmp_path / "work").iterdir())) == 1
        process.communicate(b"\n")
    VideoCache(tmp_path, most_bytes=1000)
    assert list((tmp_path / "work").iterdir()) == []
    assert not (tmp_path / f"{key(5)}.mp4").exists()


def test_many_threads_add_and_use_and_the_limit_holds(tmp_path: Path) -> None:
    cache = VideoCache(tmp_path, most_bytes=500)
    faults: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 20):
                add(cache, number)
                try:
                    with cache.use(key(number)) as used:
                        assert used.path.read_bytes() == bytes([number]) * 100
                except InputError:
                    continue  # another one needed the room
        except BaseException as error:  # noqa: BLE001 - told below
            faults.append(error)

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 50, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sum(path.stat().st_size for path in tmp_path.glob("*.mp4")) <= 500


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"choose another with --cache"):
        VideoCache(tmp_path / "file" / "videos", most_bytes=1000)
