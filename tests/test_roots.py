"""Media are found inside the dataset root, and further roots that were opened, alone."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.errors import MediaError
from mm2energon.roots import PlainFiles, inside_root, media_file, name_from, read_regular


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


@pytest.mark.parametrize("part", ["a/", "../", "./", "x", "/", " /"])
def test_a_path_that_is_longer_than_any_is_refused_before_it_is_followed(root: Path, part: str) -> None:
    """It would take minutes: a system asked for each of a million parts."""
    error = refused(root, part * 2_000_000)
    assert error.code == "missing-media" and len(str(error)) < 400


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
    assert error.code == "media-url"
    advice = {"data:": "to a file", "DATA:": "to a file", "file:": "the path alone"}.get(
        written[:5], "download it first"
    )
    assert "is a URL" in str(error) and advice in str(error)


@pytest.mark.parametrize(
    "written",
    ["", " ", "\n", "a\0.jpg", "\ud800.jpg", "x" * 5000, "a/" * 5000 + "a.jpg", "图" * 100],
    ids=["empty", "space", "newline", "nul", "half a pair", "long", "deep", "long in bytes"],
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


@pytest.fixture
def further(root: Path) -> Path:
    """A folder beside the root, with a video and ways out."""
    further = root.parent / "further"
    (further / "deep").mkdir(parents=True)
    (further / "deep" / "v.mp4").write_bytes(b"video")
    (further / "out.jpg").symlink_to("../secret.jpg")
    (further / "in.jpg").symlink_to(root / "a.jpg")
    return further


def test_a_file_of_a_further_root_keeps_its_absolute_path(root: Path, further: Path) -> None:
    written = str(further / "deep" / "." / "v.mp4")
    assert refused(root, written).code == "outside-root"
    assert inside_root(root, written, origin="o", further=[further]) == written
    assert media_file(root, written, origin="o", further=[further]).read_bytes() == b"video"
    assert name_from(root, further / "deep") == str(further / "deep")


def test_a_further_root_may_be_named_by_a_link_to_it(root: Path, further: Path) -> None:
    (root.parent / "alias").symlink_to(further)
    written = str(root.parent / "alias" / "deep" / "v.mp4")
    assert inside_root(root, written, origin="o", further=[further]) == str(further / "deep" / "v.mp4")


def test_links_from_one_root_into_another_are_followed_and_keep_their_name(root: Path, further: Path) -> None:
    (root / "videos").symlink_to(further / "deep")
    assert refused(root, "videos/v.mp4").code == "outside-root"
    assert inside_root(root, "videos/v.mp4", origin="o", further=[further]) == "videos/v.mp4"
    assert inside_root(root, str(further / "in.jpg"), origin="o", further=[further]) == str(further / "in.jpg")


@pytest.mark.parametrize(
    "written",
    [
        "../further/deep/v.mp4",
        "{further}/out.jpg",
        "{further}/../secret.jpg",
        "{further}2/v.mp4",
        "{further}/..",
        "link",
    ],
)
def test_nothing_beside_the_roots_is_opened_by_a_further_one(root: Path, further: Path, written: str) -> None:
    (root / "link").symlink_to("../further/out.jpg")
    (root.parent / "further2").mkdir()
    (root.parent / "further2" / "v.mp4").write_bytes(b"video")
    with pytest.raises(MediaError) as caught:
        media_file(root, written.format(further=further), origin="o", further=[further])
    assert caught.value.code == "outside-root"
    assert "--allow-absolute-media" in str(caught.value)


@given(written=st.from_regex(r"(\.\./|/|F/|further/|deep/|link/|out|v\.mp4){0,8}", fullmatch=True))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_stays_inside_the_roots_or_is_refused(root: Path, further: Path, written: str) -> None:
    if not (root / "link").is_symlink():
        (root / "link").symlink_to(further)
        (further / "link").symlink_to("..")
    try:
        name = inside_root(root, written.replace("F", str(further), 1), origin="o", further=[further])
    except MediaError:
        return
    real = (root / name).resolve()
    assert real.is_relative_to(root) or real.is_relative_to(further)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder", "nothing", "large"])
def test_only_a_regular_file_of_usual_size_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"x" * 11)
    with pytest.raises(OSError):
        read_regular(path, most_bytes=10)


def test_a_regular_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "b", most_bytes=10) == b"x" * 10
