"""Recordings: files, folders and patterns that a person names."""

from __future__ import annotations

from pathlib import Path

import pytest
from mm2energon.errors import InputError
from mm2energon.speech.recordings import find_recordings


def files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_a_folder_is_what_lies_below_it_and_sounds(tmp_path: Path) -> None:
    files(tmp_path, "b.mkv", "a.MP4", "deep/c.wav", "notes.txt", "a.user.srt", ".hidden/d.mp4", ".e.mp4")
    found = find_recordings([str(tmp_path)])
    assert [one.name for one in found] == ["a.MP4", "b.mkv", "deep/c.wav"]
    assert [one.id for one in found] == ["a", "b", "deep-c"]


def test_a_file_may_have_any_ending(tmp_path: Path) -> None:
    files(tmp_path, "talk.bin")
    assert [one.id for one in find_recordings([str(tmp_path / "talk.bin")])] == ["talk"]


def test_a_pattern_is_what_matches_in_order(tmp_path: Path) -> None:
    files(tmp_path, "t2.mkv", "t1.mkv", "other.mkv", "deep/t3.mkv")
    assert [one.name for one in find_recordings([str(tmp_path / "t*.mkv")])] == ["t1.mkv", "t2.mkv"]
    assert [one.name for one in find_recordings([str(tmp_path / "**/t*.mkv")])] == ["deep/t3.mkv", "t1.mkv", "t2.mkv"]


def test_a_name_with_brackets_is_a_file_where_there_is_one(tmp_path: Path) -> None:
    files(tmp_path, "talk [1].mkv")
    assert [one.name for one in find_recordings([str(tmp_path / "talk [1].mkv")])] == ["talk [1].mkv"]


def test_what_is_named_twice_is_taken_once(tmp_path: Path) -> None:
    files(tmp_path, "a.mkv", "b.mkv", "x/notes.txt")
    found = find_recordings([str(tmp_path / "b.mkv"), str(tmp_path), str(tmp_path / "x/../b.mkv")])
    assert [one.name for one in found] == ["b.mkv", "a.mkv"]


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["a.mkv", "a.mp4"], ["a.mkv", "a.mp4"]),
        (["x/a.mkv", "y/a.mkv"], ["x-a", "y-a"]),
        (["a-b/c.mkv", "a/b-c.mkv"], ["a-b-c", "a-b-c.2"]),
    ],
)
def test_ids_are_told_apart(names: list[str], ids: list[str], tmp_path: Path) -> None:
    files(tmp_path, *names)
    assert [one.id for one in find_recordings([str(tmp_path)])] == ids


@pytest.mark.parametrize("name", ["gone.mkv", "none*.mkv", ""])
def test_a_name_of_nothing_is_refused(name: str, tmp_path: Path) -> None:
    files(tmp_path, "notes.txt")
    with pytest.raises(InputError):
        find_recordings([str(tmp_path / name) if name else str(tmp_path)])


def test_no_name_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="at least one recording"):
        find_recordings([])


def test_an_id_leaves_room_in_the_names_of_files(tmp_path: Path) -> None:
    deep = "/".join(["ä" * 60] * 3)
    files(tmp_path, f"{deep}/{'b' * 240}.mkv", f"{deep}/{'b' * 240}c.mkv")
    ids = [one.id for one in find_recordings([str(tmp_path)])]
    assert len(set(ids)) == 2
    assert all(len(own.encode()) <= 160 for own in ids)
