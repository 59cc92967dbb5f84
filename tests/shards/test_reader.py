"""Tests of reading shards and metadata back without Energon."""

from __future__ import annotations

import io
import pickle
import shutil
import sqlite3
import tarfile

import pytest
from megatron.energon import BaseWebdatasetFactory
from mm2energon.errors import InputError
from mm2energon.shards.reader import open_rows, read_dataset_yaml, read_index, read_offsets, read_rows, read_shard

from .making import crude_record, picture, write_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("dataset")
    write_dataset(root, "crude")
    return root


def test_a_shard_gives_the_records_that_were_written(dataset):
    expected = [(f"{number:08d}", crude_record(number)) for number in range(5)]
    assert list(read_shard(dataset / "train-shard-000000.tar")) == expected


def test_a_tar_by_someone_else_is_read(tmp_path):
    with tarfile.open(tmp_path / "{a,b}: x.tar", "w") as tar:
        for name in ("folder/a.JPG", "folder/a.json", "b.json"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"data"))
    assert list(read_shard(tmp_path / "{a,b}: x.tar")) == [
        ("folder/a", {"JPG": b"data", "json": b"data"}),
        ("b", {"json": b"data"}),
    ]


def test_a_shard_cut_off_inside_a_sample_is_refused(dataset, tmp_path):
    whole = (dataset / "train-shard-000000.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:3000])
    with pytest.raises(InputError, match="a whole tar was expected"):
        list(read_shard(tmp_path / "cut.tar"))


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, pickle.dumps(picture(1))])
def test_a_file_that_is_no_tar_is_refused(tmp_path, content):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(InputError, match="a whole tar was expected"):
        list(read_shard(tmp_path / "a.tar"))


def test_a_shard_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        list(read_shard(tmp_path / "a.tar"))


def test_the_index_tells_counts_splits_and_manifest(dataset):
    index = read_index(dataset)
    assert list(index.counts.values()) == [5, 3, 4, 2]
    assert index.splits["train"] == ["train-shard-000000.tar", "train-shard-000001.tar"]
    assert index.manifest == {"target": "crude"}
    assert index.excluded == []


def test_the_rows_are_those_that_the_writers_noted(tmp_path):
    shards = write_dataset(tmp_path, "crude")
    expected = [(shard.name, row) for shard in shards for row in shard.index.samples]
    assert list(read_rows(tmp_path)) == expected


def test_the_offsets_lead_to_the_samples(dataset):
    path = dataset / "val-shard-000000.tar"
    *starts, end = read_offsets(path)
    data = path.read_bytes()
    assert [data[at : at + 13] for at in starts] == [b"%08d.json" % number for number in range(8, 12)]
    assert set(data[end:]) == {0}


def test_metadata_that_energon_prepared_is_read_too(dataset, tmp_path):
    for path in dataset.glob("*.tar"):
        shutil.copy(path, tmp_path)
    names = sorted(path.name for path in tmp_path.glob("*.tar"))
    BaseWebdatasetFactory.prepare_dataset(tmp_path, names, split_parts_ratio=[("train", 1.0)], workers=1)
    assert read_index(tmp_path).manifest == {}
    by_shard = {name: [row for shard, row in read_rows(dataset) if shard == name] for name in names}
    assert list(read_rows(tmp_path)) == [(name, row) for name in names for row in by_shard[name]]


def test_the_dataset_yaml_is_read(dataset):
    assert read_dataset_yaml(dataset) == {"__module__": "megatron.energon", "__class__": "CrudeWebdataset"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".info.json", None),
        (".info.json", b"{"),
        (".info.json", b"[]"),
        (".info.json", b"{}"),
        ("split.yaml", None),
        ("split.yaml", b"a: ["),
        ("split.yaml", b"split_parts: []"),
        ("split.yaml", b"\xff\xfe"),
        ("mm2energon.json", b"{"),
        ("mm2energon.json", b'{"shards": []}'),
        ("mm2energon.json", b'{"options": 7}'),
        (".info.json", b"[" * 100_000),
        (".info.json", b'{"shard_counts": {"a.tar": -1}}'),
        (".info.json", b'{"shard_counts": {"a.tar": "2"}}'),
        (".info.json", b'{"shard_counts": {"../a.tar": 1}}'),
        ("split.yaml", b"[" * 100_000),
        ("split.yaml", b"split_parts: {train: 7}"),
        ("split.yaml", b"split_parts: {train: [7]}"),
        ("split.yaml", b"split_parts: {train: [/etc/a.tar]}"),
        ("split.yaml", b"split_parts: {}\nexclude: 7"),
        ("split.yaml", b"!!python/object/apply:os.system [ls]"),
    ],
)
def test_metadata_that_is_missing_or_damaged_is_named(tmp_path, name, content):
    write_dataset(tmp_path)
    path = tmp_path / ".nv-meta" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=r"\.nv-meta"):
        read_index(tmp_path)


def test_a_damaged_database_is_named(tmp_path):
    write_dataset(tmp_path)
    (tmp_path / ".nv-meta/index.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match=r"index\.sqlite"):
        list(read_rows(tmp_path))


@pytest.mark.parametrize("content", [None, bytes(15)])
def test_an_idx_that_is_missing_or_cut_off_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "a.tar.idx").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tar\.idx"):
        read_offsets(tmp_path / "a.tar")


@pytest.mark.parametrize(
    "change",
    [
        "CREATE VIEW samples AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
        "CREATE TABLE other (a)",
    ],
    ids=["a view without end", "no table"],
)
def test_an_index_that_has_no_tables_of_samples_is_named(tmp_path, change):
    write_dataset(tmp_path)
    path = tmp_path / ".nv-meta/index.sqlite"
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute(change)
    database.close()
    with pytest.raises(InputError, match="no tables samples and sample_parts"), open_rows(tmp_path):
        pass


def test_the_rows_of_one_shard_are_read(tmp_path):
    shards = write_dataset(tmp_path)
    with open_rows(tmp_path) as rows:
        found = [rows.of_shard(number, most_parts=1000) for number in range(len(shards))]
        assert found == [shard.index.samples for shard in shards]
        assert rows.counts() == (sum(map(len, found)), sum(len(row.parts) for one in found for row in one))
        assert rows.damage() == ""
