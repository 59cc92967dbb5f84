"""Indexes that do not tell the tars as they are are found."""

import io
import sqlite3
import tarfile

import pytest

from pipeline.planted import found_at, meta


def test_a_renamed_sample_is_found_in_the_rows(shards):
    """A tar whose headers are right, and whose key is another."""
    tar = shards / "train-shard-000001.tar"
    with tarfile.open(tar) as old:
        members = [(member, old.extractfile(member).read()) for member in old]
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as new:
        for member, data in members:
            member.name = member.name.replace("0000000", "0000010", 1)
            new.addfile(member, io.BytesIO(data))
    assert found_at(shards, "index.sqlite", tar.name) is True


def test_an_idx_that_is_cut_off_is_found(shards):
    idx = shards / "train-shard-000000.tar.idx"
    whole = idx.read_bytes()
    idx.write_bytes(whole[:-8])
    assert found_at(shards, idx.name, "2 offsets") is True
    idx.write_bytes(whole[:-3])
    assert found_at(shards, idx.name, "no whole number") is True
    idx.write_bytes(whole[:8] + (int.from_bytes(whole[8:16], "little") + 512).to_bytes(8, "little") + whole[16:])
    assert found_at(shards, idx.name, "offset 1 is") is True
    idx.unlink()
    assert found_at(shards, idx.name, "No such file") is True


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE samples SET sample_key = 'other' WHERE tar_file_id = 0 AND sample_index = 1",
        "UPDATE samples SET byte_size = byte_size + 512 WHERE tar_file_id = 0 AND sample_index = 1",
        "UPDATE samples SET byte_offset = byte_offset + 512 WHERE tar_file_id = 0 AND sample_index = 1",
        "UPDATE sample_parts SET content_byte_size = 1 WHERE tar_file_id = 0 AND part_name = 'json'",
        "UPDATE sample_parts SET part_name = 'text' WHERE tar_file_id = 0 AND part_name = 'json'",
        "DELETE FROM samples WHERE tar_file_id = 0 AND sample_index = 1",
        "UPDATE samples SET tar_file_id = 99 WHERE tar_file_id = 0",
    ],
)
def test_a_changed_row_is_found(shards, change):
    with sqlite3.connect(meta(shards, "index.sqlite")) as database:
        database.execute(change)
        if "tar_file_id = 99" in change:
            database.execute("UPDATE sample_parts SET tar_file_id = 99 WHERE tar_file_id = 0")
    database.close()
    assert found_at(shards, "index.sqlite", "") is True
