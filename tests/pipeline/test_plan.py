"""Plan: which sample goes into which split and shard, under which key."""

import random
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.jsonio import Entry
from mm2energon.pipeline import arrange, numbers, plan
from mm2energon.pipeline.account import open_account
from mm2energon.pipeline.collect import collect_entries
from mm2energon.pipeline.loop import silent
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.parts import HowPrepared
from mm2energon.targets import TARGETS
from PIL import Image

from pipeline import splits_in_memory
from pipeline.making import (
    image_dataset,
    image_entry,
    run_shard,
    shard_of,
    stored,
    text_entry,
    video_entry,
    write_frames,
    write_images,
)


def test_keys_are_unique_and_valid_whatever_the_ids_are(tmp_path):
    ids = [1, 1, "a.b", "a/b", "", "__x__", None, 1.5, ["l"], {"k": 1}, "ä", "x" * 300, "-", True]
    entries = [text_entry(number, id=name) for number, name in enumerate(ids)] + [text_entry(99)]
    status, samples = shard_of(tmp_path, entries)
    keys = [sample.key for sample in samples]
    assert status == 0 and len(set(keys)) == len(entries)
    assert all(re.fullmatch(r"[A-Za-z0-9-][A-Za-z0-9_-]*", key) for key in keys)
    kept = {sample.key[:8]: sample.text.get("id") for sample in samples}
    assert [kept[f"{number:08d}"] for number in range(len(ids))] == ids


def test_a_val_split_is_never_empty_nor_train_at_nine_to_one(tmp_path):
    image_dataset(tmp_path, 12)
    assert run_shard(tmp_path) == 0
    splits = [sample.split for sample in stored(tmp_path / "wds")]
    assert (splits.count("train"), splits.count("val"), splits.count("test")) == (11, 1, 0)


def test_two_groups_are_enough_for_train_and_val(tmp_path):
    names = write_images(tmp_path, 2)
    _, samples = shard_of(tmp_path, [image_entry(name, id=n) for name in names for n in range(6)])
    assert {sample.split for sample in samples} == {"train", "val"}


def test_no_split_of_zero_has_a_shard(tmp_path):
    image_dataset(tmp_path, 12)
    assert run_shard(tmp_path, "--train-split", 0, "--val-split", 0, "--test-split", 1) == 0
    assert {sample.split for sample in stored(tmp_path / "wds")} == {"test"}


def test_questions_about_one_medium_never_stand_in_two_splits(tmp_path):
    names = write_images(tmp_path, 6)
    spelled = ["{}", "./{}", "x/../{}", str(tmp_path) + "/{}"]
    (tmp_path / "x").mkdir()
    entries = [image_entry(spelled[n % 4].format(name), id=name) for n in range(8) for name in names]
    status, samples = shard_of(tmp_path, entries, "--train-split", 1, "--max-samples-per-tar", 3)
    splits = {name: {sample.split for sample in samples if sample.text["id"] == name} for name in names}
    assert status == 0 and all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "val"}


def test_lists_of_frames_that_share_one_stand_in_one_split(tmp_path):
    write_images(tmp_path, 12)
    lists = [[f"p{3 * n}.jpg", f"p{3 * n + 1}.jpg"] for n in range(4)] + [
        [f"p{3 * n + 2}.jpg", f"p{3 * n + 1}.jpg"] for n in range(4)
    ]
    entries = [video_entry(frames, id=number % 4) for number, frames in enumerate(lists)]
    _, samples = shard_of(tmp_path, entries, "--train-split", 1)
    splits = [{sample.split for sample in samples if sample.text["id"] == number} for number in range(4)]
    assert all(len(found) == 1 for found in splits)


