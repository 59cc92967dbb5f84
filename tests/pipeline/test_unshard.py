"""Finished shards as input: what their loader would give, each sample once, and files that stay as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest
import yaml
from media import write_image
from mm2energon import cli

from pipeline.making import chat, run_shard, set_aside, tree_times, write_frames, write_images, write_json


def back(root: Path) -> list[Any]:
    command = ["convert", str(root / "wds"), str(root / "back.json"), "--to", "sharegpt", "--dataset-root", str(root)]
    assert cli.main(command) == 0
    found: list[Any] = json.loads((root / "back.json").read_text())
    return found


def make_shards(root: Path) -> Path:
    (picture,) = write_images(root, 1)
    entries: list[dict[str, Any]] = [
        {"id": f"{n}", "images": [picture], "conversations": chat("<image>What?")} for n in range(4)
    ]
    entries.append({"id": "v", "videos": [write_frames(root, "v", 4)], "conversations": chat("<video>What?")})
    write_json(root / "dataset.json", entries)
    assert run_shard(root, "--train-split", 1, "--val-split", 0) == 0
    return root / "wds" / ".nv-meta" / "split.yaml"


def test_what_the_splits_exclude_is_no_part_of_the_dataset(tmp_path: Path) -> None:
    place = make_shards(tmp_path)
    split = yaml.safe_load(place.read_text())
    (shard,) = split["split_parts"]["train"]
    split["exclude"] = [f"{shard}/{n:08d}-{n}" for n in (1, 3)]
    place.write_text(yaml.safe_dump(split))
    assert {entry["id"] for entry in back(tmp_path)} == {"0", "2", "v"}


def test_a_shard_that_two_splits_name_is_read_once(tmp_path: Path) -> None:
    place = make_shards(tmp_path)
    split = yaml.safe_load(place.read_text())
    split["split_parts"]["val"] = split["split_parts"]["train"]
    place.write_text(yaml.safe_dump(split))
    assert len(back(tmp_path)) == 5


def test_shards_that_energon_before_7_prepared_are_read(tmp_path: Path) -> None:
    place = make_shards(tmp_path)
    for name in (".info.json", "mm2energon.json", "index.sqlite", "index.uuid"):
        place.with_name(name).unlink()
    split = yaml.safe_load(place.read_text())
    (shard,) = split["split_parts"]["train"]
    assert shard == "train-shard-000000.tar"
    split["split_parts"]["train"] = ["train-shard-{000000..000000}.tar"]
    split["exclude"] = [f"train-shard-{{000000..000000}}.tar/{1:08d}-1"]
    place.write_text(yaml.safe_dump(split))
    assert {entry["id"] for entry in back(tmp_path)} == {"0", "2", "3", "v"}


def test_a_second_run_touches_no_file(tmp_path: Path) -> None:
    make_shards(tmp_path)
    back(tmp_path)
    before = tree_times(tmp_path)
    back(tmp_path)
    assert tree_times(tmp_path) == before


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_for_a_format_of_whole_videos_the_frames_become_a_file_as_they_are(tmp_path: Path, ending: str) -> None:
    frames = [write_image(tmp_path / f"{n}.{ending}", number=n).read_bytes() for n in range(4)]
    names = [f"{n}.{ending}" for n in range(4)]
    write_json(tmp_path / "dataset.json", [{"id": "v", "videos": [names], "conversations": chat("<video>What?")}])
    assert run_shard(tmp_path, "--train-split", 1, "--val-split", 0, "--default-fps", 0.5) == 0
    command = ["convert", str(tmp_path / "wds"), str(tmp_path / "back.json"), "--to", "videollama2"]
    for _ in range(2):
        assert cli.main([*command, "--dataset-root", str(tmp_path)]) == 0
    (entry,) = json.loads((tmp_path / "back.json").read_text())
    assert entry["video"].endswith(".mp4")
    with av.open(tmp_path / entry["video"]) as video:
        assert [bytes(packet) for packet in video.demux(video=0) if packet.size] == frames
    with av.open(tmp_path / entry["video"]) as video:
        assert [float(frame.time) for frame in video.decode(video=0)] == [0, 2, 4, 6]


def test_frames_of_several_kinds_stay_frames(tmp_path: Path) -> None:
    names = [write_image(tmp_path / name, number=1).name for name in ("1.jpg", "2.png")]
    write_json(tmp_path / "dataset.json", [{"id": "v", "videos": [names], "conversations": chat("<video>What?")}])
    assert run_shard(tmp_path, "--train-split", 1, "--val-split", 0) == 0
    command = ["convert", str(tmp_path / "wds"), str(tmp_path / "back.json"), "--to", "videollama2"]
    assert cli.main([*command, "--dataset-root", str(tmp_path)]) == 1
    assert [line["reason"] for line in set_aside(tmp_path)] == ["cannot-hold"]


def test_a_shard_that_ends_too_soon_is_not_taken_for_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = make_shards(tmp_path).parents[1] / "train-shard-000000.tar"
    shard.write_bytes(bytes(shard.stat().st_size))
    assert cli.main(["convert", str(tmp_path / "wds"), str(tmp_path / "back.json"), "--to", "sharegpt"]) == 1
    assert f"{shard}: 0 samples; 5 were expected" in capsys.readouterr().err
    assert not (tmp_path / "back.json").exists()
