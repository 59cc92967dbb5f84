"""`--profile`: where the time of a run went."""

import json

import pytest
from media import write_clip
from mm2energon import cli
from pipeline.making import video_entry, write_json


@pytest.fixture
def root(tmp_path):
    write_clip(tmp_path / "v.mp4", frames=60)
    write_json(tmp_path / "chats.json", [video_entry("v.mp4")])
    return tmp_path


def profiled(root, capsys, *arguments):
    """The steps of the file, and what is shown of them."""
    path = root / "profile.json"
    command, *options = arguments
    assert cli.main([command, "--dataset-root", str(root), "--workers", "1", "--profile", str(path), *options]) == 0
    profile = json.loads(path.read_text())
    shown = capsys.readouterr().out
    peaks = profile["peak_memory_bytes"]
    assert f"memory     {peaks['main'] / 1e6:>8.0f}   (MB at most" in shown
    assert 20e6 < peaks["main"] < 20e9
    for step, spent in profile["steps"].items():
        assert f"\n  {step:<12}{spent['wall_seconds']:>10.2f}{spent['cpu_seconds']:>10.2f}\n" in shown
    return profile


def test_the_steps_of_an_extraction_are_told_apart(root, capsys):
    profile = profiled(root, capsys, "frames")
    steps = profile["steps"]
    assert list(steps) == ["unpack", "annotations", "read", "decode", "convert", "encode", "write"]
    assert all(spent["wall_seconds"] >= 0 for spent in steps.values())
    assert 0 < steps["decode"]["wall_seconds"] < profile["wall_seconds"]


def test_the_steps_of_sharding_are_told_apart(root, capsys):
    steps = profiled(root, capsys, "shard", "--extract", "--json", "chats.json")["steps"]
    assert {"annotations", "read", "decode", "convert", "encode", "write", "plan", "shards", "index"} <= set(steps)


def test_without_the_option_nothing_is_said_or_written(root, capsys):
    assert cli.main(["frames", "--dataset-root", str(root), "--workers", "1"]) == 0
    assert "decode" not in capsys.readouterr().out
