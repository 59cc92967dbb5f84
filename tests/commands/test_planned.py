"""Commands whose units are planned, run by any number of tasks, and finalized: with the results of the commands."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from media import write_clip
from mm2energon import cli
from pipeline.making import (
    image_dataset,
    image_entry,
    run_shard,
    set_aside,
    stored,
    text_entry,
    tree_bytes,
    tree_times,
    video_entry,
    write_images,
    write_json,
)

TOOLKITS = Path(__file__).parents[2] / "toolkits"
UNITS_WAIT = 4


def command(*words: object) -> int:
    """A command in this process; its exit status."""
    return cli.main([str(word) for word in words])


def run_tasks(plan: Path, tasks: int, *, seed: int = 0) -> None:
    indexes = list(range(tasks))
    random.Random(seed).shuffle(indexes)
    for index in indexes:
        assert command("run", "--plan", plan, "--index", index, "--of", tasks, "--workers", 1) == 0


def as_array(plan: Path, *words: object, tasks: int = 2) -> int:
    """A command by way of its units; its exit status in the end."""
    status = command("plan", *words, "--plan", plan)
    if status == 0:
        status = UNITS_WAIT
    while status == UNITS_WAIT:
        run_tasks(plan, tasks)
        status = command("finalize", "--plan", plan)
    return status


def results(folder: Path) -> dict[str, bytes]:
    """All that a command left, but for where it lies."""
    found = tree_bytes(folder)
    return {name: data.replace(str(folder).encode(), b"ROOT") for name, data in found.items() if "/." not in f"/{name}"}


def video_dataset(root: Path) -> Path:
    """Videos without frames, one of them none at all, and a picture."""
    (root / "sub").mkdir(parents=True)
    for number, name in enumerate(["a.mp4", "b.mkv", "sub/c.mp4"]):
        write_clip(root / name, frames=20 + 10 * number, first=100 * number)
    (root / "bad.mp4").write_bytes(b"no video")
    names = ["a.mp4", "b.mkv", "sub/c.mp4", "bad.mp4"]
    entries = [video_entry(name, id=f"{name}{number}") for name in names for number in range(2)]
    write_json(root / "data.json", [*entries, image_entry(*write_images(root, 1)), text_entry()])
    return root


def two_of(root: Path) -> tuple[Path, Path]:
    """A dataset and its copy, in a place of its own."""
    return root, shutil.copytree(root, root.parent.with_name("b") / root.name)


def test_frames_by_an_array_are_those_of_the_command_itself(tmp_path):
    ours, theirs = two_of(video_dataset(tmp_path / "a" / "data"))
    assert command("frames", "--dataset-root", ours, "--workers", 2) == 3
    assert as_array(tmp_path / "plan", "frames", "--dataset-root", theirs, tasks=3) == 3
    assert results(theirs) == results(ours)
    reasons = [line["reason"] for line in set_aside(theirs)]
    assert len(reasons) == 2 and len(set(reasons)) == 1


@pytest.mark.parametrize("extract", [(), ("--extract",)], ids=["beside the videos", "packs"])
def test_shards_of_videos_without_frames_take_two_rounds_and_are_those_of_the_command_itself(tmp_path, extract):
    ours, theirs = two_of(video_dataset(tmp_path / "a" / "data"))
    options = ("--json", "data.json", "--max-samples-per-tar", 2, *extract)
    assert run_shard(ours, *options) == 3
    plan = tmp_path / "plan"
    shard = ("shard", "--dataset-root", theirs, *options)
    assert command("plan", *shard, "--plan", plan) == 0
    assert not list((theirs / "wds").glob("*.tar"))
    run_tasks(plan, 3)
    assert command("finalize", "--plan", plan) == UNITS_WAIT
    run_tasks(plan, 2)
    assert command("finalize", "--plan", plan) == 3
    assert results(theirs) == results(ours)
    assert len(set_aside(theirs / "wds")) == 2
    assert sorted(path.name for path in plan.iterdir() if path.is_dir()) == ["0-extract_unit", "1-write_shard"]


def test_the_end_tells_of_the_videos_that_were_extracted_before_it(tmp_path, capsys):
    root = tmp_path / "data"
    root.mkdir()
    whole = write_clip(root / "cut.mkv", frames=150, b_frames=2).read_bytes()
    (root / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    write_json(root / "dataset.json", [video_entry("cut.mkv")])
    assert as_array(tmp_path / "plan", "shard", "--dataset-root", root, "--val-split", 0, "--keep-partial") == 0
    told = capsys.readouterr().out
    assert "1 videos had no frames and were extracted" in told
    assert "1 damaged videos were taken up to the fault:\n    cut.mkv: it has" in told


def test_a_finished_command_that_is_finalized_or_planned_again_changes_nothing_and_says_so(tmp_path, capsys):
    root = image_dataset(tmp_path / "data", 5)
    words = ("shard", "--dataset-root", root, "--max-samples-per-tar", 2)
    assert as_array(tmp_path / "plan", *words) == 0
    before = tree_times(root)
    for again in (("finalize",), ("plan", *words)):
        capsys.readouterr()
        assert command(*again, "--plan", tmp_path / "plan") == 0
        assert "was complete already" in capsys.readouterr().out
    assert tree_times(root) == before


def test_finalize_refuses_while_units_are_missing_and_names_them_and_their_tasks(tmp_path, capsys):
    root = image_dataset(tmp_path / "data", 18)
    plan = tmp_path / "plan"
    options = ("--train-split", 1, "--val-split", 0, "--max-samples-per-tar", 2)
    assert command("plan", "shard", "--dataset-root", root, *options, "--plan", plan) == 0
    assert "9 units of mm2energon shard wait" in capsys.readouterr().out
    assert command("finalize", "--plan", plan) == 1
    assert "9 of 9 units were not run (0-8): no task has begun" in capsys.readouterr().err
    for index in (0, 2):
        assert command("run", "--plan", plan, "--index", index, "--of", 4, "--workers", 1) == 0
    capsys.readouterr()
    assert command("finalize", "--plan", plan) == 1
    told = capsys.readouterr().err
    assert "4 of 9 units were not run (1,3,5,7): they belong to the tasks 1,3 of 4" in told
    assert f"mm2energon run --plan {plan} --index I --of 4" in told
    assert not (root / "wds" / ".nv-meta").exists()
    assert command("plan", "shard", "--dataset-root", root, *options, "--plan", plan) == 0
    assert "4 of 9 units of mm2energon shard wait" in capsys.readouterr().out
    run_tasks(plan, 1)
    assert command("finalize", "--plan", plan) == 0
    assert len(stored(root / "wds")) == 18


def test_tasks_that_are_killed_are_run_again_and_the_bytes_are_those_of_an_undisturbed_run(tmp_path):
    ours, theirs = two_of(video_dataset(tmp_path / "a" / "data"))
    assert command("frames", "--dataset-root", ours) == 3
    plan = tmp_path / "plan"
    assert command("plan", "frames", "--dataset-root", theirs, "--plan", plan) == 0
    words = [sys.executable, "-m", "mm2energon", "run", "--plan", str(plan), "--index", "0", "--of", "1"]
    environment = {**os.environ, "PYTHONPATH": str(TOOLKITS)}
    for moment in (0.0, 0.3, 0.6):
        task = subprocess.Popen([*words, "--workers", "1"], env=environment, stderr=subprocess.DEVNULL)
        started = time.monotonic()
        while not list(plan.glob("0-*/done/*")) and task.poll() is None and time.monotonic() < started + 60:
            time.sleep(0.02)
        time.sleep(moment)
        task.kill()
        assert task.wait() in (-signal.SIGKILL, 0)
    twice = [subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [task.wait() for task in twice] == [0, 0]
    assert command("finalize", "--plan", plan) == 3
    assert results(theirs) == results(ours)
    assert not [path for path in theirs.rglob(".*") if path.name != ".mm2energon"]


def test_input_that_changes_before_the_end_is_refused(tmp_path, capsys):
    root = image_dataset(tmp_path / "data", 6)
    plan = tmp_path / "plan"
    assert command("plan", "shard", "--dataset-root", root, "--plan", plan) == 0
    run_tasks(plan, 2)
    text = (root / "dataset.json").read_text()
    os.utime(root / "dataset.json", (1, 1))
    capsys.readouterr()
    assert command("finalize", "--plan", plan) == 1
    assert "dataset.json: has changed since the plan was made" in capsys.readouterr().err
    assert not (root / "wds" / ".nv-meta").exists()
    (root / "dataset.json").write_text(text.replace("p1.jpg", "p2.jpg"))
    assert command("finalize", "--plan", plan) == 1
    assert as_array(tmp_path / "new", "shard", "--dataset-root", root, "--restart") == 0
    assert len(stored(root / "wds")) == 6


def test_several_annotation_files_are_planned_by_several_workers_and_none_may_join_before_the_end(tmp_path, capsys):
    ours, theirs = two_of(image_dataset(tmp_path / "a" / "data", 6))
    for root in (ours, theirs):
        entries = json.loads((root / "dataset.json").read_text())
        write_json(root / "parts" / "1.json", entries[:3])
        write_json(root / "parts" / "2.json", entries[3:])
    assert run_shard(ours, "--json", "parts") == 0
    plan = tmp_path / "plan"
    words = ("shard", "--dataset-root", theirs, "--json", "parts", "--workers", 2)
    assert command("plan", *words, "--plan", plan) == 0
    run_tasks(plan, 2)
    write_json(theirs / "parts" / "3.json", [text_entry()])
    capsys.readouterr()
    assert command("finalize", "--plan", plan) == 1
    assert "3.json: has changed since the plan was made" in capsys.readouterr().err
    (theirs / "parts" / "3.json").unlink()
    assert command("finalize", "--plan", plan) == 0
    assert results(theirs / "wds") == results(ours / "wds")


def test_videos_that_change_before_the_end_are_refused(tmp_path, capsys):
    root = video_dataset(tmp_path / "data")
    plan = tmp_path / "plan"
    assert command("plan", "frames", "--dataset-root", root, "--plan", plan) == 0
    run_tasks(plan, 1)
    write_clip(root / "a.mp4", frames=50, first=7)
    capsys.readouterr()
    assert command("finalize", "--plan", plan) == 1
    assert "not those that were planned" in capsys.readouterr().err
    assert not (root / "dataset.json").exists()


def test_the_end_of_shard_does_not_read_the_input_again(tmp_path, monkeypatch):
    root = image_dataset(tmp_path / "data", 4)
    plan = tmp_path / "plan"
    assert command("plan", "shard", "--dataset-root", root, "--plan", plan) == 0
    run_tasks(plan, 1)

    def unread(*_: object) -> None:
        raise AssertionError("the annotations are read")

    monkeypatch.setattr("mm2energon.pipeline.shard._entries", unread)
    assert command("finalize", "--plan", plan) == 0
    assert len(stored(root / "wds")) == 4


def test_a_picture_that_is_lost_after_the_plan_is_set_aside_at_the_end_with_its_entry(tmp_path):
    root = image_dataset(tmp_path / "data", 6)
    plan = tmp_path / "plan"
    assert command("plan", "shard", "--dataset-root", root, "--plan", plan) == 0
    (root / "p2.jpg").unlink()
    run_tasks(plan, 2)
    assert command("finalize", "--plan", plan) == 3
    [line] = set_aside(root / "wds")
    assert (line["reason"], line["entry"]["id"]) == ("missing-media", "p2") and len(stored(root / "wds")) == 5


def test_what_was_set_aside_when_the_plan_was_made_is_told_at_the_end(tmp_path):
    root = image_dataset(tmp_path / "data", 4)
    write_json(root / "dataset.json", [*json.loads((root / "dataset.json").read_text()), 7, image_entry("gone.jpg")])
    assert as_array(tmp_path / "plan", "shard", "--dataset-root", root) == 3
    assert [line["reason"] for line in set_aside(root / "wds")] == ["not-an-object", "missing-media"]
    report = json.loads((root / "wds" / "report.json").read_text())
    assert report["read"] == 6 == sum(report["written"].values()) + sum(report["set_aside"].values())
    (root / "wds" / "set_aside.jsonl").rename(tmp_path / "left.jsonl")
    write_images(root, 5)
    (root / "p4.jpg").rename(root / "gone.jpg")
    again = ("shard", "--dataset-root", root, "--retry", tmp_path / "left.jsonl", "--output", root / "more")
    assert as_array(tmp_path / "again", *again) == 3
    assert len(stored(root / "more")) == 1


def test_frames_of_entries_that_were_set_aside_join_the_others(tmp_path):
    root = video_dataset(tmp_path / "data")
    assert as_array(tmp_path / "plan", "frames", "--dataset-root", root) == 3
    write_clip(root / "bad.mp4", frames=20)
    again = ("frames", "--dataset-root", root, "--retry", root / "set_aside.jsonl")
    assert as_array(tmp_path / "again", *again) == 0
    assert len(json.loads((root / "dataset.json").read_text())) == 10


def test_restart_removes_what_was_there_when_the_shards_are_planned_and_not_at_the_end(tmp_path):
    root = image_dataset(tmp_path / "data", 4)
    assert run_shard(root) == 0
    options = ("--max-samples-per-tar", 1, "--restart")
    assert as_array(tmp_path / "plan", "shard", "--dataset-root", root, *options) == 0
    assert len(list((root / "wds").glob("*.tar"))) == 4 and len(stored(root / "wds")) == 4


def test_samples_that_cost_too_much_are_set_aside(tmp_path):
    root = image_dataset(tmp_path / "data", 2)
    long = {"conversations": [{"from": "human", "value": "word " * 2000}, {"from": "gpt", "value": "yes"}]}
    write_json(root / "dataset.json", [*json.loads((root / "dataset.json").read_text()), long])
    words = ("shard", "--dataset-root", root, "--model", "qwen2.5-vl", "--max-tokens", 500)
    assert as_array(tmp_path / "plan", *words) == 3
    assert all("tokens" in sample.text for sample in stored(root / "wds")) and len(stored(root / "wds")) == 2


def test_verify_and_report_say_what_they_say_without_an_array(tmp_path, capsys):
    root = image_dataset(tmp_path / "data", 6)
    assert run_shard(root, "--max-samples-per-tar", 2) == 0
    shard = next((root / "wds").glob("train-shard-*1.tar"))
    for words in (("verify", root / "wds", "--skip-energon"), ("report", root / "wds", "--text")):
        capsys.readouterr()
        assert command(*words) == 0
        expected = capsys.readouterr().out
        assert as_array(tmp_path / f"plan-{words[0]}", *words, tasks=1) == 0
        assert capsys.readouterr().out.endswith(expected)
    data = bytearray(shard.read_bytes())
    data[600] ^= 1
    shard.write_bytes(data)
    assert command("verify", root / "wds", "--skip-energon") == 1
    expected = capsys.readouterr().out
    assert as_array(tmp_path / "faulty", "verify", root / "wds", "--skip-energon", tasks=1) == 1
    assert capsys.readouterr().out.endswith(expected)


def test_folders_with_spaces_relative_paths_and_other_working_folders(tmp_path, monkeypatch, capsys):
    image_dataset(tmp_path / "my data", 4)
    (tmp_path / "else where").mkdir()
    monkeypatch.chdir(tmp_path / "my data")
    words = ("plan", "shard", "--dataset-root", ".", "--output", "../my shards", "--plan", "../my plan")
    assert command(*words) == 0
    told = capsys.readouterr().out
    assert f"--plan '{tmp_path / 'my plan'}'" in told and ".." not in told
    monkeypatch.chdir(tmp_path / "else where")
    run_tasks(Path("../my plan"), 2)
    assert command("finalize", "--plan", "../my plan") == 0
    told = capsys.readouterr().out
    assert str(tmp_path / "my shards") in told and ".." not in told
    assert len(stored(tmp_path / "my shards")) == 4
    assert Path.cwd() == tmp_path / "else where"


def test_a_folder_that_is_gone_is_named_at_the_end(tmp_path, monkeypatch, capsys):
    image_dataset(tmp_path / "data", 2)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert command("plan", "shard", "--dataset-root", "../data", "--plan", "../plan") == 0
    run_tasks(tmp_path / "plan", 1)
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path / "here")
    assert command("finalize", "--plan", "plan") == 1
    assert f"{tmp_path / 'here'}: cannot be entered" in capsys.readouterr().err


def test_a_command_without_any_unit_comes_to_its_end_at_once(tmp_path, capsys):
    root = tmp_path / "data"
    write_json(root / "data.json", [text_entry(1), text_entry(2)])
    plan = tmp_path / "plan"
    assert command("plan", "frames", "--dataset-root", root, "--no-frames", "--plan", plan) == 0
    assert len(json.loads((root / "dataset.json").read_text())) == 2
    run_tasks(plan, 2)
    assert "there were no units to run" in capsys.readouterr().out
    assert command("finalize", "--plan", plan) == 0
    assert as_array(tmp_path / "other", "frames", "--dataset-root", root) == 0


def test_a_folder_is_for_one_command(tmp_path, capsys):
    root = image_dataset(tmp_path / "data", 2)
    plan = tmp_path / "plan"
    assert command("plan", "shard", "--dataset-root", root, "--plan", plan) == 0
    for other in (("frames", "--dataset-root", root), ("shard", "--dataset-root", root, "--seed", 7)):
        capsys.readouterr()
        assert command("plan", *other, "--plan", plan) == 1
        told = capsys.readouterr().err
        assert f"is that of mm2energon shard --dataset-root {root} (in {Path.cwd()}); another folder" in told
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    assert command("plan", "shard", "--dataset-root", root, "--plan", tmp_path / "full") == 1
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["run", "finalize"])
def test_a_folder_without_a_plan_is_named(tmp_path, capsys, name):
    more = ("--index", 0, "--of", 1) if name == "run" else ()
    assert command(name, "--plan", tmp_path / "none", *more) == 1
    assert f"--plan {tmp_path / 'none'}: holds no plan; mm2energon plan COMMAND" in capsys.readouterr().err


def test_another_version_is_refused_everywhere(tmp_path, capsys, monkeypatch):
    root = image_dataset(tmp_path / "data", 2)
    plan = tmp_path / "plan"
    words = ("plan", "shard", "--dataset-root", root, "--plan", plan)
    assert command(*words) == 0
    monkeypatch.setattr("mm2energon.__version__", "99.0")
    for again in (words, ("run", "--plan", plan, "--index", 0, "--of", 1), ("finalize", "--plan", plan)):
        capsys.readouterr()
        assert command(*again) == 1
        assert "this is 99.0; the same version was expected on every machine" in capsys.readouterr().err


def test_a_folder_is_free_again_when_a_command_came_to_nothing_in_it(tmp_path, capsys):
    root, plan = image_dataset(tmp_path / "data", 2), tmp_path / "plan"
    assert command("plan", "shard", "--dataset-root", tmp_path / "mistyped", "--plan", plan) == 1
    assert as_array(plan, "shard", "--dataset-root", root, "--val-split", 0) == 0


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("command.json", lambda path: path.write_bytes(b"")),
        ("command.json", lambda path: path.write_bytes(b"{}")),
        ("0-write_shard/step.json", lambda path: path.write_bytes(b"[]")),
        (
            "0-write_shard/step.json",
            lambda path: path.write_bytes(path.read_bytes().replace(b"write_shard", b"system")),
        ),
        ("0-write_shard/units.jsonl", lambda path: path.write_bytes(path.read_bytes()[:-9])),
        ("0-write_shard/units.places", lambda path: path.write_bytes(path.read_bytes()[:-9])),
    ],
)
def test_a_plan_that_is_damaged_is_told_where(tmp_path, capsys, name, spoil):
    root, plan = image_dataset(tmp_path / "data", 4), tmp_path / "plan"
    words = ("shard", "--dataset-root", root, "--max-samples-per-tar", 1, "--val-split", 0)
    assert command("plan", *words, "--plan", plan) == 0
    spoil(plan / name)
    status = command("run", "--plan", plan, "--index", 0, "--of", 1, "--workers", 1)
    if status == 0:
        status = command("finalize", "--plan", plan)
    assert status == 1 and f"{plan / name}: is damaged (" in capsys.readouterr().err
    assert as_array(tmp_path / "another", *words) == 0


def test_a_plan_in_an_object_store_is_refused(tmp_path, capsys):
    for url in ("s3://bucket/plan", "msc://profile/plan", "file:/x"):
        with pytest.raises(SystemExit) as stop:
            command("plan", "shard", "--plan", url)
        assert stop.value.code == 2
        assert "lies in an object store" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            command("shard", "--executor", "slurm", "--plan", url)


def test_a_shard_that_is_lost_before_the_end_is_told_and_another_plan_makes_up_for_it(tmp_path, capsys):
    words = ("shard", "--dataset-root", image_dataset(tmp_path / "data", 6), "--max-samples-per-tar", 2)
    assert command(*words, "--output", tmp_path / "ours", "--workers", 1) == 0
    assert command("plan", *words, "--output", tmp_path / "out", "--plan", tmp_path / "plan") == 0
    run_tasks(tmp_path / "plan", 2)
    (tmp_path / "out" / "train-shard-000001.tar").unlink()
    kept = tree_times(tmp_path / "out")["train-shard-000000.tar"]
    for _ in range(2):
        assert command("finalize", "--plan", tmp_path / "plan") == 1
        assert "is not there as it was written; " in capsys.readouterr().err
        assert not (tmp_path / "out" / ".nv-meta").exists()
    assert as_array(tmp_path / "again", *words, "--output", tmp_path / "out") == 0
    assert stored(tmp_path / "out") == stored(tmp_path / "ours")
    assert tree_times(tmp_path / "out")["train-shard-000000.tar"] == kept


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("run", "--plan", "p", "--index", 3, "--of", 3), "a task from 0 to 2 was expected"),
        (("plan", "shard"), "--plan: is missing"),
        (("plan", "--plan", "p", "shard", "--executor", "ray"), "leave it out"),
    ],
)
def test_options_that_cannot_be_are_told(tmp_path, monkeypatch, capsys, words, what):
    monkeypatch.chdir(tmp_path)
    assert command(*words) == 1
    assert what in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("index", ["-1", "x", ""])
def test_a_task_counts_from_0(tmp_path, capsys, index):
    with pytest.raises(SystemExit):
        command("run", "--plan", tmp_path, f"--index={index}", "--of", 1)
    assert "no whole number from 0 up" in capsys.readouterr().err


def test_help_tells_of_the_planned_command(capsys):
    with pytest.raises(SystemExit) as stop:
        command("plan", "shard", "--help")
    assert stop.value.code == 0 and "--max-samples-per-tar" in capsys.readouterr().out
