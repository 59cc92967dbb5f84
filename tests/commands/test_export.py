"""`mm2energon export`: decisions of a true review become files, shards and statistics; the exit status tells."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from media import write_clip
from mm2energon import cli
from mm2energon.review.review import open_review
from pipeline.making import chat, image_dataset, run_shard, stored, write_json
from review.reviewing import edited, row, write_csv


def run(*arguments: object) -> int:
    return cli.main(["export", *map(str, arguments)])


def entries_of(path: Path) -> list[Any]:
    text = path.read_text()
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of three seconds."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(4):
        write_clip(folder / f"{number}.mp4", frames=30, rate=10, size=(64, 48), first=30 * number)
    return folder


@pytest.fixture
def data(tmp_path: Path, clips: Path) -> Path:
    """A CSV of eight rows about four videos, six of which its status column accepts."""
    shutil.copytree(clips, tmp_path / "clips")
    statuses = ["accepted"] * 6 + ["rejected", ""]
    rows = [row(number, video=f"clips/{number % 4}.mp4", status=status) for number, status in enumerate(statuses)]
    return write_csv(tmp_path / "annotations.csv", *rows)


def test_a_csv_becomes_every_template_with_its_log_and_a_copy(data, tmp_path, capsys):
    out = tmp_path / "training data"
    assert run(data, "--template", "all", "--output", out) == 0
    said = capsys.readouterr().out
    assert "22 files, 132 records of 6 samples" in said and "not in minicpm-v: cannot-hold 6" in said
    for name in ("model_train_videollama2.jsonl", "model_train_llava_next.jsonl", "model_train_qwen.jsonl"):
        assert len(entries_of(out / name)) == 6
    assert "Total Processed Q&As: 6" in (out / "export_log.txt").read_text()
    copies = [
        path.name for path in tmp_path.iterdir() if re.fullmatch(r"annotations_backup_\d{8}_\d{6}\.csv", path.name)
    ]
    assert len(copies) == 1 and copies[0] in said


def test_what_is_skipped_makes_the_exit_status_3_unless_that_is_allowed(data, tmp_path, capsys):
    (tmp_path / "clips" / "1.mp4").unlink()
    arguments = (data, "--template", "legacy-qwen", "--output", tmp_path / "out")
    assert run(*arguments) == 3
    assert "set aside         2   (missing-media 2)" in capsys.readouterr().out
    assert run(*arguments, "--allow-set-aside") == 0
    assert run(*arguments, "--no-check-videos") == 0
    assert run(data, "--template", "llava,minicpm-v", "--output", tmp_path / "out", "--no-check-videos") == 3


def test_decisions_of_the_journal_are_exported_and_the_csv_says_them(data, tmp_path):
    with open_review(data, reviewers=["anna"]) as review:
        review.wait()
        review.decide([0, 1], "reject", reviewer="anna", reason="wrong")
        sample = review.item(7).sample
        review.decide([7], "edit", reviewer="anna", sample=_turned(sample, "New?", "Yes."))
    assert run(data, "--template", "all-legacy", "--output", tmp_path / "out") == 0
    entries = entries_of(tmp_path / "out" / "model_train_llava_next.jsonl")
    assert [entry["answer"] for entry in entries] == ["A 2.", "A 3.", "A 4.", "A 5.", "Yes."]
    lines = data.read_text().splitlines()
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["rejected"] * 2 + ["accepted"] * 4 + [
        "rejected",
        "accepted",
    ]
    assert lines[8] == "7,clips/3.mp4,New?,things,Yes.,accepted"


def _turned(sample, question, answer):
    return replace(sample, turns=edited(question, answer))


def test_shards_hold_the_samples_of_the_splits_of_the_files(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mm2energon.pipeline.verify_energon.is_installed", lambda: False)  # it takes seconds to load
    splits = ("--train-split", 1, "--val-split", 1)
    arguments = (data, "--template", "llava", "--output", tmp_path / "out", *splits, "--shards", tmp_path / "wds")
    assert run(*arguments) == 0
    said = capsys.readouterr().out
    assert "read back: no fault" in said and "pai-v1" in said
    in_shards = {one.text["id"]: (one.split, len(one.videos[0])) for one in stored(tmp_path / "wds")}
    in_files = {
        entry["id"]: (split, 6)
        for split in ("train", "val")
        for entry in entries_of(tmp_path / "out" / f"{split}_llava.json")
    }
    assert in_shards == in_files and len(in_files) == 6
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == [f"{number}.mp4" for number in range(4)]
    assert "read back: no fault" in (tmp_path / "out" / "export_log.txt").read_text()
    assert run(*arguments) == 0  # complete already
    assert run(data, "--status", "any", "--output", tmp_path / "out", "--shards", tmp_path / "wds") == 1
    told = capsys.readouterr().err
    assert "its shards are not" in told and "--shards takes another folder" in told
    assert run(data, "--status", "any", "--output", tmp_path / "out", "--shards", tmp_path / "wds", "--restart") == 0
    assert len(stored(tmp_path / "wds")) == 8


def test_accepted_samples_of_finished_shards_are_exported_with_their_media(tmp_path):
    root = image_dataset(tmp_path / "data", 3)
    assert run_shard(root) == 0
    with open_review(root / "wds") as review:
        review.wait()
        review.decide([0, 2], "accept")
    assert run(root / "wds", "--template", "qwen-finetune", "--output", tmp_path / "out") == 0
    entries = entries_of(tmp_path / "out" / "train_qwen-finetune.json")
    assert len(entries) == 2
    stored_images = {one.text["id"]: one.images[0] for one in stored(root / "wds")}
    for entry in entries:
        assert (tmp_path / "out" / entry["image"]).read_bytes() == stored_images[entry["id"]]


def test_nothing_accepted_is_one_line_that_says_what_to_do(tmp_path, capsys):
    source = write_json(tmp_path / "train.json", [{"conversations": chat("Q?")}])
    assert run(source, "--template", "all", "--output", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert "no entry is accepted (pending 1)" in said and "mm2energon studio" in said
    assert not (tmp_path / "out").exists()


def test_statistics_are_shown_and_written_and_nothing_else_is(data, tmp_path, capsys):
    numbers, page = tmp_path / "numbers.json", tmp_path / "page.html"
    before = data.read_bytes()
    assert run(data, "--statistics", "-", "--statistics", numbers, "--statistics", page) == 0
    said = capsys.readouterr().out
    assert "annotations.csv: 8 entries" in said and "accepted  6" in said
    found = json.loads(numbers.read_text())
    assert found["status"] == {"pending": 1, "accepted": 6, "rejected": 1, "disputed": 0}
    assert "<svg" in page.read_text() and data.read_bytes() == before
    assert run(data, "--statistics", data) == 1
    assert "ends in .json or .html" in capsys.readouterr().err
    theirs = write_json(tmp_path / "theirs.json", {})
    assert run(data, "--statistics", theirs) == 1 and theirs.read_text() == "{}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--template", "all"], "--output DIR"),
        (["--template", "qwen", "--output", "out"], "no such template"),
        (["--train-split", "0", "--output", "out"], "one of them above 0"),
        (["--val-split", "-1", "--output", "out"], "shares of 0 or more"),
        (["--output", "annotations.csv"], "is no folder"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_written(data, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(data.parent)
    before = sorted(path.name for path in data.parent.iterdir() if path.name != ".mm2energon")
    assert run("annotations.csv", *arguments) == 1
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in data.parent.iterdir() if path.name != ".mm2energon") == before
