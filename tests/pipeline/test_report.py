"""The report of a run: its account for programs, the same bytes each time, and no file of the user's replaced."""

import json

import pytest
from media import write_clip
from mm2energon import cli

from pipeline.making import chat, image_entry, run_shard, text_entry, video_entry, write_images, write_json


def read(path):
    return json.loads(path.read_text())


def adds_up(report):
    return report["read"] == sum(report["written"].values()) + sum(report["set_aside"].values())


def test_the_report_of_shards_tells_splits_reasons_and_options(tmp_path):
    write_images(tmp_path, 3)
    entries = [image_entry(f"p{n}.jpg") for n in range(3)] + [image_entry("gone.jpg"), {"x": 1}]
    write_json(tmp_path / "dataset.json", entries)
    assert run_shard(tmp_path, "--seed", 7) == 3
    report = read(tmp_path / "wds/report.json")
    assert (report["command"], report["read"], report["options"]["seed"]) == ("shard", 5, 7)
    assert report["set_aside"] == {"missing-media": 1, "unknown-format": 1} and adds_up(report)
    assert sum(report["written"].values()) == 3 and report["set_aside_file"] == "set_aside.jsonl"
    tars = list((tmp_path / "wds").glob("*.tar"))
    assert (report["shards"], report["shard_bytes"]) == (len(tars), sum(tar.stat().st_size for tar in tars))


def test_the_report_of_frames_tells_videos(tmp_path):
    write_clip(tmp_path / "v.mp4", frames=21, rate=10)
    (tmp_path / "w.mp4").write_bytes(b"no video")
    write_json(tmp_path / "train.json", [video_entry("v.mp4"), video_entry("w.mp4"), text_entry()])
    arguments = ["frames", "--dataset-root", str(tmp_path), "--time-interval", "1", "--workers", "1"]
    assert cli.main(arguments) == 3
    report = read(tmp_path / "report.json")
    assert (report["videos"], report["videos_failed"], report["frames"]) == (2, 1, 3)
    assert report["written"] == {"entries": 2} and adds_up(report)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert cli.main(arguments) == 3
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("theirs", ["{}", '{"by": "somebody", "of": "out.json"}', "[1", '{"by": "mm2energon"}'])
def test_a_report_of_the_user_is_not_replaced_and_no_annotation(tmp_path, theirs):
    source = write_json(tmp_path / "train.json", [{"conversations": chat()}])
    (tmp_path / "report.json").write_text(theirs)
    arguments = ["normalize", "--input-file", str(source), "--output-file", str(tmp_path / "out.json")]
    for _ in range(2):
        assert cli.main(arguments) == 0
        assert (tmp_path / "report.json").read_text() == theirs
        assert read(tmp_path / "report.out.json")["of"] == "out.json"
    assert sorted(path.name for path in tmp_path.glob("report*")) == ["report.json", "report.out.json"]


def test_reports_are_not_taken_for_annotations(tmp_path, capsys):
    write_json(tmp_path / "train.json", [text_entry()])
    for _ in range(2):
        assert cli.main(["frames", "--dataset-root", str(tmp_path), "--no-frames"]) == 0
        assert "hold no annotations" not in capsys.readouterr().out
