"""Databases of SQLite that the disk has no room for."""

import errno
import sqlite3

import pytest
from mm2energon import cli, database
from mm2energon.pipeline.known import Known
from mm2energon.pipeline.verify_catalog import Catalog
from pipeline.making import image_dataset, run_shard, text_entry, video_entry, write_json


class Full(sqlite3.Connection):
    """A database on a disk without room."""

    def execute(self, statement, *values):
        if statement.startswith(("INSERT", "BEGIN")):
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(statement, *values)


@pytest.fixture
def full(tmp_path, monkeypatch):
    """The folder of temporary files, on a disk that is full."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("SQLITE_TMPDIR", str(folder))
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *of, **how: connect(*of, factory=Full, **how))
    return folder


@pytest.mark.parametrize("fill", [lambda: Known().add("one"), Catalog])
def test_a_temporary_database_that_is_full_is_a_fault_of_the_folder_that_sqlite_keeps_it_in(full, fill):
    with pytest.raises(OSError, match="No space left") as caught, database.faults_of_the_disk():
        fill()
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(full)


def test_another_fault_names_the_file(tmp_path):
    path = tmp_path / "nowhere/index.sqlite"
    with pytest.raises(OSError, match="Input/output error") as caught, database.faults_of_the_disk(path):
        sqlite3.connect(path)
    assert caught.value.errno == errno.EIO and caught.value.filename == str(path)


def test_shard_and_verify_say_in_one_line_that_temporary_files_have_no_room(tmp_path, request, capsys):
    root = image_dataset(tmp_path / "root", 4)
    write_json(root / "videos.json", [video_entry("one.mp4"), *map(text_entry, range(4))])
    assert run_shard(root) == 0
    said = f"error: {request.getfixturevalue('full')}: No space left on device; make room, and run the same command"
    capsys.readouterr()
    for command in (
        ["shard", "--dataset-root", str(root), "--json", "videos.json", "--output", str(tmp_path / "wds")],
        ["verify", str(root / "wds"), "--skip-energon"],
    ):
        assert cli.main(command) == 1
        assert capsys.readouterr().err.startswith(said)
