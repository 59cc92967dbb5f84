"""Blend: what Energon's own loader gives of several datasets is what was asked for."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest
import yaml
from megatron.energon import Cooker, DefaultTaskEncoder, WorkerConfig, get_loader, get_train_dataset, get_val_dataset
from mm2energon import cli
from mm2energon.shards.cooker import cook_chat
from mm2energon.shards.energon import stand_in
from mm2energon.shards.metadata import write_metadata
from mm2energon.shards.writer import ShardWriter
from mm2energon.targets import TARGETS, dataset_yamls
from shards.making import RECORDS, ShardSummary

from pipeline.making import tree_bytes, tree_times

READER = TARGETS["pai-v1"].dataset_yaml


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stand_in(READER["__module__"], READER["__class__"])


def dataset(root: Path, splits: dict[str, tuple[int, ...]], target: str = "pai-v1") -> Path:
    """Shards of so many samples each; keys count up."""
    numbers = itertools.count()
    shards = []
    for split, sizes in splits.items():
        for place, size in enumerate(sizes):
            name = f"{split}-shard-{place:06d}.tar"
            root.mkdir(parents=True, exist_ok=True)
            with ShardWriter(root / name) as shard:
                for number in itertools.islice(numbers, size):
                    shard.write(f"{number:08d}", RECORDS[target](number % 200))
            shards.append(ShardSummary(name, split, shard.rows))
    write_metadata(
        root,
        shards=shards,
        splits={split: [shard.name for shard in shards if shard.split == split] for split in splits},
        dataset_yamls=dataset_yamls(TARGETS[target]),
        manifest={"target": target},
    )
    return root


class Encoder(DefaultTaskEncoder):
    """Hands samples on undecoded."""

    decoder = None
    cookers = (Cooker(cook_chat),)


OPTIONS = {"worker_config": WorkerConfig(rank=0, world_size=1, num_workers=0), "batch_size": None}


def trained_on(path: Path, count: int | None = None) -> Counter:
    """(dataset, key) -> how often it comes in so many draws; None: in one epoch."""
    more = {} if count else {"repeat": False}
    draws = get_train_dataset(
        path,
        split_part="train",
        shuffle_buffer_size=None,
        max_samples_per_sequence=None,
        task_encoder=Encoder(),
        **OPTIONS,
        **more,
    )
    return counted(itertools.islice(get_loader(draws, watchdog_timeout_seconds=None), count))


def validated_on(path: Path, split: str = "val") -> Counter:
    return counted(
        get_loader(
            get_val_dataset(path, split_part=split, task_encoder=Encoder(), **OPTIONS), watchdog_timeout_seconds=None
        )
    )


def counted(samples) -> Counter:
    return Counter((Path(str(s.__sources__[0].dataset_path)).name, s.__key__.rpartition("/")[2]) for s in samples)


def by_dataset(draws: Counter) -> Counter:
    found: Counter = Counter()
    for (name, _), count in draws.items():
        found[name] += count
    return found


def blend(*arguments: object) -> int:
    return cli.main(["blend", *map(str, arguments)])


def write_recipe(path: Path, recipe: object) -> Path:
    path.write_text(json.dumps(recipe))  # JSON is YAML
    return path


@pytest.mark.parametrize("target", ["pai-v1", "crude"])
def test_weights_say_how_often_each_dataset_is_drawn_from(tmp_path, target):
    for name in "ab":
        dataset(tmp_path / "data" / name, {"train": (6, 4), "val": (3,)}, target)
    assert blend("blends/all.yaml", "data/a:3", "data/b:1") == 0
    found = by_dataset(trained_on(tmp_path / "blends/all.yaml", 400))
    assert found["a"] == pytest.approx(300, abs=52)  # 6 deviations
    assert validated_on(tmp_path / "blends/all.yaml") == {
        (name, f"{number:08d}"): 1 for name in "ab" for number in (10, 11, 12)
    }


def test_without_weights_each_sample_comes_equally_often(tmp_path):
    dataset(tmp_path / "a", {"train": (9,)})
    dataset(tmp_path / "b", {"train": (3,)})
    assert blend("all.yaml", "a", "b") == 0
    found = by_dataset(trained_on(tmp_path / "all.yaml", 400))
    assert found["a"] == pytest.approx(300, abs=52)


def test_repetitions_say_how_often_each_sample_comes_in_an_epoch(tmp_path):
    dataset(tmp_path / "a", {"train": (6, 4)})
    dataset(tmp_path / "b", {"train": (5,)})
    assert blend("all.yaml", "a:1", "b:3", "--repetitions") == 0
    found = trained_on(tmp_path / "all.yaml")
    assert found == {
        **{("a", f"{number:08d}"): 1 for number in range(10)},
        **{("b", f"{number:08d}"): 3 for number in range(5)},
    }


@pytest.mark.parametrize("options", [[], ["--whole-shards"]])
def test_a_recipe_takes_exactly_so_many_samples_of_each(tmp_path, options):
    dataset(tmp_path / "data/video", {"train": (5, 5, 5, 5), "val": (4,)})
    dataset(tmp_path / "data/text", {"train": (7,), "val": (3,)})
    recipe = write_recipe(
        tmp_path / "data/recipe.yaml",
        [{"path": "video", "samples": 12, "repetitions": 1}, {"path": "text", "samples": {"train": 3, "val": 2}}],
    )
    assert blend("all.yaml", "--recipe", recipe, *options) == 0
    found = trained_on(tmp_path / "all.yaml")
    assert by_dataset(found) == {"video": 12, "text": 3}
    assert set(found.values()) == {1}
    assert by_dataset(validated_on(tmp_path / "all.yaml")) == {"video": 4, "text": 2}
    shards = {int(key) // 5 for name, key in found if name == "video"}
    assert len(shards) == (3 if options else 4)


def test_a_subset_is_the_same_for_the_same_seed_and_grows_with_its_number(tmp_path):
    dataset(tmp_path / "first/video", {"train": (15, 15)})
    dataset(tmp_path / "second/video", {"train": (15, 15)})

    def taken(folder, samples, seed):
        recipe = write_recipe(
            tmp_path / folder / "r.yaml", {"seed": seed, "datasets": [{"path": "video", "samples": samples}]}
        )
        assert blend(f"{folder}/all.yaml", "--recipe", recipe, "--repetitions") == 0
        (split_file,) = (tmp_path / folder).glob("all.*.yaml")  # those of earlier blends are gone
        excluded = {name.rpartition("/")[2] for name in yaml.safe_load(split_file.read_text())["exclude"]}
        return {f"{number:08d}" for number in range(30)} - excluded

    ten = taken("first", 10, 1)
    assert len(ten) == 10
    assert taken("second", 10, 1) == ten
    assert taken("first", 20, 1) > ten
    assert taken("first", 10, 2) != ten


def test_samples_that_the_dataset_leaves_out_are_in_no_subset(tmp_path):
    root = dataset(tmp_path / "a", {"train": (4, 4)})
    split = yaml.safe_load((root / ".nv-meta/split.yaml").read_text())
    split["exclude"] = ["train-shard-000000.tar", "train-shard-000001.tar/00000005"]
    (root / ".nv-meta/split.yaml").write_text(yaml.safe_dump(split))
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "samples": 2, "repetitions": 1}])
    assert blend("all.yaml", "--recipe", recipe) == 0
    assert set(trained_on(tmp_path / "all.yaml")) < {("a", f"{number:08d}") for number in (4, 6, 7)}
    assert blend("whole.yaml", "a") == 0
    assert len(trained_on(tmp_path / "whole.yaml", 100)) == 3
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "samples": 4}])
    assert blend("all.yaml", "--recipe", recipe) == 1


@pytest.mark.parametrize(("percent", "count"), [("12.5%", 3), ("30%", 6), ("0.1%", 1), ("100%", 20)])
def test_a_subset_may_be_percent_of_what_is_there(tmp_path, percent, count):
    dataset(tmp_path / "a", {"train": (9, 11)})
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "samples": percent, "repetitions": "1e0"}])
    assert blend("all.yaml", "--recipe", recipe) == 0
    assert len(trained_on(tmp_path / "all.yaml")) == count


def test_a_subset_of_a_split_that_is_not_asked_for_is_told_where_no_other_is_taken(tmp_path, capsys):
    dataset(tmp_path / "a", {"train": (4,), "val": (3,)})
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "samples": {"train": 2, "val": 1}}])
    assert blend("all.yaml", "--recipe", recipe, "--split-part", "train") == 0
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "samples": 2}])
    assert blend("all.yaml", "--recipe", recipe, "--split-part", "sft=train") == 1
    assert "'train' is no split of the blend; sft were expected" in capsys.readouterr().err


@pytest.mark.parametrize("gone", ["val-shard-000000.tar", "train-shard-000001.tar.idx"])
def test_a_dataset_of_which_a_file_is_gone_is_refused(tmp_path, gone, capsys):
    root = dataset(tmp_path / "a", {"train": (4, 4), "val": (2,)})
    (root / gone).unlink()
    assert blend("all.yaml", "a") == 1
    assert f"{gone}: is not there" in capsys.readouterr().err
    assert not (tmp_path / "all.yaml").exists()


def test_what_is_said_of_an_epoch_is_what_energon_draws(tmp_path, capsys):
    dataset(tmp_path / "a", {"train": (10,), "val": (2,)})
    dataset(tmp_path / "b", {"train": (7,), "val": (3,)})
    assert blend("all.yaml", "a:3", "b:1.5", "--repetitions") == 0
    said = capsys.readouterr().out
    drawn = sum(trained_on(tmp_path / "all.yaml").values())
    assert f"17 samples of 2 datasets, about {drawn} in an epoch" in said
    assert "rounded down" in said
    assert sum(validated_on(tmp_path / "all.yaml").values()) == 5
    assert f"  {tmp_path / 'a'}: 2 samples\n" in said  # of val, once through


def longest_gap(numbers, total):
    """The longest row of numbers below `total` that are not there."""
    edges = [-1, *sorted(numbers), total]
    return max(after - before - 1 for before, after in itertools.pairwise(edges))


def test_so_many_workers_as_it_says_find_each_a_sample(tmp_path, capsys):
    dataset(tmp_path / "a", {"train": (25, 15)})
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "samples": 8}])
    assert blend("all.yaml", "--recipe", recipe) == 0
    taken = [int(key) for _, key in trained_on(tmp_path / "all.yaml", 8)]
    assert len(taken) == 8
    most = 40 // (longest_gap(taken, 40) + 1)
    assert f"with more than {most} workers" in capsys.readouterr().out
    rows = [range(40 * worker // most, 40 * (worker + 1) // most) for worker in range(most)]
    assert all(set(row) & set(taken) for row in rows)


def test_a_subset_to_validate_on_needs_no_sample_for_each_worker(tmp_path, capsys):
    dataset(tmp_path / "a", {"train": (4,), "val": (9,)})
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "samples": {"val": 1}, "repetitions": 2}])
    assert blend("all.yaml", "--recipe", recipe) == 0
    said = capsys.readouterr().out
    assert "workers" not in said
    assert "leaves out when it draws" not in said
    assert len(validated_on(tmp_path / "all.yaml")) == 1


@pytest.mark.parametrize(
    ("stretch", "numbers"), [([2, 5], range(2, 5)), (["50%", "100%"], range(5, 10)), ([7, "end"], range(7, 10))]
)
def test_a_range_is_the_stretch_that_energon_takes(tmp_path, stretch, numbers, capsys):
    dataset(tmp_path / "a", {"train": (6, 4)})
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "range": stretch}])
    assert blend("all.yaml", "--recipe", recipe, "--repetitions") == 0
    assert f"{len(numbers)} of 10 samples" in capsys.readouterr().out
    assert sorted(trained_on(tmp_path / "all.yaml")) == [("a", f"{number:08d}") for number in numbers]


def test_a_split_of_the_blend_may_be_another_one_of_the_datasets(tmp_path):
    dataset(tmp_path / "a", {"train": (4,), "val": (2,), "test": (3,)})
    assert blend("all.yaml", "a", "--split-part", "train", "--split-part", "val=test") == 0
    assert sorted(validated_on(tmp_path / "all.yaml")) == [("a", f"{number:08d}") for number in (6, 7, 8)]
    assert list(yaml.safe_load((tmp_path / "all.yaml").read_text())["splits"]) == ["train", "val"]
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "split_part": {"val": "train"}}])
    assert blend("all.yaml", "--recipe", recipe, "--split-part", "val") == 0
    assert len(validated_on(tmp_path / "all.yaml")) == 4


def test_a_dataset_without_a_split_is_left_out_there_with_a_note(tmp_path, capsys):
    dataset(tmp_path / "a", {"train": (4,), "val": (2,), "test": ()})
    dataset(tmp_path / "b", {"train": (4,), "val": ()})
    assert blend("all.yaml", "a", "b") == 0
    said = capsys.readouterr().out
    assert f"note: {tmp_path / 'b'} has no samples of val" in said
    assert "note: no dataset has samples of test" in said
    assert by_dataset(validated_on(tmp_path / "all.yaml")) == {"a": 2}


def test_the_folder_of_a_blend_and_its_datasets_may_be_moved(tmp_path):
    dataset(tmp_path / "here/data/a", {"train": (6,)})
    recipe = write_recipe(tmp_path / "here/r.yaml", [{"path": "data/a", "samples": 4}])
    assert blend("here/blends/all.yaml", "--recipe", recipe) == 0
    (tmp_path / "here").rename(tmp_path / "there")
    assert len(trained_on(tmp_path / "there/blends/all.yaml", 100)) == 4


def test_datasets_named_by_links_are_found(tmp_path):
    dataset(tmp_path / "far/away/a", {"train": (6,)})
    (tmp_path / "near").mkdir()
    (tmp_path / "near/link").symlink_to(tmp_path / "far/away/a")
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "near/link", "samples": 4}])
    assert blend("near/all.yaml", "--recipe", recipe) == 0
    assert len(trained_on(tmp_path / "near/all.yaml", 100)) == 4


def test_a_finished_blend_that_is_made_again_changes_nothing_and_says_so(tmp_path, capsys):
    dataset(tmp_path / "a", {"train": (6,)})
    recipe = write_recipe(tmp_path / "r.yaml", [{"path": "a", "samples": 4}])
    assert blend("out/all.yaml", "--recipe", recipe) == 0
    before = tree_bytes(tmp_path), tree_times(tmp_path)
    assert "complete already" not in capsys.readouterr().out
    assert blend("out/all.yaml", "--recipe", recipe) == 0
    assert "complete already" in capsys.readouterr().out
    assert (tree_bytes(tmp_path), tree_times(tmp_path)) == before


def test_a_blend_of_blends_gives_what_they_give(tmp_path, capsys):
    for name, sizes in {"a": (6, 2), "b": (8,), "c": (8,)}.items():
        dataset(tmp_path / "here/data" / name, {"train": sizes, "val": (2,)})
    assert blend("here/in/ab.yaml", "here/data/a:3", "here/data/b:1") == 0
    assert blend("here/all.yaml", "here/in/ab.yaml:1", "here/data/c:1") == 0
    (tmp_path / "here").rename(tmp_path / "there")
    found = by_dataset(trained_on(tmp_path / "there/all.yaml", 800))
    assert found["c"] == pytest.approx(400, abs=85)  # 6 deviations
    assert found["a"] == pytest.approx(300, abs=83)
    assert by_dataset(validated_on(tmp_path / "there/all.yaml")) == {"a": 2, "b": 2, "c": 2}
    capsys.readouterr()
    assert blend("there/equal.yaml", "there/in/ab.yaml", "there/data/c") == 0
    assert "ab.yaml: 16 samples, weight 16, 66.7 %" in capsys.readouterr().out


def test_a_blend_of_blends_by_repetitions_multiplies_them(tmp_path, capsys):
    for name in "abc":
        dataset(tmp_path / name, {"train": (5, 5)})
    recipe = write_recipe(
        tmp_path / "r.yaml",
        [{"path": "a", "samples": 4, "repetitions": 2}, {"path": "b", "range": ["0%", "50%"], "repetitions": 1}],
    )
    assert blend("ab.yaml", "--recipe", recipe) == 0
    assert blend("abc.yaml", "ab.yaml:3", "c:1", "--repetitions") == 0
    assert blend("all.yaml", "abc.yaml", "--repetitions") == 0
    assert "49 samples, 1 times" in capsys.readouterr().out
    assert by_dataset(trained_on(tmp_path / "all.yaml")) == {"a": 24, "b": 15, "c": 10}


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("splits: {train: {blend_epochized: [{path: a}]}}", ["in.yaml", "b"], "by repetitions, but weights"),
        ("splits: {train: {blend: [{path: a}]}}", ["in.yaml:1", "--repetitions"], "by weights, but repetitions"),
        ("splits: {train: {blend: [{path: a}, {path: c}]}}", ["in.yaml"], "not of one kind and for one reader"),
        ("splits: {train: {blend: [{path: a}]}}", ["in.yaml", "c"], "shard one of them anew"),
        ("splits: {train: {blend: [{path: none}]}}", ["in.yaml"], "none, which is no finished dataset"),
        ("splits: {train: {blend: [{path: in.yaml}]}}", ["in.yaml"], "would be in itself"),
        ("splits: {train: {blend: [{path: all.yaml}]}}", ["in.yaml"], "would be in itself"),
        ("splits: {train: {blend: [{weight: 3}]}}", ["in.yaml"], "what is no dataset"),
        ("splits: {train: {blend: [{path: a, subset: {range: 5}}]}}", ["in.yaml"], "what is no dataset"),
        ("splits: {train: {blend_epochized: [{path: a, repetitions: .nan}]}}", ["in.yaml"], "what is no dataset"),
        ("splits: {train: {blend: [{path: a, split_config: [7]}]}}", ["in.yaml"], "what is no dataset"),
        ("splits: {train: {blend: [{path: a, split_config: dataset.yaml}]}}", ["in.yaml"], "is no split file"),
        ("splits: {train: {join: [{path: a}]}}", ["in.yaml"], "is no blend such as"),
        ("- 7", ["in.yaml"], "is no blend such as"),
        ("[", ["in.yaml"], "cannot be read"),
        ("splits: {train: {blend: [{path: a}]}}", ["--recipe", "r.yaml"], "no subset can be had"),
    ],
)
def test_a_blend_that_is_none_or_of_another_kind_is_refused(tmp_path, content, arguments, said, capsys):
    for name, target in {"a": "pai-v1", "b": "pai-v1", "c": "crude"}.items():
        dataset(tmp_path / name, {"train": (2,)}, target)
    write_recipe(tmp_path / "r.yaml", [{"path": "in.yaml", "samples": 1}])
    (tmp_path / "in.yaml").write_text(content)
    if "all.yaml" in content:
        (tmp_path / "all.yaml").write_text("splits: {train: {blend: [{path: in.yaml}]}}")
    assert blend("all.yaml", *arguments, "--overwrite") == 1
    assert said in capsys.readouterr().err


def test_datasets_for_different_readers_are_refused_with_what_would_help(tmp_path, capsys):
    dataset(tmp_path / "a", {"train": (2,)}, "pai-v1")
    dataset(tmp_path / "b", {"train": (2,)}, "bridge")
    dataset(tmp_path / "c", {"train": (2,)}, "crude")
    assert blend("all.yaml", "a", "b") == 1
    assert "mm2energon retarget a --target bridge" in capsys.readouterr().err
    assert blend("all.yaml", "a", "c") == 1
    assert "shard one of them anew" in capsys.readouterr().err
    assert cli.main(["retarget", "a", "--target", "bridge"]) == 0
    assert blend("all.yaml", "a", "b") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["all.yaml"], "no datasets"),
        (["all.yaml", "nothing"], "no .nv-meta"),
        (["all.yaml", "a", "./a"], "twice"),
        (["all.yaml", "a:0"], "above 0"),
        (["all.yaml", "a:nan"], "above 0"),
        (["all.yaml", "a:many"], "no number"),
        (["all.yaml", "a:1", "b"], "has no weight"),
        (["all.json", "a"], ".yaml"),
        (["kept.yaml", "a"], "was not written by mm2energon"),
        (["all.yaml", "a", "--split-part", "val"], "has no samples of val"),
        (["all.yaml", "a", "--split-part", "train", "--split-part", "val=train"], "each of another part"),
        (["all.yaml", "a", "--recipe", "r.yaml"], "one of the two"),
    ],
)
def test_what_cannot_be_blended_is_refused_and_nothing_is_written(tmp_path, arguments, said, capsys):
    for name in "ab":
        dataset(tmp_path / name, {"train": (4,)})
    (tmp_path / "kept.yaml").write_text("mine\n")
    before = tree_bytes(tmp_path)
    assert blend(*arguments) == 1
    assert said in capsys.readouterr().err
    assert tree_bytes(tmp_path) == before


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("- path: [", "cannot be read"),
        ("7", "holds no datasets"),
        ("- samples: 7", "has no path"),
        ('- path: "\\0"', "has no path"),
        ('- "\\uD800"', "has no path"),
        ("- {path: a, sample: 7}", "'sample' means nothing"),
        ("- {path: a, samples: 9}", "has 4 samples of train, 9 were asked for"),
        ("- {path: a, samples: -1}", "-1 for 'train'; a number above 0, or 12.5% was expected"),
        ("- {path: a, samples: 2.5}", "2.5 for 'train'"),
        ("- {path: a, samples: 0%}", "'0%' for 'train'"),
        ("- {path: a, samples: {tran: 2}}", "'tran' is no split of the blend"),
        ("- {path: a, split_part: {vla: test}}", "'vla' is no split of the blend"),
        ("- path: a\n  samples: 2\n  path: b", "'path' stands twice"),
        ("- {path: a, samples: 2, range: [0, 1]}", "one of the two"),
        ("- {path: a, range: [3, 9]}", "range [3, 9]"),
        ("- {path: a, range: ['50%', '20%']}", "['50%', '20%'] for 'train'"),
        ("- {path: a, weight: heavy}", "no number"),
        ("- {path: a, samples: }", "nothing stands behind 'samples'"),
        ("{seed: , datasets: [a]}", "nothing stands behind 'seed'"),
        ("- {path: a, samples: {val: 3}}", "but some were asked for"),
        ("- {path: a, repetitions: 0.2}", "0.2 repetitions of 4 samples are none"),
        ("- {path: a, samples: 3, repetitions: 0.5}", "ask for fewer samples"),
        ("- {path: a, weight: 1}\n- {path: b, repetitions: 2}", "repetitions were expected"),
        ("{seed: x, datasets: [a]}", "no whole number"),
    ],
)
def test_a_recipe_that_means_nothing_is_refused(tmp_path, recipe, said, capsys):
    for name in "ab":
        dataset(tmp_path / name, {"train": (4,)})
    (tmp_path / "r.yaml").write_text(recipe)
    assert blend("all.yaml", "--recipe", "r.yaml") == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "all.yaml").exists()
