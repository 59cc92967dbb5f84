"""Blends of datasets that lie in stores: Energon reads them there, over msc://, with workers as well."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from megatron.energon import WorkerConfig, get_loader, get_savable_loader, get_train_dataset, get_val_dataset

from pipeline.test_blend import (  # noqa: F401 (a fixture)
    OPTIONS,
    Encoder,
    blend,
    by_dataset,
    counted,
    dataset,
    here,
    trained_on,
    validated_on,
    write_recipe,
)
from pipeline.test_stored import upload

pytest_plugins = ["stores"]
TWO_WORKERS = {**OPTIONS, "worker_config": WorkerConfig(rank=0, world_size=1, num_workers=2)}


def put(tmp_path, folder):
    """The URL of a dataset in a store; another lies here."""
    upload(dataset(tmp_path / "once/there", {"train": (5, 5, 5), "val": (4,)}), f"{folder}/there")
    dataset(tmp_path / "data/near", {"train": (6, 4), "val": (3,)})
    return f"{folder}/there"


@pytest.fixture
def stored(tmp_path, s3):
    """The URL of a dataset in a store; another lies here."""
    return put(tmp_path, s3)


def test_a_dataset_of_a_store_is_drawn_from_as_often_as_it_is_said(tmp_path, folder, capsys):
    stored = put(tmp_path, folder)
    assert blend("all.yaml", f"{stored}:3", "data/near:1") == 0
    assert f"{stored}: 15 samples, weight 3, 75.0 %" in capsys.readouterr().out
    assert by_dataset(trained_on(tmp_path / "all.yaml", 400))["there"] == pytest.approx(300, abs=52)
    assert by_dataset(validated_on(tmp_path / "all.yaml")) == {"there": 4, "near": 3}
    assert blend("all.yaml", f"{stored}:3", "data/near:1") == 0
    assert "was complete already" in capsys.readouterr().out


def test_subsets_of_a_dataset_in_a_store_are_those_of_one_that_lies_here(tmp_path, stored):
    for name, path in (("far", stored), ("local", "once/there")):
        recipe = [{"path": path, "samples": {"train": 7, "val": 2}}, {"path": "data/near", "samples": 3}]
        assert (
            blend(
                f"{name}.yaml",
                "--recipe",
                write_recipe(tmp_path / f"{name}.json", {"datasets": recipe}),
                "--repetitions",
            )
            == 0
        )
    found = trained_on(tmp_path / "far.yaml")
    assert found == trained_on(tmp_path / "local.yaml") and by_dataset(found) == {"there": 7, "near": 3}
    assert validated_on(tmp_path / "far.yaml") == validated_on(tmp_path / "local.yaml")


def test_a_blend_of_a_store_may_stand_in_another_one(tmp_path, stored):
    assert blend("inner.yaml", stored, "--repetitions") == 0
    assert blend("outer.yaml", "inner.yaml:2", "data/near:1", "--repetitions") == 0
    assert by_dataset(trained_on(tmp_path / "outer.yaml")) == {"there": 30, "near": 10}


def test_workers_of_a_training_read_the_store(tmp_path, s3):
    """Each sample comes once to validate on; the state of the training is saved, and restored."""
    upload(dataset(tmp_path / "once/there", {"train": (5, 5, 5), "val": (4, 4)}), f"{s3}/there")
    assert blend("all.yaml", f"{s3}/there") == 0
    options = {"task_encoder": Encoder(), **TWO_WORKERS}
    validation = get_loader(get_val_dataset(tmp_path / "all.yaml", split_part="val", **options))
    assert Counter(counted(validation).values()) == {1: 8}

    def loader():
        more = {"shuffle_buffer_size": 4, "max_samples_per_sequence": 2}
        return get_savable_loader(get_train_dataset(tmp_path / "all.yaml", split_part="train", **options, **more))

    first = loader()
    given = iter(first)
    assert len(counted(itertools.islice(given, 20))) > 5
    state, second = first.save_state_rank(), loader()
    expected = [sample.__key__ for sample in itertools.islice(given, 6)]
    second.restore_state_rank(state)
    assert [sample.__key__ for sample in itertools.islice(iter(second), 6)] == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{stored}", "{stored}"], "is in the blend twice"),
        (["{stored}/none:2"], "{stored}/none: no .nv-meta in it"),
        (["{stored}:many"], "'many' is no number"),
        (["ftp://host/wds"], "names no store"),
    ],
)
def test_what_cannot_be_blended_is_told_by_its_url(tmp_path, stored, arguments, said, capsys):
    assert blend("all.yaml", *(one.format(stored=stored) for one in arguments)) == 1
    assert said.format(stored=stored) in capsys.readouterr().err
    assert not (tmp_path / "all.yaml").exists()
