"""Datasets in a store: the shards are those of this machine, byte for byte, however the run went."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from media import write_clip
from mm2energon import cli
from mm2energon.pipeline import run
from mm2energon.pipeline.lease import leased
from mm2energon.remote import Remote

from pipeline.making import (
    image_entry,
    run_shard,
    set_aside,
    text_entry,
    tree_bytes,
    video_entry,
    write_frames,
    write_images,
    write_json,
)

pytest_plugins = ["stores"]

TOOLKITS = Path(__file__).parents[2] / "toolkits"
OPTIONS = ("--max-samples-per-tar", 2, "--time-interval", 0.5, "--allow-set-aside")


def make_dataset(root: Path) -> Path:
    """Images, text, a video with frames of another tool's, one with none, one that is none, and one that is missing."""
    names = write_images(root / "pictures", 4)
    (root / "clips").mkdir()
    write_clip(root / "clips/a.mp4", frames=40)
    write_clip(root / "clips/a.mkv", frames=40, first=100)
    (root / "clips/bad.mp4").write_bytes(b"no video")
    entries = [image_entry(f"pictures/{name}", id=name) for name in names]
    entries += [video_entry(f"clips/{name}") for name in ("a.mp4", "a.mkv", "bad.mp4", "gone.mp4")]
    entries += [video_entry(f"clips/{write_frames(root / 'clips', 'made', 4)}"), image_entry("pictures/none.jpg")]
    write_json(root / "dataset.json", [*entries, text_entry(), text_entry(1)])
    return root


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The dataset as it was given, and the shards that are made of it on this machine."""
    given, root = tmp_path_factory.mktemp("given"), tmp_path_factory.mktemp("root")
    make_dataset(given)
    shutil.copytree(given, root, dirs_exist_ok=True)
    assert run_shard(root, *OPTIONS) == 0
    return given, root / "wds"


def upload(root: Path, folder: str) -> None:
    Remote(folder).send([path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()], root)


def download(folder: str, to: Path) -> Path:
    Remote(folder).fetch([name for name, _ in Remote(folder).files(deep=True)], to)
    return to


def without_paths(output: Path) -> dict[str, bytes]:
    """A dataset, but for the paths of this machine in the messages of what was set aside, and what depends on them."""
    theirs = ("set_aside.jsonl", ".mm2energon/outputs.json")
    return {name: data for name, data in tree_bytes(output).items() if name not in theirs}


def test_a_dataset_in_a_store_becomes_the_shards_that_it_becomes_here(local, folder, tmp_path):
    given, shards = local
    upload(given, folder)
    assert run_shard(folder, *OPTIONS) == 0
    made = download(f"{folder}/wds", tmp_path / "made")
    assert without_paths(made) == without_paths(shards)
    reasons = [(line["origin"], line["reason"]) for line in set_aside(made)]
    assert reasons == [(line["origin"], line["reason"]) for line in set_aside(shards)]
    assert "mirror" not in (made / "set_aside.jsonl").read_text()
    assert folder in (made / "set_aside.jsonl").read_text()


def test_frames_lie_beside_the_videos_of_the_store_as_they_do_here(local, s3, tmp_path):
    given, shards = local
    upload(given, s3)
    assert run_shard(s3, *OPTIONS) == 0
    clips = download(f"{s3}/clips", tmp_path / "clips")
    assert tree_bytes(clips) == tree_bytes(shards.parent / "clips")


@pytest.mark.parametrize("workers", [1, 2])
def test_only_the_output_or_only_the_input_may_lie_in_a_store(local, bucket, tmp_path, monkeypatch, workers):
    monkeypatch.setattr(importlib.import_module("mm2energon.pipeline.shard"), "BYTES_OF_A_WORKER", 1)
    given, shards = local
    upload(given, f"s3://{bucket}/in")
    out, here = f"s3://{bucket}/out", tmp_path / "here"
    assert run_shard(shutil.copytree(given, tmp_path / "root"), "--output", out, "--workers", workers, *OPTIONS) == 0
    assert run_shard(f"s3://{bucket}/in", "--output", here, "--workers", workers, *OPTIONS) == 0
    assert without_paths(download(out, tmp_path / "out")) == without_paths(shards)
    assert without_paths(here) == without_paths(shards)


def test_a_finished_dataset_is_left_alone_and_says_so(local, s3, capsys):
    upload(local[0], s3)
    assert run_shard(s3, *OPTIONS) == 0
    before = sorted(Remote(s3).files(deep=True))
    assert run_shard(s3, *OPTIONS) == 0
    assert "was complete already" in capsys.readouterr().out
    assert sorted(Remote(s3).files(deep=True)) == before


def test_other_options_are_refused_and_restart_leaves_nothing_of_before(local, s3, tmp_path, capsys):
    upload(local[0], s3)
    assert run_shard(s3, "--max-samples-per-tar", 1, *OPTIONS[2:]) == 0
    assert run_shard(s3, *OPTIONS) == 1
    error = capsys.readouterr().err
    assert f"{s3}/wds: holds a finished dataset" in error and "--max-samples-per-tar (was 1, is 2)" in error
    assert run_shard(s3, *OPTIONS, "--restart") == 0
    assert without_paths(download(f"{s3}/wds", tmp_path / "made")) == without_paths(local[1])


def test_nothing_that_looks_finished_is_there_before_all_is(local, s3, tmp_path, monkeypatch):
    """A run that fails at its second shard: the first is there, no metadata is; the next run goes on with it."""
    upload(local[0], s3)
    real = run._write

    def fail(task, unit, path, refused):
        if unit.number == 1:
            raise OSError(28, "No space left on device", str(path))
        return real(task, unit, path, refused)

    monkeypatch.setattr(run, "_write", fail)
    assert run_shard(s3, *OPTIONS) == 1
    names = {name for name, _ in Remote(f"{s3}/wds").files(deep=True)}
    assert "train-shard-000000.tar" in names and "train-shard-000001.tar" not in names
    assert not any(name.startswith(".nv-meta") for name in names)
    monkeypatch.setattr(run, "_write", real)
    written = []
    monkeypatch.setattr(run, "_write", lambda task, unit, *rest: written.append(unit.number) or real(task, unit, *rest))
    assert run_shard(s3, *OPTIONS) == 0
    assert written == list(range(1, max(written) + 1))
    assert without_paths(download(f"{s3}/wds", tmp_path / "made")) == without_paths(local[1])


def test_a_run_that_was_killed_goes_on_and_gives_the_same_bytes(local, bucket, tmp_path):
    s3 = f"s3://{bucket}/in"
    upload(local[0], s3)
    words = [
        sys.executable,
        "-m",
        "mm2energon",
        "shard",
        "--dataset-root",
        s3,
        "--workers",
        "1",
        *map(str, OPTIONS),
    ]
    environment = {**os.environ, "PYTHONPATH": str(TOOLKITS)}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        if any("/done/" in name for name, _ in Remote(f"{s3}/wds").files(deep=True)):
            process.send_signal(signal.SIGKILL)
        time.sleep(0.01)
    assert run_shard(s3, *OPTIONS) == 0
    assert without_paths(download(f"{s3}/wds", tmp_path / "made")) == without_paths(local[1])


def test_what_was_set_aside_in_a_store_becomes_shards_of_its_own_once_it_is_mended(s3, tmp_path, capsys):
    root = tmp_path / "root"
    first, second = write_images(root, 2)
    write_json(root / "dataset.json", [image_entry(first), image_entry(second), text_entry()])
    (root / second).rename(tmp_path / second)
    upload(root, s3)
    (tmp_path / second).rename(root / second)
    assert run_shard(s3) == 3
    upload(root, s3)
    left = f"{s3}/wds/set_aside.jsonl"
    assert run_shard(s3, "--retry", left) == 1
    assert f"--output {s3}/wds: holds the dataset of before" in capsys.readouterr().err
    assert run_shard(s3, "--retry", f"{left}.not", "--output", f"{s3}/wds-2") == 1
    assert f"--retry {left}.not: no such file" in capsys.readouterr().err
    assert run_shard(s3, "--retry", left, "--output", f"{s3}/wds-2", "--executor", "ray") == 1
    assert f"--retry {left}: a file of this machine was expected" in capsys.readouterr().err
    assert run_shard(s3, "--retry", left, "--output", f"{s3}/wds-2") == 0
    made = download(f"{s3}/wds-2", tmp_path / "made")
    assert json.loads((made / "report.json").read_bytes())["written"] == {"train": 1}


def test_a_second_run_for_the_same_output_is_refused(local, s3, capsys):
    upload(local[0], s3)
    with leased(Remote(f"{s3}/wds")):
        assert run_shard(s3, *OPTIONS) == 1
    assert f"{s3}/wds: another run writes to it now" in capsys.readouterr().err
    assert [name for name, _ in Remote(f"{s3}/wds").files(deep=True)] == []


def test_the_cache_may_be_smaller_than_what_goes_through_it(local, s3, tmp_path):
    upload(local[0], s3)
    cache = tmp_path / "cache"
    assert run_shard(s3, *OPTIONS, "--cache", cache, "--cache-size", 1) == 0
    assert without_paths(download(f"{s3}/wds", tmp_path / "made")) == without_paths(local[1])
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dataset-root", "s3://no-such-bucket-at-all/in"], "s3://no-such-bucket-at-all/in/dataset.json"),
        (["--dataset-root", "s3://no-such-bucket-at-all/in"], "there is no such bucket"),
        (["--dataset-root", "ftp://host/in"], "names no store"),
    ],
)
def test_a_place_that_is_not_there_is_told_in_one_line(store, capsys, options, words):
    try:
        status = cli.main(["shard", *options])
    except SystemExit as stop:
        status = stop.code
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert status in (1, 2) and words in error and "kept-secret" not in error


def test_the_dataset_root_itself_is_no_output_in_a_store_either(local, s3, capsys):
    upload(local[0], s3)
    before = sorted(Remote(s3).files(deep=True))
    assert run_shard(s3, "--output", f"{s3}/") == 1
    assert "is the dataset root itself" in capsys.readouterr().err and sorted(Remote(s3).files(deep=True)) == before


def test_what_to_do_next_is_told_by_urls_that_a_shell_and_energon_take(local, bucket, tmp_path, capsys):
    assert run_shard(shutil.copytree(local[0], tmp_path / "root"), *OPTIONS, "--output", f"s3://{bucket}/it's one") == 0
    told = capsys.readouterr().out
    assert f"mm2energon verify 's3://{bucket}/it'\"'\"'s one'" in told
    assert f"--train-data-path msc://_s3-{bucket}/it's one" in told


def test_what_a_store_does_not_allow_is_no_matter_of_modes(local, s3, watched, capsys):
    upload(local[0], s3)
    watched.fails = lambda method, key: "denied" if key.endswith(".jpg") else None
    assert run_shard(s3, *OPTIONS) == 1
    assert capsys.readouterr().err.strip().endswith("the store does not allow it; check its credentials")


def test_a_set_aside_sample_whose_picture_went_missing_after_the_plan(local, s3, tmp_path, monkeypatch):
    upload(local[0], s3)
    shard = importlib.import_module("mm2energon.pipeline.shard")
    real = shard._run

    def remove_then_run(*arguments):
        Remote(s3).remove(["pictures/p1.jpg"])
        return real(*arguments)

    monkeypatch.setattr(shard, "_run", remove_then_run)
    assert run_shard(s3, *OPTIONS) == 0
    made = download(f"{s3}/wds", tmp_path / "made")
    assert ("dataset.json[1]", "missing-media") in [(line["origin"], line["reason"]) for line in set_aside(made)]


def test_tasks_that_know_nothing_of_each_other_write_to_the_store_what_one_run_does(local, s3, tmp_path):
    upload(local[0], s3)
    plan, words = tmp_path / "plan", [*map(str, OPTIONS), "--dataset-root", s3]
    assert cli.main(["plan", "--plan", str(plan), "shard", *words]) == 0
    for status in (4, 0):  # the videos wait, and then the shards
        for index in (1, 0):
            assert cli.main(["run", "--plan", str(plan), "--index", str(index), "--of", "2", "--workers", "1"]) == 0
        assert cli.main(["finalize", "--plan", str(plan)]) == status
    assert without_paths(download(f"{s3}/wds", tmp_path / "made")) == without_paths(local[1])


@pytest.mark.parametrize("given", ["parts/*.json", "parts"])
def test_several_annotation_files_in_a_store_are_planned_by_several_workers_as_by_one(s3, tmp_path, given):
    root = tmp_path / "root"
    for number, name in enumerate(write_images(root, 6)):
        write_json(root / f"parts/{number}.json", [image_entry(name), text_entry(number)])
    write_json(root / "parts/7.JSON", [text_entry(7)])
    write_json(root / "parts/notes.JSON", {"asked": 1})
    upload(root, s3)
    assert run_shard(root, "--json", given, "--train-split", 2) == 0
    assert run_shard(s3, "--json", given, "--train-split", 2, "--workers", 2) == 0
    assert without_paths(download(f"{s3}/wds", tmp_path / "made")) == without_paths(root / "wds")


def without_packs(shards: dict[str, bytes]) -> dict[str, bytes]:
    """Not what is noted of packs, which holds the time of the video's last change."""
    return {name: data for name, data in shards.items() if "/frames/" not in name}


