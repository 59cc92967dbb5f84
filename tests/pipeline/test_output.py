"""The output of shard: a cut-off run is completed, a finished one is left alone, another's is never touched."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mm2energon import cli
from mm2energon.pipeline import finalize as finalize_module
from mm2energon.pipeline import run as run_module
from mm2energon.pipeline import shard as shard_module
from PIL import Image

from pipeline.making import (
    image_dataset,
    image_entry,
    run_shard,
    set_aside,
    stored,
    text_entry,
    tree_bytes,
    tree_times,
    write_images,
    write_json,
)

TOOLKITS = Path(cli.__file__).parents[1]


@pytest.fixture
def undisturbed(tmp_path):
    """A dataset, and what one worker writes of it in one go."""
    root = image_dataset(tmp_path / "data", 30)
    assert run_shard(root, "--max-samples-per-tar", 2, "--output", tmp_path / "whole") == 0
    return root, tree_bytes(tmp_path / "whole")


def test_two_workers_write_the_same_bytes_as_one(undisturbed, tmp_path, monkeypatch):
    root, expected = undisturbed
    monkeypatch.setattr(shard_module, "BYTES_OF_A_WORKER", 1)
    assert run_shard(root, "--max-samples-per-tar", 2, "--output", tmp_path / "two", "--workers", 2) == 0
    assert tree_bytes(tmp_path / "two") == expected


def test_the_bytes_do_not_depend_on_where_the_dataset_lies(undisturbed, tmp_path):
    root, expected = undisturbed
    moved = root.rename(tmp_path / "elsewhere")
    assert run_shard(moved, "--max-samples-per-tar", 2, "--output", tmp_path / "again") == 0
    assert tree_bytes(tmp_path / "again") == expected


def test_a_killed_run_is_completed_to_the_same_bytes(undisturbed, tmp_path):
    root, expected = undisturbed
    output = tmp_path / "killed"
    options = ["--dataset-root", root, "--max-samples-per-tar", 2, "--output", output, "--workers", 2]
    with_workers = (
        "import sys; from mm2energon import cli; from mm2energon.pipeline import shard\n"
        "shard.BYTES_OF_A_WORKER = 1\n"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", with_workers, "shard", *map(str, options)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(TOOLKITS)}, start_new_session=True)
    done = output / ".mm2energon/shard/plan/done"
    while not list(done.glob("*.json")) and process.poll() is None:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (output / ".nv-meta").exists()
    (output / ".left.mm2energon-tmp").write_bytes(b"half a shard")
    kept = tree_times(output)
    assert cli.main(list(map(str, ["shard", *options]))) == 0
    assert tree_bytes(output) == expected
    whole = [path.stem for path in map(Path, kept) if path.parent.name == "done" and path.suffix == ".json"]
    assert whole and sum(kept.get(name) == at for name, at in tree_times(output).items() if name.endswith(".tar")) >= 1


@pytest.mark.parametrize("when", ["first shard", "last shard", "finalize", "after finalize"])
def test_a_run_that_stops_anywhere_is_completed_to_the_same_bytes(undisturbed, tmp_path, monkeypatch, when):
    root, expected = undisturbed
    output = tmp_path / "stopped"
    options = ("--max-samples-per-tar", 2, "--output", output)
    with monkeypatch.context() as patch:
        _stop(patch, when)
        assert run_shard(root, *options) == 1
    assert (output / ".nv-meta").exists() == (when == "after finalize")
    assert run_shard(root, *options) == 0
    assert tree_bytes(output) == expected


@pytest.mark.parametrize("lost", ["train-shard-000002.tar", "train-shard-000002.tar.idx"])
def test_a_shard_that_an_unfinished_run_lost_is_written_again(undisturbed, tmp_path, monkeypatch, lost):
    root, expected = undisturbed
    output = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        _stop(patch, "last shard")
        run_shard(root, "--max-samples-per-tar", 2, "--output", output)
    (output / lost).unlink()
    assert run_shard(root, "--max-samples-per-tar", 2, "--output", output) == 0
    assert tree_bytes(output) == expected


def _stop(patch, when):
    """Let the disk fail at that point."""

    def fail(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    if when == "finalize":
        patch.setattr(finalize_module, "write_metadata", fail)
    elif when == "after finalize":
        patch.setattr(shard_module, "remove_state", fail)
    else:
        write = run_module._write
        number = 0 if when == "first shard" else 14

        def write_or_fail(task, *arguments):
            return fail() if task.number == number else write(task, *arguments)

        patch.setattr(run_module, "_write", write_or_fail)


def test_nothing_but_the_dataset_is_left(undisturbed):
    _, expected = undisturbed
    tars = {f"{split}-shard-{n:06d}.tar" for split, count in (("train", 14), ("val", 2)) for n in range(count)}
    assert {name for name in expected if not name.startswith(".nv-meta")} == {
        *tars,
        *(f"{tar}.idx" for tar in tars),
        "report.json",
    }


def test_a_second_run_of_a_finished_one_changes_no_file_and_says_so(tmp_path, capsys):
    root = image_dataset(tmp_path, 6)
    write_json(root / "dataset.json", [image_entry("p0.jpg"), image_entry("gone.jpg"), text_entry()])
    assert run_shard(root) == 3
    first, times = capsys.readouterr().out, tree_times(root)
    assert run_shard(root) == 3
    second = capsys.readouterr().out
    assert tree_times(root) == times
    assert "was complete already, nothing was written" in second
    assert [line for line in first.splitlines() if line.startswith(("read", "written", "set"))] == [
        line for line in second.splitlines() if line.startswith(("read", "written", "set"))
    ]


def test_samples_lost_at_the_last_moment_are_accounted_for_in_every_run(tmp_path, monkeypatch, capsys):
    """A picture that is gone after the plan was made, and back at the second run."""
    names = write_images(tmp_path, 3)
    write_json(tmp_path / "dataset.json", [image_entry(name) for name in names])
    run = shard_module._run

    def lose_a_picture(*arguments):
        (tmp_path / "p1.jpg").rename(tmp_path / "kept.jpg")
        run(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(shard_module, "_run", lose_a_picture)
        assert run_shard(tmp_path) == 3
    (tmp_path / "kept.jpg").rename(tmp_path / "p1.jpg")
    for _ in range(2):
        assert [(line["origin"], line["reason"]) for line in set_aside(tmp_path / "wds")] == [
            ("dataset.json[1]", "missing-media")
        ]
        assert len(stored(tmp_path / "wds")) == 2
        assert re.search(r"^written +2 ", capsys.readouterr().out, re.M)
        assert run_shard(tmp_path) == 3


def test_a_shard_that_vanished_is_written_again(undisturbed, tmp_path):
    root, expected = undisturbed
    output = tmp_path / "whole"
    (output / "train-shard-000003.tar").unlink()
    assert run_shard(root, "--max-samples-per-tar", 2, "--output", output) == 0
    assert tree_bytes(output) == expected


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--max-samples-per-tar", 3), "--max-samples-per-tar (was 2, is 3)"),
        (("--train-split", 8), "--train-split, --val-split, --test-split (was 9:1:0, is 8:1:0)"),
        (("--target", "bridge"), "--target (was pai-v1, is bridge)"),
        (("--seed", 7), "--seed (was 42, is 7)"),
        (("--default-fps", 7), "--default-fps (was not given, is 7.0)"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_other_options_are_refused_by_name_until_restarted(
    undisturbed, tmp_path, monkeypatch, capsys, options, named, finished
):
    root, _ = undisturbed
    common = ("--max-samples-per-tar", 2, "--output", tmp_path / "out")
    with monkeypatch.context() as patch:
        if not finished:
            _stop(patch, "last shard")
        run_shard(root, *common)
    before = tree_bytes(tmp_path / "out")
    assert run_shard(root, *common, *options) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert named in message and "--restart" in message
    assert tree_bytes(tmp_path / "out") == before
    assert run_shard(root, *common, *options, "--restart") == 0
    assert len(stored(tmp_path / "out")) == 30 and not (tmp_path / "out/.mm2energon").exists()


def test_the_defaults_written_out_are_the_defaults(tmp_path, capsys):
    root = image_dataset(tmp_path, 4)
    assert run_shard(root) == 0
    assert run_shard(root, "--train-split", "9", "--val-split", "1", "--test-split", "0") == 0
    assert "nothing was written" in capsys.readouterr().out


def test_a_set_aside_file_of_the_user_in_the_output_stays(tmp_path):
    root = image_dataset(tmp_path, 2)
    (root / "wds").mkdir()
    (root / "wds/set_aside.jsonl").write_text("mine")
    write_json(root / "dataset.json", [image_entry("p0.jpg"), image_entry("gone.jpg")])
    for options in ((), ("--restart",)):
        assert run_shard(root, *options) == 3
        assert (root / "wds/set_aside.jsonl").read_text() == "mine"
        assert len((root / "wds/set_aside.wds.jsonl").read_text().splitlines()) == 1


def test_other_annotations_are_refused_until_restarted(tmp_path, capsys):
    root = image_dataset(tmp_path, 4)
    assert run_shard(root) == 0
    write_json(root / "dataset.json", [image_entry("p0.jpg"), text_entry()])
    assert run_shard(root) == 1
    assert "changed: the annotations, the media, or which" in capsys.readouterr().err
    assert run_shard(root, "--restart") == 0
    assert len(stored(root / "wds")) == 2


@pytest.mark.parametrize("restart", [(), ("--restart",)])
@pytest.mark.parametrize("foreign", [".nv-meta/dataset.yaml", "train-shard-000000.tar", "0.tar"])
def test_a_dataset_of_somebody_else_is_never_touched(tmp_path, capsys, foreign, restart):
    root = image_dataset(tmp_path, 4)
    path = root / "wds" / foreign
    path.parent.mkdir(parents=True)
    path.write_bytes(b"theirs")
    assert run_shard(root, *restart) == 1
    assert "mm2energon did not write" in capsys.readouterr().err
    assert tree_bytes(root / "wds") == {foreign: b"theirs"}


def test_the_dataset_root_is_no_output(tmp_path, capsys):
    root = image_dataset(tmp_path, 2)
    assert run_shard(root, "--output", root) == 1
    assert "is the dataset root itself" in capsys.readouterr().err


def test_an_output_that_cannot_be_made_is_an_error_before_any_work(tmp_path, capsys):
    root = image_dataset(tmp_path, 2)
    (tmp_path / "file").write_text("")
    assert run_shard(root, "--output", tmp_path / "file" / "wds") == 1
    assert capsys.readouterr().err.startswith("error: --output ")
    assert run_shard(root, "--output", tmp_path / "file") == 1
    assert capsys.readouterr().err.startswith("error: --output ")


def test_two_runs_do_not_write_to_one_folder_at_a_time(tmp_path, capsys):
    import fcntl

    root = image_dataset(tmp_path, 2)
    (root / "wds").mkdir()
    descriptor = os.open(root / "wds", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert run_shard(root) == 1
    assert "another run" in capsys.readouterr().err
    os.close(descriptor)
    assert run_shard(root) == 0


@pytest.mark.parametrize("content", ["[]", "", " \n"])
def test_an_annotation_file_without_entries_is_an_error(tmp_path, capsys, content):
    (tmp_path / "dataset.json").write_text(content)
    assert run_shard(tmp_path) == 1
    assert "holds no entries" in capsys.readouterr().err
    assert tree_bytes(tmp_path / "wds") == {}


def test_entries_that_are_all_bad_are_an_error_with_their_reasons_written(tmp_path, capsys):
    write_json(tmp_path / "dataset.json", [image_entry("gone.jpg"), {"x": 1}])
    assert run_shard(tmp_path) == 1
    error = capsys.readouterr().err
    assert "none of its 2 entries" in error and "missing-media 1" in error and error.count("\n") == 1
    assert [line["reason"] for line in set_aside(tmp_path / "wds")] == ["missing-media", "unknown-format"]
    assert list(tree_bytes(tmp_path / "wds")) == [".mm2energon/outputs.json", "report.json", "set_aside.jsonl"]


def test_an_annotation_file_that_cannot_be_read_leaves_nothing_behind(tmp_path, capsys):
    (tmp_path / "dataset.json").write_text("[]", encoding="utf-16")
    assert run_shard(tmp_path) == 1
    assert "UTF-16" in capsys.readouterr().err
    assert tree_bytes(tmp_path / "wds") == {}
    assert not (tmp_path / "wds/.mm2energon").exists()


@pytest.mark.parametrize("entries", [[], [{"x": 1}]])
def test_restart_takes_nothing_away_before_there_is_something_to_write(tmp_path, capsys, entries):
    root = image_dataset(tmp_path / "data", 6)
    assert run_shard(root) == 0
    before = {name: data for name, data in tree_bytes(root / "wds").items() if "shard-" in name or ".nv-meta" in name}
    write_json(root / "other.json", entries)
    assert run_shard(root, "--json", "other.json", "--restart") == 1
    assert "nothing was written" in capsys.readouterr().err
    after = tree_bytes(root / "wds")
    assert {name: after.get(name) for name in before} == before


def test_what_is_lost_behind_a_break_is_never_allowed(tmp_path):
    text = ", ".join(json.dumps(text_entry(number)) for number in range(3))
    (tmp_path / "dataset.json").write_text(f'[{text}, {{"id" 7}}, {text}]')
    assert run_shard(tmp_path, "--allow-set-aside") == 3
    assert len(stored(tmp_path / "wds")) == 3


def test_a_picture_replaced_by_one_of_the_same_size_is_other_input(tmp_path, capsys):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.bmp")
    write_json(tmp_path / "dataset.json", [image_entry("a.bmp")])
    assert run_shard(tmp_path) == 0
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "a.bmp")
    assert run_shard(tmp_path) == 1
    assert "changed: the annotations, the media, or which" in capsys.readouterr().err
    assert run_shard(tmp_path, "--restart") == 0
    picture = Image.open(io.BytesIO(stored(tmp_path / "wds")[0].images[0]))
    assert picture.convert("RGB").getpixel((0, 0)) == (0, 0, 255)