def test_samples_are_grouped_by_id_or_not_at_all_where_asked(tmp_path):
    names = write_images(tmp_path, 8)
    entries = [image_entry(name, id=number // 4) for number, name in enumerate(names)]
    _, samples = shard_of(tmp_path, entries, "--group-by", "id", "--train-split", 1)
    assert all(len({s.split for s in samples if s.text["id"] == one}) == 1 for one in (0, 1))
    _, samples = shard_of(tmp_path, [image_entry("p0.jpg", id=n) for n in range(8)], "--group-by", "none", "--restart")
    assert {sample.split for sample in samples} == {"train", "val"}


def test_no_shard_has_more_samples_than_asked(tmp_path):
    image_dataset(tmp_path, 12)
    run_shard(tmp_path, "--max-samples-per-tar", 5)
    sizes = {}
    for sample in stored(tmp_path / "wds"):
        sizes[sample.shard] = sizes.get(sample.shard, 0) + 1
    assert sizes == {
        "train-shard-000000.tar": 5,
        "train-shard-000001.tar": 5,
        "train-shard-000002.tar": 1,
        "val-shard-000000.tar": 1,
    }


@pytest.mark.parametrize("target", list(TARGETS))
@pytest.mark.parametrize("most", [40_000, 100_000])
def test_no_shard_is_larger_than_asked(tmp_path, target, most):
    names = write_images(tmp_path, 10, size=(64, 48))
    for number in range(6):
        Image.effect_noise((90, 60), 60).save(tmp_path / f"n{number}.bmp")
    videos = [write_frames(tmp_path, f"v{number}", 10) for number in range(2)]
    entries = [image_entry(name) for name in names] + [image_entry(f"n{number}.bmp") for number in range(6)]
    entries += [video_entry(video) for video in videos]
    status, samples = shard_of(tmp_path, entries, "--max-shard-size", most, "--target", target)
    sizes = [path.stat().st_size for path in (tmp_path / "wds").glob("*.tar")]
    assert status == 0 and len(samples) == 18 and max(sizes) <= most


def test_shuffling_depends_on_the_seed_alone(tmp_path):
    image_dataset(tmp_path, 12)
    orders = []
    for seed in (1, 1, 2):
        run_shard(tmp_path, "--shuffle", "--seed", seed, "--val-split", 0, "--restart")
        orders.append([sample.text["id"] for sample in stored(tmp_path / "wds")])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) and orders[0] != sorted(orders[0])


def test_another_seed_splits_otherwise(tmp_path):
    image_dataset(tmp_path, 12)
    chosen = set()
    for seed in range(4):
        run_shard(tmp_path, "--seed", seed, "--restart")
        chosen.add(next(sample.text["id"] for sample in stored(tmp_path / "wds") if sample.split == "val"))
    assert len(chosen) > 1


@given(
    sizes=st.lists(st.integers(1, 5000), max_size=40),
    most=st.none() | st.integers(1, 30_000),
    max_samples=st.integers(1, 9),
)
def test_a_shard_takes_the_next_sample_as_long_as_it_has_room(sizes, most, max_samples):
    arrangement = arrange.Arrangement({"train": 1.0}, max_samples, most)
    expected, held = [], 0
    for number, size in enumerate(sizes):
        if expected and len(expected[-1]) < max_samples and (most is None or held + size <= most):
            expected[-1].append(number)
            held += size
        else:
            expected.append([number])
            held = 10_240 + size  # with the end of the tar
    numbered = np.array(list(enumerate(sizes)), [("number", "u8"), ("size", "u8")])
    for pieces in (1, 3, len(sizes) + 1):
        cut = arrange.cut(np.array_split(numbered, pieces), arrangement)
        assert [held["number"].tolist() for held in cut] == expected


@pytest.mark.parametrize("block_rows", [3, 1 << 19])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    ratios=st.sampled_from([(9, 1, 0), (1, 1, 1), (0, 0, 1)]),
    max_samples=st.integers(1, 9),
    shuffle=st.booleans(),
    seed=st.integers(0, 2),
)
def test_the_shards_of_a_plan_are_those_that_were_made_in_memory(
    block_rows, ids, ratios, max_samples, shuffle, seed, monkeypatch
):
    monkeypatch.setattr(numbers, "BLOCK_ROWS", block_rows)
    shares = dict(zip(("train", "val", "test"), map(float, ratios), strict=True))
    split_of = splits_in_memory.assign([([f"id:{one}"], []) for one in ids], shares, seed)
    expected = []
    for split in shares:
        held = np.array([number for number, one in enumerate(split_of) if one == split])
        if shuffle:
            random.Random(seed).shuffle(held)
        cuts = range(0, len(held), max_samples)
        expected += [(split, tuple(held[start : start + max_samples].tolist())) for start in cuts]
    entries = [Entry(f"a[{number}]", text_entry(number, id=one)) for number, one in enumerate(ids)]
    with tempfile.TemporaryDirectory() as folder:
        how = HowPrepared(Path(folder), "pai-v1", Mending(), "id", seed).preparing({})
        planning = plan.Planning(how, arrange.Arrangement(shares, max_samples, None, seed, "id", shuffle), {})
        with open_account(Path(folder), command="shard") as account:
            made = plan.make_plan(
                Path(folder) / "plan",
                lambda collected: collect_entries(entries, how, collected, account),
                planning,
                progress=silent,
            )
        units = [made.unit(number) for number in range(made.units)]
        assert [(unit.split, unit.numbers) for unit in units] == expected
        for unit in units:
            lines = [(number, value["origin"]) for number, value in made.samples_of(unit)]
            assert lines == [(number, f"a[{number}]") for number in unit.numbers]
        assert sorted(path.name for path in made.folder.iterdir()) == ["plan.json", "samples.jsonl", "units"]
