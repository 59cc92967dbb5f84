"""The report of a run: its account for programs, the same bytes each time, and no file of the user's replaced."""

import json

import pytest
from media import write_clip
from mm2energon import cli
from mm2energon.pipeline import shard

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


def formats_dataset(root):
    """Ten entries of each of three formats."""
    write_images(root, 10)
    said = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    llava = [{"conversations": chat(f"<image>{n}?"), "image": f"p{n}.jpg"} for n in range(10)]
    entries = [*llava, *({"messages": said, "id": n} for n in range(10)), *(text_entry(n) for n in range(10)), {"x": 1}]
    return write_json(root / "dataset.json", entries)


def test_it_is_told_what_the_entries_were_read_as(tmp_path, monkeypatch):
    source = formats_dataset(tmp_path)
    write = shard._run

    def lose_a_picture(*arguments):
        (tmp_path / "p3.jpg").unlink()
        write(*arguments)

    monkeypatch.setattr(shard, "_run", lose_a_picture)
    assert run_shard(tmp_path, "--train-split", 1, "--val-split", 1) == 3
    told = {"llava": 9, "messages": 10, "sharegpt": 10}
    assert read(tmp_path / "wds/report.json")["formats"] == told
    manifest = read(tmp_path / "wds/.nv-meta/mm2energon.json")
    assert {split: sum(counts.values()) for split, counts in manifest["formats"].items()} == manifest["samples"]
    read_again = {name: [counts.get(name, 0) for counts in manifest["formats"].values()] for name in told}
    assert all(sum(read_again[name]) == count for name, count in told.items())
    for command in (
        ["normalize", "--input-file", str(source), "--output-file", str(tmp_path / "out.json")],
        ["convert", str(source), str(tmp_path / "out.jsonl"), "--to", "messages", "--dataset-root", str(tmp_path)],
    ):
        cli.main(command)
        assert read(tmp_path / "report.json")["formats"] == {**told, "llava": 10}
        (tmp_path / "report.json").unlink()


def test_a_plan_of_an_older_version_is_gone_on_with(tmp_path, monkeypatch):
    formats_dataset(tmp_path)

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shard, "finalize", stop)
        run_shard(tmp_path)
    plan = next((tmp_path / "wds").rglob("plan.json")).parent
    for path in (plan / "units").iterdir():
        unit = read(path)
        del unit["formats"]
        path.write_text(json.dumps(unit))
    for path in (plan / "done").iterdir():
        line, _, rows = path.read_bytes().partition(b"\n")
        path.write_bytes(json.dumps(json.loads(line)[:6]).encode() + b"\n" + rows)
    assert run_shard(tmp_path) == 3
    assert read(tmp_path / "wds/report.json")["formats"] == {}
    assert sum(read(tmp_path / "wds/report.json")["written"].values()) == 30


def test_the_report_of_frames_tells_videos(tmp_path):
    write_clip(tmp_path / "v.mp4", frames=21, rate=10)
    (tmp_path / "w.mp4").write_bytes(b"no video")
    write_json(tmp_path / "train.json", [video_entry("v.mp4"), video_entry("w.mp4"), text_entry()])
    arguments = ["frames", "--dataset-root", str(tmp_path), "--time-interval", "1", "--workers", "1"]
    assert cli.main(arguments) == 3
    report = read(tmp_path / "report.json")
    assert (report["videos"], report["videos_failed"], report["frames"]) == (2, 1, 3)
    assert report["written"] == {"entries": 2} and adds_up(report) and report["formats"] == {"sharegpt": 2}
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
