"""Damaged and oversized videos, as a user of `frames` and `shard` meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from media import read_number, write_clip
from mm2energon import cli

from pipeline.making import number_of, run_shard, set_aside, stored, tree_bytes, tree_times, video_entry, write_json
from pipeline.test_frames import run_frames


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A whole video, and one of 5 s that was cut off after two thirds, each with one entry."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_clip(folder / "whole.mkv", frames=150, first=1000)
    data = write_clip(folder / "cut.mkv", frames=150, b_frames=2).read_bytes()
    (folder / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    write_json(folder / "dataset.json", [video_entry("whole.mkv", id="a"), video_entry("cut.mkv", id="b")])
    return folder


def report_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "report.json").read_text())
    return found


def test_unasked_a_cut_video_is_set_aside_whole(root: Path) -> None:
    assert run_frames(root, "--output-json", "merged.json", "--time-interval", 0.5) == 3
    assert [(line["origin"], line["reason"]) for line in set_aside(root)] == [("dataset.json[1]", "unreadable-video")]
    assert not (root / "cut").exists()


def test_asked_its_beginning_is_kept_and_the_summary_and_the_sidecar_say_so(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_frames(root, "--output-json", "merged.json", "--time-interval", 0.5, "--keep-partial") == 0
    shown = capsys.readouterr().out
    assert "1 damaged videos were taken up to the fault" in shown
    assert "cut.mkv: it has" in shown
    numbers = [read_number(path) for path in sorted((root / "cut").glob("*.jpg"))]
    assert numbers == list(range(0, 15 * len(numbers), 15))
    assert 3 <= len(numbers) <= 7
    assert json.loads((root / "cut.json").read_text())["partial"].startswith("it has")
    assert "partial" not in json.loads((root / "whole.json").read_text())
    assert set_aside(root) == []
    assert [entry["id"] for entry in json.loads((root / "merged.json").read_text())] == ["a", "b"]


def test_a_run_that_does_not_ask_does_not_take_what_an_earlier_one_kept(root: Path) -> None:
    asked = ("--output-json", "merged.json", "--time-interval", 0.5)
    assert run_frames(root, *asked, "--keep-partial") == 0
    assert run_frames(root, *asked) == 3
    assert [line["reason"] for line in set_aside(root)] == ["unreadable-video"]
    assert [entry["id"] for entry in json.loads((root / "merged.json").read_text())] == ["a"]


def test_shards_hold_the_same_by_either_way_and_name_the_video(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = Path(shutil.copytree(root, tmp_path / "packed"))
    for folder, options in ((root, ()), (packed, ("--extract",))):
        assert run_shard(folder, "--keep-partial", *options) == 0
        assert "cut.mkv: it has" in capsys.readouterr().out
    shards = [sample for sample in stored(root / "wds") if sample.text.get("id") == "b"]
    assert [sample.videos for sample in stored(packed / "wds")] == [sample.videos for sample in stored(root / "wds")]
    assert len(shards) == 1
    assert [number_of(frame) for frame in shards[0].videos[0]][:3] == [0, 15, 30]


@pytest.mark.parametrize("how", [(), ("--extract",)])
def test_finished_shards_with_a_partial_video_are_left_alone(
    root: Path, capsys: pytest.CaptureFixture[str], how: tuple[str, ...]
) -> None:
    assert run_shard(root, "--keep-partial", *how) == 0
    before = tree_bytes(root / "wds"), tree_times(root)
    capsys.readouterr()
    assert run_shard(root, "--keep-partial", *how) == 0
    shown = capsys.readouterr().out
    assert "was complete already" in shown
    assert "cut.mkv: it has" in shown
    assert (tree_bytes(root / "wds"), tree_times(root)) == before


def test_shards_that_ask_for_whole_videos_do_not_take_a_pack_of_a_part(root: Path) -> None:
    assert run_shard(root, "--keep-partial", "--extract") == 0
    assert run_shard(root, "--extract") == 1  # another plan: it needs --restart
    assert run_shard(root, "--extract", "--restart") == 3
    assert [line["reason"] for line in set_aside(root / "wds")] == ["unreadable-video"]


def test_shards_with_a_partial_video_agree_with_their_sources(root: Path) -> None:
    assert run_shard(root, "--keep-partial", "--extract") == 0
    assert cli.main(["verify", str(root / "wds"), "--skip-energon", "--against", str(root)]) == 0


def test_a_video_of_too_many_frames_is_set_aside_alone(root: Path) -> None:
    write_clip(root / "short.mp4", frames=30)
    write_json(root / "dataset.json", [video_entry("whole.mkv"), video_entry("short.mp4", id="s")])
    assert run_frames(root, "--output-json", "merged.json", "--fps", 10, "--video-frame-limit", 20) == 3
    refused = set_aside(root)
    assert [line["reason"] for line in refused] == ["too-many-frames"]
    assert "50 frames of it are wanted; at most 20" in refused[0]["message"]
    assert run_frames(root, "--output-json", "merged.json", "--fps", 10, "--video-frame-limit", 0) == 0


def test_another_decoder_cannot_say_where_a_video_is_damaged(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_frames(root, "--keep-partial", "--decoder", "opencv") == 1
    assert "--keep-partial: --decoder opencv" in capsys.readouterr().err