@pytest.fixture(scope="module")
def packed(local, tmp_path_factory):
    """The dataset with a file of somebody else's where frames of a video would be, and its shards by way of packs."""
    root = tmp_path_factory.mktemp("packed")
    shutil.copytree(local[0], root, dirs_exist_ok=True)
    (root / "clips/a").mkdir()
    (root / "clips/a/notes.txt").write_text("mine")
    assert run_shard(root, *OPTIONS, "--extract") == 0
    return root, without_packs(without_paths(root / "wds"))


def upload_packed(root: Path, folder: str) -> None:
    names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    Remote(folder).send([name for name in names if not name.startswith("wds/")], root)


def test_videos_of_a_store_go_into_shards_without_a_file_for_each_frame(packed, s3, tmp_path, capsys):
    upload_packed(packed[0], s3)
    before = sorted(Remote(s3).files(deep=True))
    for _ in range(2):
        assert run_shard(s3, *OPTIONS, "--extract", "--workers", 2) == 0
    assert "was complete already" in capsys.readouterr().out
    assert without_packs(without_paths(download(f"{s3}/wds", tmp_path / "made"))) == packed[1]
    assert [one for one in sorted(Remote(s3).files(deep=True)) if not one[0].startswith("wds/")] == before


def test_tasks_put_videos_of_a_store_into_shards_that_all_of_them_see(packed, s3, tmp_path):
    upload_packed(packed[0], s3)
    words = [*map(str, OPTIONS), "--extract", "--dataset-root", s3, "--output", str(tmp_path / "wds")]
    plan = str(tmp_path / "plan")
    assert cli.main(["plan", "--plan", plan, "shard", *words]) == 0
    for status in (4, 0):
        for index in (1, 0):
            assert cli.main(["run", "--plan", plan, "--index", str(index), "--of", "2", "--workers", "1"]) == 0
        assert cli.main(["finalize", "--plan", plan]) == status
    assert without_packs(without_paths(tmp_path / "wds")) == packed[1]


def test_frames_that_would_be_kept_where_nobody_finds_them_are_refused(local, s3, tmp_path, capsys):
    upload(local[0], s3)
    words = ["--extract", "--dataset-root", s3, "--output", f"{s3}/wds"]
    assert cli.main(["plan", "--plan", str(tmp_path / "plan"), "shard", *words]) == 1
    assert capsys.readouterr().err.startswith("error: --extract: keeps frames in the folder of the output")
