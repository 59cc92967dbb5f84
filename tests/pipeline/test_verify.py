"""Verify: what is sound passes, and each kind of planted fault is found at its place."""

import dataclasses
import hashlib
import os
import pickle
import tarfile

import pytest
import torch
import yaml
from mm2energon import cli
from mm2energon.pipeline.verify import verify
from mm2energon.pipeline.verify_energon import unsound

from pipeline.planted import edit_json, faults_of, found_at, meta, one_record, pixels, text_of


def test_sound_shards_have_no_fault(shards):
    found = verify(shards)
    assert [str(fault) for fault in found.faults] == []
    assert (sum(found.by_webdataset.values()), found.by_energon) == (8, found.by_webdataset)
    assert (found.images, found.videos, found.frames) == (4, 1, 4)


def test_a_flipped_byte_of_a_key_is_found(shards):
    tar = shards / "train-shard-000001.tar"
    data = bytearray(tar.read_bytes())
    data[3] ^= 1
    tar.write_bytes(data)
    assert found_at(shards, tar.name, "crc32") is True
    assert found_at(shards, tar.name, "0 samples") is True


def test_a_flipped_byte_inside_a_picture_is_found(shards):
    tar = shards / "train-shard-000000.tar"
    data = bytearray(tar.read_bytes())
    data[data.index(b"\xff\xda") + 40] ^= 1
    tar.write_bytes(data)
    assert found_at(shards, tar.name, "crc32") is True


def test_shards_of_earlier_versions_are_checked_by_the_sha256_that_they_noted(shards):
    tar = shards / "train-shard-000000.tar"
    digest = hashlib.sha256(tar.read_bytes()).hexdigest()
    edit_json(meta(shards, "mm2energon.json"), lambda made: made["shards"].update({tar.name: {"sha256": digest}}))
    assert [str(fault) for fault in verify(shards, energon=False).faults] == []
    tar.write_bytes(tar.read_bytes()[:-1] + b"x")
    assert found_at(shards, tar.name, "sha256") is True


@pytest.mark.parametrize("count", [1, 5])
def test_a_wrong_count_is_found(shards, count):
    edit_json(meta(shards, ".info.json"), lambda info: info["shard_counts"].update({"train-shard-000000.tar": count}))
    assert found_at(shards, "train-shard-000000.tar", f".info.json says {count}") is True


def test_counts_for_older_energons_that_differ_are_found(shards):
    meta(shards, ".info.yaml").write_text(yaml.safe_dump({"shard_counts": {"train-shard-000000.tar": 2}}))
    assert found_at(shards, ".info.yaml", "does not hold the counts") is True
    meta(shards, ".info.yaml").unlink()
    assert found_at(shards, ".info.yaml", "cannot be read") is True


def test_a_shard_in_two_splits_is_found(shards):
    split = yaml.safe_load(meta(shards, "split.yaml").read_text())
    split["split_parts"]["val"].append("train-shard-000000.tar")
    meta(shards, "split.yaml").write_text(yaml.safe_dump(split))
    assert found_at(shards, "train-shard-000000.tar", "is in two splits, train and val") is True


def test_a_sample_that_stands_in_two_splits_is_found(shards):
    """Another shard with the same keys, counted and all."""
    (shards / "val-shard-000001.tar").write_bytes((shards / "train-shard-000000.tar").read_bytes())
    edit_json(meta(shards, ".info.json"), lambda info: info["shard_counts"].update({"val-shard-000001.tar": 2}))
    split = yaml.safe_load(meta(shards, "split.yaml").read_text())
    split["split_parts"]["val"].append("val-shard-000001.tar")
    meta(shards, "split.yaml").write_text(yaml.safe_dump(split))
    assert found_at(shards, "val-shard-000001.tar/00000", "key occurs twice") is True


def test_a_shard_that_no_split_names_is_found(shards):
    split = yaml.safe_load(meta(shards, "split.yaml").read_text())
    split["split_parts"]["val"] = []
    meta(shards, "split.yaml").write_text(yaml.safe_dump(split))
    assert found_at(shards, "val-shard-000000.tar", "is not in split.yaml") is True


def test_an_extra_tar_is_found(shards):
    (shards / "train-shard-000009.tar").write_bytes((shards / "train-shard-000000.tar").read_bytes())
    assert found_at(shards, "train-shard-000009.tar", "belongs to no split") is True


def test_a_missing_tar_is_found(shards):
    (shards / "train-shard-000001.tar").unlink()
    assert found_at(shards, "train-shard-000001.tar", "No such file") is True


