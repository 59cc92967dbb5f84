"""Tests of `.nv-meta`: it is what `energon prepare` writes for the same tars, and it appears whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sqlite3
import uuid

import pytest
import yaml
from megatron.energon import BaseWebdatasetFactory
from mm2energon.errors import InputError
from mm2energon.shards.metadata import ShardSummary, replace_dataset_yamls, write_metadata
from mm2energon.shards.writer import ShardWriter

from .making import SHARDS, write_dataset

COUNTS = {
    "train-shard-000000.tar": 5,
    "train-shard-000001.tar": 3,
    "val-shard-000000.tar": 4,
    "test-shard-000000.tar": 2,
}


@pytest.fixture(scope="module", params=["pai-v1", "crude"])
def ours_and_energons(request, tmp_path_factory):
    """A dataset of ours, and the same tars prepared by Energon."""
    ours, theirs = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("theirs")
    write_dataset(ours, request.param)
    for name in COUNTS:
        shutil.copy(ours / name, theirs / name)
    patterns = [(split, f"{split}-shard-.*") for split in SHARDS]
    BaseWebdatasetFactory.prepare_dataset(theirs, list(COUNTS), split_parts_patterns=patterns, workers=1)
    return ours, theirs


def select(root, query):
    with sqlite3.connect(root / ".nv-meta/index.sqlite") as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM samples ORDER BY tar_file_id, sample_index",
        "SELECT * FROM sample_parts ORDER BY tar_file_id, sample_index, content_byte_offset",
        "SELECT rowid, * FROM samples",
        "SELECT rowid, * FROM sample_parts",
    ],
)
def test_the_rows_are_those_of_energon_prepare(ours_and_energons, query):
    ours, theirs = ours_and_energons
    rows = select(ours, query)
    assert rows == select(theirs, query)
    assert len(rows) >= sum(COUNTS.values())


def test_the_tables_and_indexes_are_those_of_energon_prepare(ours_and_energons):
    schemas = []
    for root in ours_and_energons:
        rows = select(root, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name")
        schemas.append([(*names, re.sub(r"\s+|(?<=\() | (?=\))", "", sql or "")) for *names, sql in rows])
    assert schemas[0] == schemas[1]


@pytest.mark.parametrize("name", list(COUNTS))
def test_the_idx_is_that_of_energon_prepare(ours_and_energons, name):
    ours, theirs = ours_and_energons
    assert (ours / f"{name}.idx").read_bytes() == (theirs / f"{name}.idx").read_bytes()


def test_the_counts_are_those_of_energon_prepare_in_its_order(ours_and_energons):
    ours, theirs = ours_and_energons
    expected = json.loads((theirs / ".nv-meta/.info.json").read_text())
    found = json.loads((ours / ".nv-meta/.info.json").read_text())
    assert list(found["shard_counts"].items()) == list(expected["shard_counts"].items()) == list(COUNTS.items())
    assert list(found) == ["shard_counts"], "Energon 6.0.1 and 7.0.0 refuse any other key"
    assert yaml.safe_load((ours / ".nv-meta/.info.yaml").read_text()) == found


def test_the_splits_are_listed_shard_by_shard(ours_and_energons):
    ours, _ = ours_and_energons
    assert yaml.safe_load((ours / ".nv-meta/split.yaml").read_text()) == {
        "split_parts": {
            "train": ["train-shard-000000.tar", "train-shard-000001.tar"],
            "val": ["val-shard-000000.tar"],
            "test": ["test-shard-000000.tar"],
        },
        "exclude": [],
    }


def test_energon_finds_the_same_files(ours_and_energons):
    ours, theirs = ours_and_energons
    extra = {"mm2energon.json", "dataset.yaml", "dataset.bridge.yaml", ".info.yaml"}
    names = [{path.name for path in (root / ".nv-meta").iterdir()} - extra for root in (ours, theirs)]
    assert names[0] == names[1]


def shard(root, name="train-shard-000000.tar", keys=("00000000",), split="train"):
    with ShardWriter(root / name) as writer:
        for key in keys:
            writer.write(key, {"json": b"{}"})
    return ShardSummary(name, split, writer.rows)


def write(root, *shards, splits=None, **changes):
    splits = {"train": [item.name for item in shards]} if splits is None else splits
    options = {"dataset_yamls": {"dataset.yaml": {"sample_type": 1}}, "manifest": {"made": "so"}, **changes}
    write_metadata(root, shards=iter(shards), splits=splits, **options)


def content(root):
    return {path.name: path.read_bytes() for path in (root / ".nv-meta").iterdir()}


def test_the_same_input_gives_the_same_bytes(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, shard(one))
    write(two, shard(two))
    assert content(one) == content(two)


def test_the_uuid_is_one_and_changes_with_the_rows(tmp_path):
    found = []
    for keys in (["00000000"], ["00000001"]):
        write(tmp_path, shard(tmp_path, keys=keys))
        found.append((tmp_path / ".nv-meta/index.uuid").read_text())
        assert str(uuid.UUID(found[-1])) == found[-1]
    assert found[0] != found[1]


def test_all_three_splits_are_there_even_when_empty(tmp_path):
    write(tmp_path, shard(tmp_path))
    parts = yaml.safe_load((tmp_path / ".nv-meta/split.yaml").read_text())["split_parts"]
    assert parts == {"train": ["train-shard-000000.tar"], "val": [], "test": []}


def test_metadata_that_is_there_is_replaced_as_a_whole(tmp_path):
    write(tmp_path, shard(tmp_path), dataset_yamls={"dataset.old.yaml": {}})
    write(tmp_path, shard(tmp_path))
    assert "dataset.old.yaml" not in content(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".nv")) == [".nv-meta"]


def test_what_a_run_that_was_cut_off_left_behind_is_no_hindrance(tmp_path):
    for leftover in (".nv-meta.writing", ".nv-meta.old"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "index.sqlite").write_bytes(b"half")
    write(tmp_path, shard(tmp_path))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".nv")] == [".nv-meta"]
    assert select(tmp_path, "SELECT sample_key FROM samples") == [("00000000",)]


def test_a_failure_leaves_the_old_metadata_as_it_was(tmp_path):
    write(tmp_path, shard(tmp_path))
    before = content(tmp_path)
    with pytest.raises(TypeError):
        write(tmp_path, shard(tmp_path), manifest={"not json": object()})
    assert content(tmp_path) == before
    assert not (tmp_path / ".nv-meta.writing").exists()


def test_a_key_in_two_shards_is_refused(tmp_path):
    with pytest.raises(InputError, match="train-shard-000001.tar: a key that was"):
        write(tmp_path, shard(tmp_path), shard(tmp_path, "train-shard-000001.tar"))
    assert not (tmp_path / ".nv-meta").exists()


def test_a_shard_without_samples_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no samples"):
        write(tmp_path, shard(tmp_path, keys=[]))


@pytest.mark.parametrize(
    "splits",
    [
        {},
        {"val": ["train-shard-000000.tar"]},
        {"train": ["train-shard-000000.tar"], "val": ["train-shard-000000.tar"]},
        {"train": ["train-shard-000000.tar", "train-shard-000000.tar"]},
        {"train": ["train-shard-000000.tar", "train-shard-000009.tar"]},
    ],
)
def test_splits_that_do_not_fit_the_shards_are_refused(tmp_path, splits):
    with pytest.raises(ValueError, match="train-shard-00000"):
        write(tmp_path, shard(tmp_path), splits=splits)


def test_a_shard_given_twice_is_refused(tmp_path):
    one = shard(tmp_path)
    again = dataclasses.replace(one, index=shard(tmp_path, "other.tar", keys=["00000005"]).index)
    with pytest.raises(ValueError, match="given once"):
        write(tmp_path, one, again, splits={"train": [one.name]})


def test_the_yamls_of_a_dataset_can_be_exchanged_alone(tmp_path):
    write(tmp_path, shard(tmp_path), dataset_yamls={"dataset.yaml": {"a": 1}, "dataset.bridge.yaml": {"b": 1}})
    before = content(tmp_path)
    replace_dataset_yamls(tmp_path, dataset_yamls={"dataset.yaml": {"c": 1}}, manifest={"target": "bridge"})
    after = content(tmp_path)
    assert yaml.safe_load(after["dataset.yaml"]) == {"c": 1}
    assert json.loads(after["mm2energon.json"]) == {"target": "bridge"}
    assert "dataset.bridge.yaml" not in after
    changed = {"dataset.yaml", "mm2energon.json", "dataset.bridge.yaml"}
    assert all(after[name] == before[name] for name in set(before) - changed)


def test_the_yamls_of_a_folder_without_metadata_cannot_be_exchanged(tmp_path):
    with pytest.raises(InputError, match=r"no \.nv-meta in it"):
        replace_dataset_yamls(tmp_path, dataset_yamls={}, manifest={})
