"""What cannot be learnt from costs itself alone, with its reason; what belongs together is on one side of the split."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from mm2energon import cli
from mm2energon.jsonio import loads
from mm2energon.pipeline.output import packs_of
from mm2energon.tuning.encoding import FAULTS
from mm2energon.tuning.prepare import rows_path
from mm2energon.tuning.status import read_status

from tuning.conftest import command, line, told, write_lines


def set_aside(output: Path) -> dict[str, str]:
    """Reason by origin."""
    lines = (output / "set_aside.jsonl").read_text().splitlines()
    return {one["origin"]: one["reason"] for one in map(json.loads, lines)}


def test_bad_samples_are_set_aside_with_reasons_and_the_others_train(videos: Path, base: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    (tmp_path / "red.mp4").write_bytes((videos / "red0.mp4").read_bytes())
    bad: list[dict[str, Any]] = [
        line("broken.mp4", "red"),
        line("gone.mp4", "red"),
        line(videos / "blue0.mp4", "blue"),
        {"video_path": "red.mp4", "text": "USER: what?\nASSISTANT: "},
        {"video_path": "red.mp4", "text": "what?"},
        {"video_path": "red.mp4", "text": "USER: <|im_end|>?\nASSISTANT: red"},
    ]
    data = write_lines(tmp_path / "lines.jsonl", [*bad, line("red.mp4", "red"), line("red.mp4", "still red")])
    with data.open("a") as file:
        file.write("{broken\n")
    output = tmp_path / "out"
    assert cli.main(command(data, base, output, "--steps", 1)) == 3
    assert set_aside(output) == {
        "lines.jsonl:1": "unreadable-video",
        "lines.jsonl:2": "missing-media",
        "lines.jsonl:3": "outside-root",
        "lines.jsonl:4": "no-answer",
        "lines.jsonl:5": "bad-turn",
        "lines.jsonl:6": "reserved-text",
        "lines.jsonl:9": "broken-json",
    }
    assert (output / "final_checkpoint/adapter_config.json").is_file()


def test_absolute_paths_are_taken_below_roots_that_are_opened(videos: Path, base: Path, tmp_path: Path) -> None:
    data = write_lines(tmp_path / "lines.jsonl", [line(videos / f"red{number}.mp4", "red") for number in range(3)])
    words = command(data, base, tmp_path / "out", "--steps", 1, "--allow-absolute-media", videos)
    assert cli.main(words) == 0


def test_a_sample_that_cannot_be_read_any_more_costs_itself(videos: Path, base: Path, tmp_path: Path) -> None:
    data, output = videos / "lines.jsonl", tmp_path / "out"
    words = [*command(data, base, output, "--steps", 4), "--val-share", "0.2"]
    assert cli.main(words) == 0
    for path in [*output.glob("checkpoint-*"), output / "final_checkpoint"]:
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    (output / "metrics.jsonl").unlink()
    gone = next(output.rglob("*.jpegs"))
    gone.write_bytes(b"\0" * gone.stat().st_size)
    assert cli.main(words) == 3
    assert sorted(told(output, "loss")) == [1, 2, 3, 4]
    (noted,) = {one["origin"]: one for one in map(json.loads, (output / FAULTS).read_text().splitlines())}.values()
    assert noted["reason"] == "unreadable-image" and noted["origin"].startswith("lines.jsonl:")


def test_tags_that_the_text_lacks_are_put_there_where_that_is_asked_for(
    videos: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [{"from": "human", "value": "Which?"}, {"from": "gpt", "value": "red"}]
    entries = [{"videos": [f"red{number}.mp4"], "conversations": turns} for number in range(2)]
    (videos / "untagged.json").write_text(json.dumps(entries))
    words = command(videos / "untagged.json", base, tmp_path / "out", "--steps", 1)
    assert cli.main(words) == 1
    assert "use --prepend-missing-tags" in (tmp_path / "out/set_aside.jsonl").read_text()
    assert cli.main([*words, "--prepend-missing-tags"]) == 0


def test_samples_of_one_video_are_on_one_side(videos: Path, base: Path, tmp_path: Path) -> None:
    both = [line(path, word) for path in sorted(videos.glob("red*.mp4")) for word in ("red", "it is red")]
    data = write_lines(videos / "twice.jsonl", both)
    output = tmp_path / "out"
    assert cli.main(command(data, base, output, "--steps", 1, "--val-share", "0.3")) == 0
    shown = {}
    for split in ("train", "val"):
        found = [loads(text)["media"] for text in rows_path(output, split).read_bytes().splitlines()]
        shown[split] = {json.dumps(media) for media in found}
        assert len(found) == 2 * len(shown[split]) > 0
    assert shown["train"].isdisjoint(shown["val"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--data", "nowhere"), "--data nowhere: no such file or folder"),
        (("--data", "{videos}/lines.jsonl"), "--data {videos}/lines.jsonl: is given twice"),
        (("--model", "/nowhere"), "/nowhere"),
        (("--fps", "2", "--time-interval", "0.5"), "exactly one of"),
        (("--batch-size", "3"), "--effective-batch 4: is no multiple of --batch-size 3"),
        (("--dataset-root", "/nowhere"), "--dataset-root /nowhere: no such folder"),
        (("--val-share", "1"), "below 1"),
        (("--dropout", "1"), "--dropout 1: a number below 1"),
        (("--loaders", "5000"), "--loaders 5000: too many processes"),
        (("--quantize", "4bit"), "--quantize 4bit: "),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_prepared(
    options: tuple[str, ...],
    expected: str,
    videos: Path,
    base: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    output, expected = tmp_path / "out", expected.format(videos=videos)
    words = command(videos / "lines.jsonl", base, output, "--steps", 1)
    if options == ("--data", "nowhere"):
        words[1:3] = []
    assert cli.main([*words, *(word.format(videos=videos) for word in options)]) == 1
    assert expected in capsys.readouterr().err
    assert not list(output.rglob("*.jsonl"))
    status = read_status(output)
    assert status is None or (status.state == "failed" and expected in status.message)


def test_nothing_is_written_between_the_files_of_the_model_or_the_data_nor_over_an_adapter_of_others(
    videos: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "foreign/final_checkpoint"
    foreign.mkdir(parents=True)
    (foreign / "adapter_config.json").write_text("{}")
    data = videos / "lines.jsonl"
    for output, expected in ((base, "is --model"), (data, "is --data"), (foreign.parent, "holds an adapter, and no")):
        before = sorted(base.iterdir())
        assert cli.main(command(data, base, output, "--steps", 1)) == 1
        assert expected in capsys.readouterr().err
        assert sorted(base.iterdir()) == before
    assert (foreign / "adapter_config.json").read_text() == "{}"


def test_an_adapter_stays_where_the_run_that_was_to_replace_it_has_nothing_to_learn(
    videos: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    words = command(videos / "lines.jsonl", base, output, "--steps", 1)
    assert cli.main(words) == 0
    before = (output / "final_checkpoint/adapter_model.safetensors").read_bytes()
    nothing = write_lines(tmp_path / "nothing.jsonl", [line("gone.mp4", "red")])
    assert cli.main([*command(nothing, base, output, "--steps", 1), "--restart"]) == 1
    assert (output / "final_checkpoint/adapter_model.safetensors").read_bytes() == before
    capsys.readouterr()
    assert cli.main(words) == 0
    assert "was complete already" in capsys.readouterr().out
    assert len(rows_path(output, "train").read_bytes().splitlines()) == 11
    shutil.rmtree(packs_of(output))  # a run that begins anew makes what it needs anew
    assert cli.main([*words, "--restart"]) == 0
    assert cli.main([*command(videos / "lines.jsonl", base, output, "--steps", 2), "--restart"]) == 0
    assert sorted(told(output, "loss")) == [1, 2]


def test_a_blend_is_said_to_be_none_that_is_trained_on(
    videos: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "blend.yaml").write_text("__class__: MetadatasetV2\n")
    assert cli.main(command(tmp_path / "blend.yaml", base, tmp_path / "out", "--steps", 1)) == 1
    assert "blend.yaml: is a blend" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_model_of_another_kind_is_refused(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert/config.json").write_text('{"model_type": "bert"}')
    assert cli.main(command(videos / "lines.jsonl", tmp_path / "bert", tmp_path / "out", "--steps", 1)) == 1
    assert "a model of type 'bert'; expected one of qwen2_vl" in capsys.readouterr().err


def test_weights_that_are_cut_off_are_said_to_be(
    videos: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(base, tmp_path / "cut")
    os.truncate(tmp_path / "cut/model.safetensors", 5000)
    assert cli.main(command(videos / "lines.jsonl", tmp_path / "cut", tmp_path / "out", "--steps", 1)) == 1
    assert "cut: cannot be loaded" in capsys.readouterr().err
    status = read_status(tmp_path / "out")
    assert status is not None and status.state == "failed" and "cannot be loaded" in status.message
