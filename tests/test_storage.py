"""Files appear whole or not at all, and media are found inside the dataset root alone."""

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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon import storage
from mm2energon.errors import MediaError
from mm2energon.storage import (
    TEMPORARY_SUFFIX,
    PlainFiles,
    inside_root,
    media_file,
    remove_leftovers,
    write_whole,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A dataset root with pictures, and things outside of it."""
    root = tmp_path.resolve() / "root"
    (root / "pictures" / "deep").mkdir(parents=True)
    for path in (root / "a.jpg", root / "pictures" / "b.jpg", root.parent / "secret.jpg"):
        path.write_bytes(b"picture")
    return root


def refused(root: Path, written: str) -> MediaError:
    with pytest.raises(MediaError) as caught:
        inside_root(root, written, origin="train.json[3]")
    assert str(caught.value).startswith("train.json[3]: ")
    assert str(caught.value).count("; ") >= 2, "what was found; what was expected; what to do"
    return caught.value


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


@pytest.mark.parametrize(
    ("written", "relative"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("./pictures//b.jpg", "pictures/b.jpg"),
        ("pictures/deep/../b.jpg", "pictures/b.jpg"),
        ("../root/a.jpg", "a.jpg"),
        ("not/there.jpg", "not/there.jpg"),
        (" a.jpg", " a.jpg"),
        ("~", "~"),
        ("~/a.jpg", "~/a.jpg"),
        ("$HOME/a.jpg", "$HOME/a.jpg"),
        ("pictures\\b.jpg", "pictures\\b.jpg"),
        ("C:\\b.jpg", "C:\\b.jpg"),
        ("图片/été 😀.jpg", "图片/été 😀.jpg"),
        ("12:30.jpg", "12:30.jpg"),
        ("x" * 200 + ".jpg", "x" * 200 + ".jpg"),
    ],
)
def test_a_path_inside_the_root_is_made_plain(root: Path, written: str, relative: str) -> None:
    assert inside_root(root, written, origin="o") == relative


def test_an_absolute_path_inside_the_root_becomes_relative(root: Path) -> None:
    assert inside_root(root, str(root / "pictures" / ".." / "a.jpg"), origin="o") == "a.jpg"


def test_an_absolute_path_may_name_the_root_by_a_link_to_it(root: Path) -> None:
    (root.parent / "alias").symlink_to(root)
    assert inside_root(root, str(root.parent / "alias" / "pictures" / "b.jpg"), origin="o") == "pictures/b.jpg"


@pytest.mark.parametrize(
    "written",
    ["..", "../secret.jpg", "pictures/../../secret.jpg", "/etc/passwd", "/", "../root2/a.jpg", "//secret.jpg"],
)
def test_a_path_that_leaves_the_root_is_refused(root: Path, written: str) -> None:
    (root.parent / "root2").mkdir()
    assert refused(root, written).code == "outside-root"


@pytest.mark.parametrize("target", ["../secret.jpg", "..", "/etc", "pictures/../.."])
def test_a_link_that_leaves_the_root_is_refused(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    for written in ("link", "link/secret.jpg", "pictures/../link"):
        assert refused(root, written).code == "outside-root"
        with pytest.raises(MediaError):
            media_file(root, written, origin="o")


def test_a_link_inside_the_root_is_followed_and_keeps_its_name(root: Path) -> None:
    (root / "link").symlink_to("pictures")
    assert inside_root(root, "link/b.jpg", origin="o") == "link/b.jpg"
    assert media_file(root, "link/b.jpg", origin="o").read_bytes() == b"picture"


@pytest.mark.parametrize(
    "written",
    [
        "https://host/a.jpg",
        "HTTP://host/a.jpg",
        "s3://bucket/a.jpg",
        "file:///a.jpg",
        "data:image/png;base64,iVBO",
        "DATA:,x",
    ],
)
def test_a_url_is_refused_with_the_way_out(root: Path, written: str) -> None:
    error = refused(root, written)
    assert error.code == "missing-media"
    assert "is a URL" in str(error) and "download it first" in str(error)


@pytest.mark.parametrize(
    "written",
    ["", " ", "\n", "a\0.jpg", "\ud800.jpg", "x" * 5000, "a/" * 5000 + "a.jpg", "图" * 100, "data:" + "x" * 100_000],
    ids=["empty", "space", "newline", "nul", "half a pair", "long", "deep", "long in bytes", "long data"],
)
def test_an_impossible_name_is_refused_in_a_short_message(root: Path, written: str) -> None:
    error = refused(root, written)
    assert error.code == "missing-media"
    assert len(str(error)) < 600
    with pytest.raises(MediaError):
        media_file(root, written, origin="o")


def test_links_that_turn_in_a_circle_are_refused(root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    with pytest.raises(MediaError) as caught:
        media_file(root, "one", origin="o")
    assert caught.value.code == "missing-media"


def test_only_a_regular_file_is_a_medium(root: Path) -> None:
    os.mkfifo(root / "pipe.jpg")
    (root / "nowhere.jpg").symlink_to("not-there.jpg")
    for written, found in (
        ("pictures", "is not a regular file"),
        (".", "is not a regular file"),
        ("pipe.jpg", "is not a regular file"),
        ("none.jpg", "does not exist"),
        ("nowhere.jpg", "does not exist"),
        ("a.jpg/b.jpg", "does not exist"),
    ):
        with pytest.raises(MediaError, match=found) as caught:
            media_file(root, written, origin="train.json[3]")
        assert caught.value.code == "missing-media"
        assert str(caught.value).startswith("train.json[3]: ") and str(root) in str(caught.value)


def test_a_device_is_no_medium() -> None:
    with pytest.raises(MediaError, match="is not a regular file"):
        media_file(Path("/dev"), "null", origin="o")


def test_a_regular_file_is_found(root: Path) -> None:
    assert media_file(root, "./pictures//b.jpg", origin="o") == root / "pictures" / "b.jpg"


@given(written=st.text(max_size=40) | st.from_regex(r"(\.\./|/|\./|link/|a|\\|\0|~){0,12}", fullmatch=True))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_stays_inside_or_is_refused(root: Path, written: str) -> None:
    if not (root / "link").is_symlink():
        (root / "link").symlink_to("..")
    try:
        relative = inside_root(root, written, origin="o")
    except MediaError:
        return
    assert not relative.startswith("/")
    assert (root / relative).resolve().is_relative_to(root)


def test_a_file_at_a_plain_path_is_read_when_it_has_the_size_that_is_expected(root: Path) -> None:
    files = PlainFiles(root)
    (root / "empty").touch()
    assert files.read("a.jpg", 7) == files.read("pictures/b.jpg", 7) == b"picture"
    assert files.read("empty", 0) == b""
    assert [files.read("a.jpg", size) for size in (0, 6, 8, 1 << 20)] == [None] * 4


def test_a_large_file_is_read_whole(root: Path) -> None:
    data = os.urandom(3 << 20)
    (root / "large").write_bytes(data)
    assert PlainFiles(root).read("large", len(data)) == data


@pytest.mark.parametrize(
    "written",
    ["none.jpg", "pictures", ".", "..", "", " ", "./a.jpg", "pictures/../a.jpg", "pictures//b.jpg", "pictures/b.jpg/"]
    + ["../secret.jpg", "inner/b.jpg", "outer/secret.jpg", "to_a.jpg", "to_secret.jpg", "pipe", "a.jpg/b", "a\0.jpg"]
    + ["\ud800.jpg", "x" * 5000, "s3://bucket/a.jpg", "data:a.jpg"],
)
def test_what_is_not_plain_is_left_to_those_who_look_at_every_part(root: Path, written: str) -> None:
    for name, target in (
        ("inner", "pictures"),
        ("outer", ".."),
        ("to_a.jpg", "a.jpg"),
        ("to_secret.jpg", "../secret.jpg"),
    ):
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    (root / "data:a.jpg").write_bytes(b"picture")
    assert PlainFiles(root).read(written, 7) is None


def test_an_absolute_path_is_not_plain(root: Path) -> None:
    assert PlainFiles(root).read(str(root / "a.jpg"), 7) is None
    assert PlainFiles(root).read(str(root.parent / "secret.jpg"), 7) is None
    assert PlainFiles(root).read("/a.jpg", 7) is None


@given(written=st.text(max_size=12) | st.from_regex(r"(\.\./|/|\./|link/|in/|a|\\|\0|~|:| ){0,8}", fullmatch=True))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_opened_as_plain_is_what_a_look_at_every_part_finds(root: Path, written: str) -> None:
    if not (root / "link").is_symlink():
        (root / "link").symlink_to("..")
        (root / "in").symlink_to("pictures")
        for name in ("a", "aa", "~", "pictures/a", "pictures/~"):
            (root / name).write_bytes(name.encode())
    descriptor = PlainFiles(root).open(written)
    if descriptor is None:
        return
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        assert os.path.samestat(found, media_file(root, written, origin="o").stat())
        assert inside_root(root, written, origin="o") == written


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