def test_a_tar_that_is_cut_off_is_found(shards):
    tar = shards / "train-shard-000000.tar"
    os.truncate(tar, tar.stat().st_size // 2)
    assert found_at(shards, tar.name, "") is True


def test_what_energon_cannot_read_is_found(tmp_path):
    one_record(tmp_path, json=text_of("<image>q"), jpgs=pickle.dumps([pixels()[:300]]))
    assert any(fault.place == "train" and "Energon" in fault.what for fault in verify(tmp_path).faults)


@dataclasses.dataclass(slots=True)
class Slotted:
    imgs: object = None
    text: str = ""


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: [[x, x]], lambda x: {"a": (x,)}])
def test_a_tensor_that_is_not_finite_is_found_in_a_sample_with_slots(value, wrap):
    assert list(unsound(Slotted(imgs=wrap(torch.zeros(2))))) == []
    assert list(unsound(Slotted(imgs=wrap(torch.tensor([0.0, value]))))) == ["imgs holds colours that are not finite"]


def test_the_command_names_the_faults_and_exits_1(shards, capsys):
    assert cli.main(["verify", str(shards), "--skip-energon"]) == 0
    (shards / "train-shard-000001.tar").unlink()
    assert cli.main(["verify", str(shards), "--skip-energon"]) == 1
    out = capsys.readouterr().out
    assert "FAULT train-shard-000001.tar: " in out and out.strip().endswith("faults")


def test_a_folder_without_a_dataset_is_an_error_of_one_line(tmp_path, capsys):
    assert cli.main(["verify", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_dataset_that_was_prepared_by_other_means_is_verified_too(shards):
    meta(shards, "mm2energon.json").unlink()
    meta(shards, ".info.yaml").unlink()
    assert faults_of(shards) == []


def test_samples_that_split_yaml_leaves_out_are_not_missed(shards):
    split = yaml.safe_load(meta(shards, "split.yaml").read_text())
    with tarfile.open(shards / "train-shard-000001.tar") as tar:
        key = tar.getnames()[0].partition(".")[0]
    split["exclude"] = ["train-shard-000000.tar", f"train-shard-000001.tar/{key}"]
    meta(shards, "split.yaml").write_text(yaml.safe_dump(split))
    found = verify(shards)
    assert [str(fault) for fault in found.faults] == []
    assert found.by_webdataset["train"] - found.by_energon["train"] == 3


@pytest.mark.parametrize(("old", "new"), [("train", "training"), ("val", "validation"), ("test", "exam")])
def test_a_split_under_another_name_is_found(shards, old, new):
    split = yaml.safe_load(meta(shards, "split.yaml").read_text())
    split["split_parts"][new] = split["split_parts"].pop(old)
    meta(shards, "split.yaml").write_text(yaml.safe_dump(split))
    assert found_at(shards, "split.yaml", f"{old!r} is missing") is True
    assert found_at(shards, "split.yaml", f"{new!r} is no split") is True


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("dataset.yaml", "__class__", "ChatMLWebdatase"),
        ("dataset.yaml", "__module__", "megatron_patch.data.energon"),
        ("dataset.yaml", "field_map", {"img": "jpgs"}),
        ("dataset.bridge.yaml", "__module__", "nowhere"),
    ],
)
def test_a_yaml_that_is_not_its_readers_is_found(shards, name, key, value):
    content = yaml.safe_load(meta(shards, name).read_text())
    meta(shards, name).write_text(yaml.safe_dump({**content, key: value}))
    assert found_at(shards, name, f"{key} is") is True
    meta(shards, name).unlink()
    if name != "dataset.yaml":  # without it nothing at all can be read
        assert found_at(shards, name, "cannot be read") is True


def test_the_yaml_of_another_reader_in_the_first_place_is_found(shards):
    meta(shards, "dataset.yaml").write_bytes(meta(shards, "dataset.bridge.yaml").read_bytes())
    assert found_at(shards, "dataset.yaml", "is not what its reader needs") is True


@pytest.mark.parametrize("content", [None, "no id"])
def test_an_index_without_its_id_is_found(shards, content):
    meta(shards, "index.uuid").unlink()
    if content:
        meta(shards, "index.uuid").write_text(content)
    assert found_at(shards, "index.uuid", "holds no id") is True


def test_it_is_said_when_the_checksums_are_gone(shards):
    meta(shards, "mm2energon.json").unlink()
    assert verify(shards, energon=False).notes == [
        "no mm2energon.json: the bytes cannot be compared with those that were written"
    ]
