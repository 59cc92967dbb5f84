"""`shard --extract`: from videos to shards in one go, with the bytes of the way by frames on disk."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from media import write_clip
from mm2energon.pipeline import run

from pipeline.making import (
    image_entry,
    number_of,
    run_shard,
    set_aside,
    shard_of,
    stored,
    tree_bytes,
    tree_times,
    video_entry,
    write_frames,
    write_images,
    write_json,
)

TOOLKITS = Path(__file__).parents[2] / "toolkits"
CLIPS = {"a.mp4": 0, "b.mkv": 100, "sub/c.mp4": 200, "sub/c.mkv": 300}


def video_dataset(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    for name, first in CLIPS.items():
        write_clip(root / name, frames=60, first=first, b_frames=2)
    (root / "bad.mp4").write_bytes(b"no video")
    entries = [video_entry(name, id=f"{name}{number}") for name in [*CLIPS, "bad.mp4"] for number in range(2)]
    entries += [
        video_entry(write_frames(root, "made", 4)),
        image_entry(*write_images(root, 1)),
        video_entry("gone.mp4"),
    ]
    write_json(root / "dataset.json", entries)
    return root


def dataset_of(output: Path) -> dict[str, bytes]:
    """What a training reads, and what was set aside: all but our own notes."""
    found = tree_bytes(output)
    return {
        name: data for name, data in found.items() if not name.startswith(".mm2energon") and name != "set_aside.jsonl"
    }


@pytest.mark.parametrize("target", ["pai-v1", "crude"])
@pytest.mark.parametrize("workers", ["1", "3"])
def test_the_bytes_are_those_of_the_way_by_frames_on_disk(tmp_path, target, workers):
    beside, packed = video_dataset(tmp_path / "beside"), video_dataset(tmp_path / "packed")
    before = sorted(path.name for path in packed.rglob("*"))
    assert run_shard(beside, "--target", target) == 3
    assert run_shard(packed, "--target", target, "--extract", "--workers", workers) == 3
    assert dataset_of(packed / "wds") == dataset_of(beside / "wds")
    reasons = [line["reason"] for line in set_aside(beside / "wds")]
    assert [line["reason"] for line in set_aside(packed / "wds")] == reasons
    assert sorted(path.name for path in packed.rglob("*") if "wds" not in path.parts) == before
    assert not list((packed / "wds").rglob("*.jpegs"))


def test_the_frames_are_those_of_the_videos(tmp_path):
    root = video_dataset(tmp_path)
    run_shard(root, "--extract")
    shown = {sample.text["id"]: [number_of(frame) for frame in sample.videos[0]] for sample in of_clips(root)}
    assert shown == {
        f"{name}{number}": [first, first + 15, first + 30, first + 45]
        for name, first in CLIPS.items()
        for number in range(2)
    }


def of_clips(root):
    return [sample for sample in stored(root / "wds") if sample.videos and sample.text.get("id")]


def test_a_finished_dataset_is_known_although_its_frames_are_gone(tmp_path, capsys):
    root = video_dataset(tmp_path)
    run_shard(root, "--extract")
    before = tree_times(root / "wds")
    capsys.readouterr()
    assert run_shard(root, "--extract") == 3
    assert "was complete already" in capsys.readouterr().out
    assert {**tree_times(root / "wds"), **before} == tree_times(root / "wds")


def test_a_shard_that_was_lost_is_written_again_from_frames_extracted_again(tmp_path):
    root = video_dataset(tmp_path)
    run_shard(root, "--extract", "--max-samples-per-tar", "2")
    before = dataset_of(root / "wds")
    (root / "wds" / "train-shard-000001.tar").unlink()
    assert run_shard(root, "--extract", "--max-samples-per-tar", "2") == 3
    assert dataset_of(root / "wds") == before


def test_another_interval_needs_restart_and_then_extracts_anew(tmp_path, capsys):
    root = video_dataset(tmp_path)
    run_shard(root, "--extract")
    assert run_shard(root, "--extract", "--time-interval", "1") == 1
    assert "--restart" in capsys.readouterr().err
    assert run_shard(root, "--extract", "--time-interval", "1", "--restart") == 3
    assert {len(sample.videos[0]) for sample in of_clips(root)} == {2}


def test_a_run_that_stops_between_extraction_and_shards_goes_on_with_the_frames_it_has(tmp_path, monkeypatch):
    root, twin = video_dataset(tmp_path / "one"), video_dataset(tmp_path / "twin")
    run_shard(twin, "--extract")
    write = run.ShardWriter

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, "ShardWriter", no_space)
    assert run_shard(root, "--extract") == 1
    packs = {path.name: path.stat().st_mtime_ns for path in (root / "wds" / ".mm2energon" / "frames").iterdir()}
    assert len(packs) == 2 * len(CLIPS)
    monkeypatch.setattr(run, "ShardWriter", write)
    assert run_shard(root, "--extract") == 3
    kept = {path.name: path.stat().st_mtime_ns for path in (root / "wds" / ".mm2energon" / "frames").iterdir()}
    assert kept == {name: when for name, when in packs.items() if name.endswith(".json")}
    assert dataset_of(root / "wds") == dataset_of(twin / "wds")


@pytest.mark.parametrize("after_seconds", [0.6, 1.2])
def test_a_run_that_was_killed_gives_the_same_bytes_when_it_is_started_again(tmp_path, after_seconds):
    root, twin = video_dataset(tmp_path / "one"), video_dataset(tmp_path / "twin")
    run_shard(twin, "--extract")
    command = [sys.executable, "-m", "mm2energon", "shard", "--dataset-root", str(root), "--extract", "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(TOOLKITS)}
    started = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    time.sleep(after_seconds)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert run_shard(root, "--extract") == 3
    assert dataset_of(root / "wds") == dataset_of(twin / "wds")
    assert not [name for name in tree_bytes(root / "wds") if "mm2energon-tmp" in name or name.endswith(".jpegs")]


@pytest.mark.parametrize("options", [["--check-media", "full"], ["--enlarge-small-images"], ["--max-frames", "2"]])
def test_what_is_done_to_frames_is_done_to_packed_ones(tmp_path, options):
    roots = [tmp_path / "beside", tmp_path / "packed"]
    for root, way in zip(roots, ([], ["--extract"]), strict=True):
        root.mkdir()
        write_clip(root / "small.mp4", frames=60, size=(48, 16))
        write_clip(root / "v.mp4", frames=60, first=60)
        write_json(root / "dataset.json", [video_entry("small.mp4"), video_entry("v.mp4")])
        run_shard(root, *options, *way)
    assert dataset_of(roots[1] / "wds") == dataset_of(roots[0] / "wds")
    assert stored(roots[0] / "wds")


def test_frames_that_are_there_are_taken_as_they_are(tmp_path):
    root = video_dataset(tmp_path)
    run_shard(root, "--time-interval", "1")
    shutil.rmtree(root / "wds")
    run_shard(root, "--extract")
    assert {len(sample.videos[0]) for sample in of_clips(root)} == {2}


def test_extract_and_no_extract_are_not_both_taken(tmp_path):
    with pytest.raises(SystemExit):
        shard_of(tmp_path, [video_entry("v.mp4")], "--extract", "--no-extract")
