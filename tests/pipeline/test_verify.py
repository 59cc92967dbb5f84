"""Verify: what is sound passes, and each kind of planted fault is found at its place."""

import dataclasses
import io
import json
import os
import pickle
import sqlite3
import tarfile

import pytest
import torch
import yaml
from mm2energon import cli
from mm2energon.pipeline.verify import _unsound, verify
from mm2energon.shards.index import ShardSummary
from mm2energon.shards.metadata import write_metadata
from mm2energon.shards.writer import ShardWriter
from mm2energon.targets import TARGETS, dataset_yamls
from PIL import Image

from pipeline.making import image_entry, run_shard, text_entry, video_entry, write_frames, write_images, write_json


@pytest.fixture
def shards(tmp_path):
    """Six samples in three shards of train and one of val."""
    names = write_images(tmp_path, 4)
    video = write_frames(tmp_path, "v", 4, fps="2.0")
    entries = [*(image_entry(name) for name in names), video_entry(video), text_entry(), text_entry(1), text_entry(2)]
    write_json(tmp_path / "dataset.json", entries)
    assert run_shard(tmp_path, "--max-samples-per-tar", 2, "--train-split", 3) == 0
    return tmp_path / "wds"


def faults_of(folder):
    return [str(fault) for fault in verify(folder, energon=False).faults]


def found_at(folder, place, what):
    """Whether a fault names that place and says that; all the faults otherwise."""
    faults = faults_of(folder)
    return any(fault.startswith(place) and what in fault for fault in faults) or faults


def meta(shards, name):
    return shards / ".nv-meta" / name


def edit_json(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def pixels(size=(64, 48), kind="JPEG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, (90, 90, 90)).save(buffer, kind)
    return buffer.getvalue()


def one_record(folder, target="pai-v1", **parts):
    """A dataset of one sample whose record has these parts in the place of sound ones."""
    text = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "second_per_grid_ts": []}
    record = {"jpgs": pickle.dumps([]), "videos": pickle.dumps([]), "json": json.dumps(text).encode(), **parts}
    with ShardWriter(folder / "train-shard-000000.tar") as shard:
        shard.write("00000000", {name: data for name, data in record.items() if data is not None})
    write_metadata(
        folder,
        shards=[ShardSummary("train-shard-000000.tar", "train", shard.rows)],
        splits={"train": ["train-shard-000000.tar"]},
        dataset_yamls=dataset_yamls(TARGETS[target]),
        manifest={"target": target},
    )
    return folder


def text_of(question, seconds=()):
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": "a"}]
    return json.dumps({"conversations": turns, "second_per_grid_ts": list(seconds)}).encode()


PLACE = "train-shard-000000.tar/00000000"


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
    assert found_at(shards, tar.name, "sha256") is True
    assert found_at(shards, tar.name, "0 samples") is True


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


def test_a_flipped_byte_inside_a_picture_is_found(shards):
    tar = shards / "train-shard-000000.tar"
    data = bytearray(tar.read_bytes())
    data[data.index(b"\xff\xda") + 40] ^= 1
    tar.write_bytes(data)
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


def test_more_tags_than_media_are_found(tmp_path):
    one_record(tmp_path, json=text_of("<image><image>q"), jpgs=pickle.dumps([pixels()]))
    assert found_at(tmp_path, PLACE, "2 <image> tags, 1 path") is True


@pytest.mark.parametrize("seconds", [[], [1.0, 1.0], [0], [-1.0], ["1.0"], [True]])
def test_a_wrong_second_per_grid_ts_is_found(tmp_path, seconds):
    one_record(tmp_path, json=text_of("<video>q", seconds), videos=pickle.dumps([[pixels(), pixels()]]))
    assert found_at(tmp_path, PLACE, "second_per_grid_ts is") is True


def test_a_picture_that_cannot_be_decoded_is_found(tmp_path):
    one_record(tmp_path, json=text_of("<image>q"), jpgs=pickle.dumps([pixels()[:300]]))
    assert found_at(tmp_path, PLACE, "image 0: cannot be decoded") is True


def test_a_frame_that_cannot_be_decoded_is_found(tmp_path):
    one_record(tmp_path, json=text_of("<video>q", [1.0]), videos=pickle.dumps([[pixels(), b"no picture"]]))
    assert found_at(tmp_path, PLACE, "video 0, frame 2: cannot be decoded") is True


@pytest.mark.parametrize(("frames", "what"), [(1, "a video of 1 frame"), (3, "odd number of frames"), (0, "0 frame")])
def test_numbers_of_frames_that_the_reader_drops_or_cuts_are_found(tmp_path, frames, what):
    one_record(tmp_path, json=text_of("<video>q", [1.0]), videos=pickle.dumps([[pixels()] * frames]))
    assert found_at(tmp_path, PLACE, what) is True


def test_frames_of_several_sizes_are_found(tmp_path):
    frames = [pixels(), pixels((32, 32))]
    one_record(tmp_path, json=text_of("<video>q", [1.0]), videos=pickle.dumps([frames]))
    assert found_at(tmp_path, PLACE, "differ in size") is True


def test_a_picture_that_is_too_small_for_the_reader_is_found(tmp_path):
    one_record(tmp_path, json=text_of("<image>q"), jpgs=pickle.dumps([pixels((20, 20))]))
    assert found_at(tmp_path, PLACE, "20x20") is True


@pytest.mark.parametrize("content", [{"a": 1}, [1], [[b"a"], b"b"], [[b"a"]], print])
def test_a_pickle_of_something_else_than_pictures_is_found_and_not_run(tmp_path, content):
    one_record(tmp_path, jpgs=pickle.dumps(content))
    assert found_at(tmp_path, PLACE, "jpgs") is True


@pytest.mark.parametrize("part", ["jpgs", "videos", "json"])
def test_a_missing_part_is_found(tmp_path, part):
    one_record(tmp_path, **{part: None})
    assert found_at(tmp_path, PLACE, f"has no '{part}'") is True


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"conversations": 1}', b'{"second_per_grid_ts": []}', b"7"])
def test_a_json_that_is_no_conversation_is_found(tmp_path, content):
    one_record(tmp_path, json=content)
    assert found_at(tmp_path, PLACE, "") is True


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
    assert list(_unsound(Slotted(imgs=wrap(torch.zeros(2))))) == []
    assert list(_unsound(Slotted(imgs=wrap(torch.tensor([0.0, value]))))) == ["imgs holds colours that are not finite"]


def test_the_command_names_the_faults_and_exits_1(shards, capsys):
    assert cli.main(["verify", str(shards), "--skip-energon"]) == 0
    (shards / "train-shard-000001.tar").unlink()
    assert cli.main(["verify", str(shards), "--skip-energon"]) == 1
    out = capsys.readouterr().out
    assert "FAULT train-shard-000001.tar: " in out and out.strip().endswith("faults")


def test_a_folder_without_a_dataset_is_an_error_of_one_line(tmp_path, capsys):
    assert cli.main(["verify", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
