"""The scripts of a checkout: run by path from any folder, with the flags of old, they are the commands."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from media import write_clip
from mm2energon import cli
from mm2energon.commands import COMMANDS
from pipeline.making import chat, image_dataset, image_entry, stored, tree_bytes, write_images, write_json

TOOLKITS = Path(cli.__file__).parents[1]
FRAMES, NORMALIZE, SHARD, VERIFY = (
    TOOLKITS / COMMANDS[name].script for name in ("frames", "normalize", "shard", "verify")
)


def run(script, *options, folder):
    """A script in a fresh process that knows nothing of the package but where the script lies."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(script), *map(str, options)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def videos(tmp_path):
    """A split folder with annotations and a clip of three seconds."""
    write_clip(tmp_path / "v.mp4", frames=31, rate=10)
    entries = [{"id": n, "video": "v.mp4", "conversations": chat("<image>\nq")} for n in range(2)]
    write_json(tmp_path / "qa.json", entries)
    write_json(tmp_path / "more.json", [image_entry(name) for name in write_images(tmp_path, 2)])
    return tmp_path


def test_every_command_has_its_script_and_every_script_its_command():
    scripts = {path.relative_to(TOOLKITS).as_posix() for path in TOOLKITS.glob("*_preprocessing/*.py")}
    assert scripts == {command.script for command in COMMANDS.values()}


def test_the_two_commands_run_as_they_stand_inside_a_dataset_folder(videos):
    first = run(FRAMES, folder=videos)
    assert (first.returncode, first.stderr) == (0, "")
    second = run(SHARD, folder=videos)
    assert (second.returncode, second.stderr) == (0, "")
    assert sorted(len(sample.videos) for sample in stored(videos / "wds")) == [0, 0, 1, 1]
    checked = run(VERIFY, "--skip-energon", folder=videos)
    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "no fault")
    for done, script in ((first, SHARD), (second, VERIFY)):
        named = next(line for line in done.stdout.splitlines() if script.name in line)
        assert (videos / named.split("python ")[1].split()[0]).resolve() == script


def test_all_flags_of_the_original_scripts_keep_their_names(videos, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    options = ("--dataset-root", videos, "--time-interval", 0.5, "--output-json", "merged.json", "--skip-extraction")
    assert run(FRAMES, *options, "--video-token", "<image>", folder=elsewhere).returncode == 0
    assert len(list((videos / "v").iterdir())) == 7
    options = ("--dataset-root", videos, "--json", "merged.json", "--max-samples-per-tar", "1e4")
    ratios = ("--train-split", 9, "--val-split", 1, "--test-split", 0)
    done = run(SHARD, *options, *ratios, folder=elsewhere)
    assert done.returncode == 0 and len(stored(videos / "wds")) == 4
    assert list(elsewhere.iterdir()) == []


def test_replace_writes_plural_keys_where_it_is_told(tmp_path):
    write_json(tmp_path / "raw.json", [{"image": "a.jpg", "conversations": chat()}])
    done = run(NORMALIZE, "--input-file", "raw.json", "--output-file", "out/dataset.json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "out/dataset.json").read_text())[0]["images"] == ["a.jpg"]


def test_a_copy_of_the_toolkits_folder_works_in_another_place(tmp_path):
    copy = tmp_path / "other repository" / "toolkits"
    shutil.copytree(TOOLKITS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    root = image_dataset(tmp_path / "data", 4)
    done = run(copy / COMMANDS["shard"].script, folder=root)
    assert done.returncode == 0 and len(stored(root / "wds")) == 4


def test_a_script_and_its_command_write_the_same_bytes(tmp_path):
    root = image_dataset(tmp_path / "data", 6)
    run(SHARD, "--output", tmp_path / "by script", folder=root)
    cli.main(["shard", "--dataset-root", str(root), "--output", str(tmp_path / "by command")])
    assert tree_bytes(tmp_path / "by script") == tree_bytes(tmp_path / "by command") != {}


def test_an_error_of_a_script_is_one_line_that_names_the_next_script(tmp_path):
    done = run(SHARD, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "build_llava_frame_dataset.py" in done.stderr


@pytest.mark.parametrize("command", [row.script for row in COMMANDS.values()])
def test_a_python_without_the_dependencies_is_told_what_to_install(tmp_path, command):
    bare = [sys.executable, "-I", "-S", str(TOOLKITS / command)]  # no site-packages at all
    ran = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ") and ran.stderr.count("\n") == 1
    assert f"run: pip install {TOOLKITS.parent}" in ran.stderr
