"""The box: what is put into it stays in it, also when links take the place of folders meanwhile."""

import contextlib
import errno
import os
import threading

import pytest
from mm2energon.pipeline.archive_member import MemberError
from mm2energon.pipeline.box import Box, safe_parts

from pipeline.hostile import seen
from pipeline.making import unprivileged


@pytest.fixture
def box(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "box").mkdir()
    box = Box(tmp_path / "box")
    yield box
    box.close()


def put(box, name, data):
    return box.put(safe_parts(name), len(data), iter([data]))


def test_a_file_is_put_below_folders_that_are_made(box, tmp_path):
    assert put(box, "a/b/c.mp4", b"x" * 10)
    assert seen(tmp_path / "box") == {"a": "0o40755", "a/b": "0o40755", "a/b/c.mp4": b"x" * 10}


def test_a_file_that_is_the_same_is_left_and_another_one_is_never_replaced(box, tmp_path):
    put(box, "a.mp4", b"one")
    stamp = (tmp_path / "box/a.mp4").stat()
    assert put(box, "a.mp4", b"one") is False
    for other in (b"two", b"longer", b""):
        with pytest.raises(MemberError, match="another file"):
            put(box, "a.mp4", other)
    assert (tmp_path / "box/a.mp4").read_bytes() == b"one"
    assert (tmp_path / "box/a.mp4").stat() == stamp


@pytest.mark.parametrize("kind", ["link to a folder", "link to a file", "dangling link", "pipe", "folder"])
def test_what_is_no_file_is_never_opened(box, tmp_path, kind):
    place, outside = tmp_path / "box/x", tmp_path / "outside/secret"
    outside.write_bytes(b"one")
    {
        "link to a folder": lambda: place.symlink_to(tmp_path / "outside"),
        "link to a file": lambda: place.symlink_to(outside),
        "dangling link": lambda: place.symlink_to(tmp_path / "outside/new"),
        "pipe": lambda: os.mkfifo(place),
        "folder": place.mkdir,
    }[kind]()
    with pytest.raises(MemberError, match="another file"):
        put(box, "x", b"two")
    if kind != "folder":
        with pytest.raises(MemberError, match="name of its folder"):
            put(box, "x/y", b"two")
    assert seen(tmp_path / "outside") == {"secret": b"one"}


def test_a_link_that_takes_the_place_of_a_folder_meanwhile_leads_nowhere(box, tmp_path):
    inner, outside = tmp_path / "box/videos", tmp_path / "outside"

    def content():
        yield b"one"
        inner.rename(tmp_path / "box/moved")
        inner.symlink_to(outside)
        yield b"two"

    assert box.put(("videos", "a.mp4"), 6, content())
    assert seen(outside) == {}
    assert (tmp_path / "box/moved/a.mp4").read_bytes() == b"onetwo"


def test_a_folder_that_others_exchange_all_the_time_never_lets_a_file_out(box, tmp_path):
    place, outside, done = tmp_path / "box/d", tmp_path / "outside", threading.Event()

    def exchange():
        while not done.is_set():
            with contextlib.suppress(FileExistsError):  # the box was quicker
                place.mkdir(exist_ok=True)
                place.rename(tmp_path / f"box/{os.urandom(4).hex()}")
                place.symlink_to(outside)
                place.unlink()

    other = threading.Thread(target=exchange)
    other.start()
    try:
        for number in range(300):
            with contextlib.suppress(MemberError, FileNotFoundError):
                put(box, f"d/{number}.mp4", b"x")
    finally:
        done.set()
        other.join()
    assert seen(outside) == {}


def test_content_that_ends_early_or_fails_leaves_no_file(box, tmp_path):
    def failing():
        yield b"one"
        raise MemberError("damaged")

    for blocks in (iter([b"one"]), failing()):
        with pytest.raises(MemberError):
            box.put(("a.mp4",), 6, blocks)
        assert seen(tmp_path / "box") == {}


def test_what_was_put_can_be_taken_away_again_and_nothing_else(box, tmp_path):
    put(box, "d/a.mp4", b"x")
    (tmp_path / "outside/a.mp4").write_bytes(b"x")
    box.remove(("d", "a.mp4"))
    assert seen(tmp_path / "box") == {"d": "0o40755"}
    (tmp_path / "box/l").symlink_to(tmp_path / "outside")
    box.remove(("l", "a.mp4"))
    box.remove(("d", "gone.mp4"))
    assert (tmp_path / "outside/a.mp4").exists()


def test_a_folder_that_is_not_ours_to_write_to_is_the_disks_fault(open_folder):
    (open_folder / "locked").mkdir(mode=0o555)
    with unprivileged():
        box = Box(open_folder)
        with pytest.raises(PermissionError) as error:
            put(box, "locked/a.mp4", b"x")
        box.close()
    assert error.value.filename == str(open_folder / "locked/a.mp4")


def test_a_disk_without_room_is_told_with_the_file_and_leaves_nothing(box, tmp_path):
    def content():
        raise OSError(errno.ENOSPC, "No space left on device")
        yield b""

    with pytest.raises(OSError, match="No space") as error:
        box.put(("a", "b.mp4"), 1, content())
    assert error.value.filename == str(tmp_path / "box/a/b.mp4")
    assert seen(tmp_path / "box") == {"a": "0o40755"}


def test_without_descriptors_links_are_seen_before_they_are_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("mm2energon.pipeline.box._HAS_DESCRIPTORS", False)
    (tmp_path / "outside").mkdir()
    (tmp_path / "box").mkdir()
    (tmp_path / "box/l").symlink_to(tmp_path / "outside")
    box = Box(tmp_path / "box")
    assert put(box, "a/b.mp4", b"x") and put(box, "a/b.mp4", b"x") is False
    for name in ("l/b.mp4", "l", "a/b.mp4/c"):
        with pytest.raises(MemberError):
            put(box, name, b"y")
    box.remove(("a", "b.mp4"))
    box.close()
    assert seen(tmp_path / "outside") == {} and not (tmp_path / "box/a/b.mp4").exists()


@pytest.mark.parametrize(
    "name", ["a.mp4", "-a", " ", "é", "e\u0301", "\udcff", "a\nb", "a" * 255, "...", "~", "%2e%2e/x"]
)
def test_an_odd_name_is_a_name(name):
    assert safe_parts(name) == tuple(name.split("/"))
