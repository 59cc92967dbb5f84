"""The command line: what is wrong is said in one line, and nothing heavy is imported to say it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from media import write_clip
from mm2energon import cli
from mm2energon.commands import COMMANDS
from pipeline.making import (
    chat,
    image_dataset,
    image_entry,
    run_shard,
    text_entry,
    write_images,
    write_json,
)
from pipeline.test_archives import write_tar

TOOLKITS = Path(cli.__file__).parents[1]
HEAVY = ("numpy", "PIL", "av", "torch", "cv2", "megatron", "ijson", "orjson", "yaml", "tqdm", "webdataset", "pebble")


def run(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(TOOLKITS), **options.pop("env", {})}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **options)


@pytest.mark.parametrize("arguments", ["['--help']", "['--version']", "[]", "['nonsense']"])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom mm2energon import cli\n"
        f"try:\n    cli.main({arguments})\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    assert run("-c", code).stderr.splitlines()[-1] == "[]"


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert exit.value.code == 0 and all(re.search(rf"^ +{name}\b", out, re.M) for name in COMMANDS)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_a_help_whose_options_are_all_explained(command, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main([command, "--help"])
    assert exit.value.code == 0 and f"usage: mm2energon {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("shard", "--nonsense"), ("shard", "--workers", "0")])
def test_a_wrong_command_line_exits_2(arguments):
    with pytest.raises(SystemExit) as exit:
        cli.main(arguments)
    assert exit.value.code == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--json", "gone.json"), "gone.json: no such file"),
        (("--dataset-root", "gone"), "gone: no such folder"),
        (("--train-split", -1), "--train-split -1"),
        (("--train-split", "nan"), "--train-split nan"),
        (("--train-split", "inf"), "--train-split inf"),
        (("--train-split", 0, "--val-split", 0), "one of them above 0"),
        (("--output", "/dev/null/wds"), "--output /dev/null/wds"),
        (("--default-fps", 0), "--default-fps 0"),
        (("--time-interval", 0), "interval"),
        (("--fps", -1), "fps"),
    ],
)
def test_what_makes_a_run_impossible_is_one_line_on_stderr(tmp_path, monkeypatch, capsys, options, said):
    monkeypatch.chdir(image_dataset(tmp_path, 2))
    assert cli.main(["shard", *map(str, options)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("error: ") and shown.err.count("\n") == 1 and said in shown.err
    assert not (tmp_path / "wds").exists() or not list((tmp_path / "wds").iterdir())


def test_control_characters_of_a_file_name_do_not_reach_the_terminal(tmp_path, capsys):
    root = tmp_path / "\x1b[31m\nred"
    assert cli.main(["shard", "--dataset-root", str(root)]) == 1
    error = capsys.readouterr().err
    assert "\x1b" not in error and error.count("\n") == 1
    image_dataset(root, 2)
    assert run_shard(root) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("entries", "status"),
    [([0, 1], 0), ([0, "bad"], 3), (["bad"], 1)],
)
def test_the_exit_status_says_whether_all_some_or_nothing_was_written(tmp_path, entries, status):
    write_images(tmp_path, 2)
    write_json(
        tmp_path / "dataset.json",
        [text_entry(one) if isinstance(one, int) else image_entry("x.jpg") for one in entries],
    )
    assert run_shard(tmp_path) == status
    assert run_shard(tmp_path, "--allow-set-aside") == (1 if status == 1 else 0)


def test_the_numbers_of_a_summary_stand_in_one_column(tmp_path, capsys):
    names = write_images(tmp_path, 3)
    write_json(tmp_path / "dataset.json", [*(image_entry(name) for name in names), image_entry("gone.jpg")])
    run_shard(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    numbers = [line for line in lines if line.startswith(("read ", "written ", "set aside "))]
    assert [line[:19] for line in numbers] == ["read              4", "written           3", "set aside         1"]
    assert numbers[1].endswith("(train 2, val 1)") and numbers[2].endswith("(missing-media 1)")


def test_nothing_is_written_to_stderr_when_it_is_no_terminal(tmp_path):
    root = image_dataset(tmp_path, 6)
    done = run("-m", "mm2energon", "shard", "--dataset-root", str(root), "--max-samples-per-tar", "2", "--workers", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\r" not in done.stdout


def test_a_reader_that_stops_listening_is_no_error(tmp_path):
    root = image_dataset(tmp_path, 2)
    run_shard(root)
    command = f"{sys.executable} -m mm2energon info {root / 'wds'} | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TOOLKITS)},
        check=False,
    )
    assert done.stderr == ""


def test_a_missing_extra_is_one_line_that_says_how_to_install_it(tmp_path):
    root = image_dataset(tmp_path, 2)
    run_shard(root)
    code = (
        "import sys\nsys.modules['megatron.energon'] = None\nfrom mm2energon import cli\n"
        f"sys.exit(cli.main(['verify', {str(root / 'wds')!r}]))"
    )
    done = run("-c", code)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "pip install 'mm2energon[energon]'" in done.stderr


def test_a_name_that_the_terminal_cannot_show_is_no_error(tmp_path):
    root = image_dataset(tmp_path / "Bilder ä 視", 2)
    for arguments in (("shard", "--dataset-root", root), ("info", root / "none")):
        done = run("-m", "mm2energon", *map(str, arguments), env={"PYTHONIOENCODING": "ascii"})
        assert "Traceback" not in done.stderr and "Bilder \\xe4 \\u8996" in done.stdout + done.stderr


@pytest.mark.parametrize(("sent", "status", "said"), [(signal.SIGTERM, 143, "stopped"), (signal.SIGINT, 130, "interr")])
@pytest.mark.parametrize("to_group", [False, True])
def test_a_run_that_is_told_to_stop_leaves_no_worker_and_says_how_to_go_on(tmp_path, sent, status, said, to_group):
    clip = write_clip(tmp_path / "v0.mp4", frames=500, rate=25)
    for number in range(1, 40):
        os.link(clip, tmp_path / f"v{number}.mp4")
    write_json(tmp_path / "a.json", [{"video": f"v{number}.mp4", "conversations": chat()} for number in range(40)])
    options = ["--dataset-root", str(tmp_path), "--workers", "2", "--time-interval", "0.04"]
    command = [sys.executable, "-m", "mm2energon", "frames", *options]
    environment = {**os.environ, "PYTHONPATH": str(TOOLKITS)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while process.poll() is None and not (tmp_path / "v0.json").exists():
        time.sleep(0.01)
    (os.killpg if to_group else os.kill)(process.pid, sent)
    _, error = process.communicate(timeout=60)  # returns when no worker holds the other end any more
    assert (process.returncode, error.count("\n")) == (status, 1)
    assert error.startswith(said) and "run the same command again" in error
    assert not (tmp_path / "dataset.json").exists()


def test_a_full_disk_is_one_line_that_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def fail(*_arguments, **_options):
        raise OSError(28, "No space left on device", str(tmp_path / ".ab12.mm2energon-tmp"))

    write_json(tmp_path / "a.json", [text_entry()])
    monkeypatch.setattr("mm2energon.pipeline.frames.unpack_all", fail)
    assert cli.main(["frames", "--dataset-root", str(tmp_path), "--workers", "1"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: No space left on device; make room, and run")


def test_a_summary_names_what_an_archive_had_refused_in_every_run(tmp_path, capsys):
    write_tar(tmp_path / "v.tar.gz", [(f"../{number}.mp4", b"x") for number in range(23)])
    write_json(tmp_path / "a.json", [text_entry()])
    for said in ("0 files unpacked, 23 refused", "unpacked before, 23 refused"):
        assert cli.main(["frames", "--dataset-root", str(tmp_path), "--workers", "1"]) == 0
        out = capsys.readouterr().out
        assert said in out and out.count("    refused ") == 20 and "... 23 in all" in out


def test_files_that_are_passed_over_are_named_with_the_reason(tmp_path, capsys):
    write_json(tmp_path / "a.json", [text_entry()])
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/u.json").write_text("[1]", encoding="utf-16")
    (tmp_path / "broken.json").write_text('{"learning_rate": ')
    run = ["frames", "--dataset-root", str(tmp_path), "--workers", "1", "--allow-set-aside"]
    assert cli.main(run) == 3  # nobody knows what it holds
    assert "  passed over sub/u.json: UTF-16" in capsys.readouterr().out
    assert json.loads((tmp_path / "report.json").read_text())["files_not_read"] == ["sub/u.json"]
    (tmp_path / "sub/u.json").unlink()
    assert cli.main(run) == 0
    assert "  passed over broken.json: is not valid JSON" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["doctor", "s3://bucket/wds"], ["repair", "wds", "--output", "s3://bucket/wds"]])
def test_a_url_where_only_paths_are_taken_is_refused_as_it_was_written(capsys, words):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2 and "s3://bucket/wds: lies in an object store" in capsys.readouterr().err


def test_a_name_that_begins_with_a_dash_follows_two_dashes(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-talk.mp4").touch()
    assert cli.main(["transcribe", "--list-tracks", "--", "-talk.mp4"]) == 1
    assert "-talk.mp4: " in capsys.readouterr().out
