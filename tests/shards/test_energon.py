"""Tests of reading splits back through Energon's own loader."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import types

import pytest
import torch
from megatron.energon import (
    CaptioningSample,
    DefaultGenericWebdatasetFactory,
    Sample,
    WorkerConfig,
    get_loader,
    get_val_dataset,
)
from mm2energon.errors import InputError, SampleError
from mm2energon.shards.energon import load_split, stand_in
from mm2energon.shards.metadata import replace_dataset_yamls, write_metadata
from mm2energon.shards.writer import ShardWriter
from mm2energon.targets import TARGETS

from .making import SHARDS, ShardSummary, numbers_of, pai_v1_record, picture, sound, write_dataset


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """One dataset for each target."""
    roots = {target: tmp_path_factory.mktemp(target) for target in TARGETS}
    for target, root in roots.items():
        write_dataset(root, target)
    return roots


def greys(pictures):
    """The grey levels of pictures, nested as they are; a picture must be of one level, float32, 3 x 8 x 16."""
    if isinstance(pictures, list):
        return [greys(item) for item in pictures]
    assert (pictures.dtype, pictures.shape) == (torch.float32, (3, 8, 16))
    assert pictures.min() == pictures.max()
    return round(pictures[0, 0, 0].item() * 255)


def check_chat(sample, target, number):
    """A sample of `write_dataset` as its reader should give it."""
    if target == "crude":
        assert sample.messages == [{"role": "user", "content": f"question {number}"}]
        assert (greys(sample.images), sample.second_per_grid_ts) == ([number], [1.0])
        assert sample.audios == [sound(number)]
    else:
        assert sample.conversation["conversations"][0]["value"] == f"question {number}"
        assert greys(sample.imgs) == [number]
        assert sample.audios == ([sound(number)] if target == "pai-v2" else None)
    assert greys(sample.videos) == [[number + 1, number + 2]]


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("target", list(TARGETS))
def test_every_sample_of_every_split_is_read_once(datasets, target, num_workers):
    for split in SHARDS:
        samples = list(load_split(datasets[target], split, num_workers=num_workers))
        numbers = [int(sample.__key__) for sample in samples]
        assert sorted(numbers) == numbers_of(split)
        for number, sample in zip(numbers, samples, strict=True):
            check_chat(sample, target, number)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_order_is_the_same_every_time(datasets, num_workers):
    passes = [[s.__key__ for s in load_split(datasets["crude"], "train", num_workers=num_workers)] for _ in range(2)]
    assert passes[0] == passes[1]
    if num_workers == 0:
        assert passes[0] == sorted(passes[0])


@pytest.mark.parametrize(("target", "other"), [(t, other) for t, row in TARGETS.items() for other in row.also])
def test_the_other_readers_of_the_same_bytes_read_them_too(datasets, target, other):
    samples = load_split(datasets[target], "val", dataset_config=f"dataset.{other}.yaml")
    found = [(s.conversation["conversations"][0]["value"], greys(s.imgs), greys(s.videos)) for s in samples]
    assert found == [(f"question {n}", [n], [[n + 1, n + 2]]) for n in numbers_of("val")]


def test_without_decoding_the_pictures_are_the_bytes_that_were_written(datasets):
    samples = list(load_split(datasets["pai-v1"], "val", decode=False))
    assert [sample.imgs for sample in samples] == [[picture(number)] for number in numbers_of("val")]


def test_crude_samples_are_cooked_from_undecoded_parts_too(datasets):
    for number, sample in zip(numbers_of("val"), load_split(datasets["crude"], "val", decode=False), strict=True):
        check_chat(sample, "crude", number)


def test_a_split_without_shards_has_no_samples(tmp_path):
    write_one(tmp_path, pai_v1_record(0))
    assert list(load_split(tmp_path, "val")) == []
    assert len(list(load_split(tmp_path, "train"))) == 1


def test_a_folder_without_metadata_is_refused(tmp_path):
    with pytest.raises(InputError):
        list(load_split(tmp_path, "train"))


def write_one(root, record):
    """A dataset of one sample."""
    with ShardWriter(root / "a.tar") as shard:
        shard.write("00000000", record)
    write_metadata(
        root,
        shards=[ShardSummary("a.tar", "train", shard.rows)],
        splits={"train": ["a.tar"]},
        dataset_yamls={"dataset.yaml": TARGETS["pai-v1"].dataset_yaml},
        manifest={},
    )


class _Runs:
    def __reduce__(self):
        return (os.mkdir, (os.environ["HOSTILE"],))


@pytest.mark.parametrize(
    ("part", "data", "code"),
    [
        ("jpgs", b"no pickle", "bad-part"),
        ("jpgs", pickle.dumps([b"no picture"], 4), "unreadable-image"),
        ("jpgs", pickle.dumps([picture(1)[:-30]], 4), "unreadable-image"),
        ("jpgs", pickle.dumps([[picture(1)]], 4), "bad-part"),
        ("videos", pickle.dumps({}, 4), "bad-part"),
        ("videos", pickle.dumps([picture(1)], 4), "bad-part"),
        ("json", b"{", "bad-part"),
    ],
)
def test_a_part_that_is_not_what_its_reader_expects_is_named(tmp_path, part, data, code):
    write_one(tmp_path, {**pai_v1_record(0), part: data})
    with pytest.raises(SampleError, match=rf"a\.tar/00000000\.{part}") as caught:
        list(load_split(tmp_path, "train"))
    assert caught.value.code == code


def test_a_hostile_part_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HOSTILE", str(tmp_path / "ran"))
    write_one(tmp_path, {**pai_v1_record(0), "jpgs": pickle.dumps([_Runs()])})
    with pytest.raises(SampleError):
        list(load_split(tmp_path, "train"))
    assert not (tmp_path / "ran").exists()


def test_a_part_that_is_missing_is_an_error_and_not_a_shorter_split(tmp_path):
    record = pai_v1_record(0)
    del record["videos"]
    write_one(tmp_path, record)
    with pytest.raises(ValueError, match="videos"):
        list(load_split(tmp_path, "train"))


def test_a_sample_that_energon_passes_over_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("mm2energon.shards.energon._raise", lambda *_: None)
    write_one(tmp_path, {**pai_v1_record(0), "json": b"{"})
    with pytest.raises(InputError, match="gave 0 samples of train, 1 were written"):
        list(load_split(tmp_path, "train"))


@pytest.mark.parametrize("num_workers", [1, 2])
def test_an_error_in_a_worker_process_ends_the_pass(tmp_path, num_workers):
    write_one(tmp_path, {**pai_v1_record(0), "json": b"{"})
    with pytest.raises((SampleError, RuntimeError), match=r"a\.tar/00000000\.json"):
        list(load_split(tmp_path, "train", num_workers=num_workers))


def test_a_yaml_with_a_built_in_sample_type_is_read(datasets, tmp_path):
    with ShardWriter(tmp_path / "a.tar") as shard:
        shard.write("00000000", {"jpg": picture(7, "JPEG"), "txt": b"seven"})
    yaml = {
        "sample_type": {"__module__": "megatron.energon", "__class__": "CaptioningSample"},
        "field_map": {"image": "jpg", "caption": "txt"},
    }
    write_metadata(
        tmp_path,
        shards=[ShardSummary("a.tar", "train", shard.rows)],
        splits={"train": ["a.tar"]},
        dataset_yamls={"dataset.yaml": yaml},
        manifest={},
    )
    (sample,) = load_split(tmp_path, "train")
    assert isinstance(sample, CaptioningSample)
    assert (sample.caption, greys(sample.image)) == ("seven", 7)


def test_a_stand_in_serves_energon_without_our_loader(datasets):
    stand_in("megatron_patch.data.energon.chatml", "ChatMLWebdataset")
    workers = WorkerConfig(rank=0, world_size=1, num_workers=0)
    dataset = get_val_dataset(datasets["pai-v1"], split_part="test", worker_config=workers, batch_size=None)
    assert [greys(sample.imgs) for sample in get_loader(dataset)] == [[n] for n in numbers_of("test")]


def test_a_stand_in_can_be_told_of_parts_of_its_own(datasets, tmp_path):
    with ShardWriter(tmp_path / "a.tar") as shard:
        shard.write("00000000", {"shots": pickle.dumps([picture(9)], 4), "json": b"{}"})
    module = "not_installed.reader"
    yaml = {"__module__": module, "__class__": "Own", "field_map": {"imgs": "shots", "conversation": "json"}}
    write_metadata(
        tmp_path,
        shards=[ShardSummary("a.tar", "train", shard.rows)],
        splits={"train": ["a.tar"]},
        dataset_yamls={"dataset.yaml": yaml},
        manifest={},
    )
    assert stand_in(module, "Own", {"shots": "images"})
    (sample,) = load_split(tmp_path, "train")
    assert (greys(sample.imgs), sample.conversation) == ([9], b"{}")


def test_a_reader_that_is_installed_is_left_alone():
    from megatron.energon import CrudeWebdataset

    assert not stand_in("megatron.energon", "CrudeWebdataset")
    assert sys.modules["megatron.energon"].CrudeWebdataset is CrudeWebdataset


def test_yamls_that_were_exchanged_lead_to_the_same_samples(tmp_path):
    write_dataset(tmp_path, "pai-v2")
    yaml = {**TARGETS["bridge"].dataset_yaml, "field_map": dict(TARGETS["pai-v2"].also["bridge"])}
    replace_dataset_yamls(tmp_path, dataset_yamls={"dataset.yaml": yaml}, manifest={})
    found = [(greys(sample.imgs), greys(sample.videos)) for sample in load_split(tmp_path, "test")]
    assert found == [([n], [[n + 1, n + 2]]) for n in numbers_of("test")]


@pytest.mark.parametrize("module", ["energon", "cooker"])
def test_without_energon_the_line_that_installs_it_is_given(module):
    script = f"import sys; sys.modules['megatron.energon'] = None; import mm2energon.shards.{module}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "DependencyError" in done.stderr
    assert "pip install 'mm2energon[energon]'" in done.stderr


def test_writing_shards_needs_neither_torch_nor_energon():
    script = (
        "import sys; from mm2energon.shards import keys, metadata, pickles, reader, writer; "
        "assert not {'torch', 'megatron', 'webdataset', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_a_reader_that_is_installed_is_stood_in_for_and_unpickles_nothing(tmp_path, monkeypatch):
    """As a framework's own reader, which would run what a hostile shard holds."""

    class ChatMLWebdataset(DefaultGenericWebdatasetFactory):
        __sample_type__ = Sample

        def load_sample(self, sample):
            raise AssertionError("the reader of the framework was given a sample")

    module = types.ModuleType("megatron_patch.data.energon.chatml")
    module.ChatMLWebdataset = ChatMLWebdataset
    monkeypatch.setitem(sys.modules, module.__name__, module)
    write_dataset(tmp_path)
    assert len(list(load_split(tmp_path, "train"))) == 8
