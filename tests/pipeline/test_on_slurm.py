"""Slurm: units as a job array, submitted to a stand-in for sbatch that runs the tasks as real processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from math import gcd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media import write_clip
from mm2energon import cli
from mm2energon.pipeline.on_slurm import number_of_tasks

from pipeline.making import image_dataset, run_shard, stored, tree_bytes, tree_times, video_entry, write_json
from pipeline.slurm import asked, install

ROOT = Path(__file__).parents[2]


@pytest.fixture
def log(tmp_path, monkeypatch):
    """What the stand-in is asked; it is on the PATH."""
    folder = install(tmp_path / "slurm bin")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_LOG", str(tmp_path / "slurm.log"))
    return tmp_path / "slurm.log"


def on_slurm(root, plan, *options, command="shard"):
    words = [command, "--dataset-root", root, "--executor", "slurm", "--plan", plan, "--array-tasks", 3, *options]
    return cli.main([str(word) for word in words])


def test_shards_by_an_array_are_those_of_this_machine_and_tasks_that_are_killed_are_made_up_for(
    tmp_path, log, monkeypatch, capfd
):
    root = image_dataset(tmp_path / "data", 9)
    options = ("--max-samples-per-tar", 1, "--val-split", 0)
    assert run_shard(root, *options) == 0
    ours = tree_bytes(root / "wds")
    shutil.rmtree(root / "wds")
    monkeypatch.setenv("SLURM_KILLS", "1")
    assert on_slurm(root, tmp_path / "a plan", *options, "--sbatch-options=--partition=cpu --time=1:00:00") == 1
    told = capfd.readouterr()
    assert "3 of 9 units were not run (1,4,7; sbatch: exit status 9)" in told.err and "to go on" in told.err
    assert "Submitted batch job" in told.err and "Submitted" not in told.out
    assert not (root / "wds" / ".nv-meta").exists()
    assert on_slurm(root, tmp_path / "a plan", *options) == 0
    assert tree_bytes(root / "wds") == ours
    first, second = asked(log)
    assert first[:2] == ["sbatch", "--wait"] and {"--partition=cpu", "--time=1:00:00", "--array=0-2"} < set(first)
    assert "--array=0-1" in second
    assert sorted(path.name for path in (tmp_path / "a plan" / "logs").iterdir()) == [
        "42_0.log",
        "42_1.log",
        "42_2.log",
    ]
    before = tree_times(root)
    assert on_slurm(root, tmp_path / "a plan", *options) == 0
    assert "was complete already" in capfd.readouterr().out and len(asked(log)) == 2 and tree_times(root) == before


def test_videos_without_frames_are_an_array_of_their_own_before_that_of_the_shards(tmp_path, log):
    root = tmp_path / "data"
    root.mkdir()
    write_clip(root / "a.mp4", frames=40)
    (root / "bad.mp4").write_bytes(b"no video")
    write_json(root / "dataset.json", [video_entry("a.mp4"), video_entry("bad.mp4")])
    assert on_slurm(root, tmp_path / "plan", "--extract") == 3
    assert ["--array=0-1" in words for words in asked(log)] == [True, False]
    assert len(stored(root / "wds")) == 1
    assert sorted(path.name for path in (tmp_path / "plan").iterdir()) == ["0-extract_unit", "1-write_shard", "logs"]


def test_a_folder_with_other_files_is_refused(tmp_path, log, capsys):
    root = image_dataset(tmp_path / "data", 2)
    assert on_slurm(root, root) == 1
    assert f"--plan {root}: holds other files (dataset.json); a folder of its own" in capsys.readouterr().err
    assert not asked(log) and not (root / "logs").exists()


def test_ctrl_c_ends_the_array(tmp_path, log):
    root = image_dataset(tmp_path / "data", 2)
    (tmp_path / "slurm bin" / "sbatch").write_text('#!/bin/sh\necho begun >> "$SLURM_LOG.begun"\nexec sleep 60\n')
    words = ["shard", "--dataset-root", str(root), "--executor", "slurm", "--plan", str(tmp_path / "plan")]
    run = subprocess.Popen(
        [sys.executable, "-m", "mm2energon", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "toolkits")},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not Path(f"{log}.begun").exists():
        assert run.poll() is None
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    assert b"interrupted; run the same command again to go on" in run.communicate()[1]
    assert run.returncode == 130
    [cancelled] = asked(log)
    assert cancelled[0] == "scancel" and cancelled[1].startswith("--name=mm2energon-")


def test_without_sbatch_the_way_by_hand_is_told(tmp_path, monkeypatch, capsys):
    root = image_dataset(tmp_path / "data", 2)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert on_slurm(root, tmp_path / "plan") == 1
    assert "sbatch: is not installed here" in capsys.readouterr().err
    assert cli.main(["shard", "--dataset-root", str(root), "--executor", "slurm"]) == 1
    assert "--plan FOLDER was expected beside it" in capsys.readouterr().err


def test_options_of_sbatch_whose_quote_is_not_closed_are_told(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        on_slurm(tmp_path, tmp_path / "plan", "--sbatch-options=--comment='a b")
    assert stop.value.code == 2 and "No closing quotation" in capsys.readouterr().err


@given(st.integers(1, 300), st.lists(st.integers(1, 300), max_size=3))
def test_what_one_lost_task_left_is_shared_by_all_tasks_that_make_up_for_it(most, before):
    tasks = number_of_tasks(most, before)
    assert 1 <= tasks <= most
    if before and tasks > 1 and all(gcd(tasks, other) == 1 for other in before):
        lost = range(0, before[-1] * tasks * 2, before[-1])
        assert {unit % tasks for unit in lost} == set(range(tasks))


def test_the_template_runs_as_an_array_and_again_for_tasks_that_were_lost(tmp_path, log, monkeypatch, capsys):
    root, plan = image_dataset(tmp_path / "data", 6), tmp_path / "a plan"
    template = (ROOT / "examples" / "cluster" / "shard_array.sbatch").read_text()
    for ours, theirs in (
        ('PLAN="/shared/plan"', f'PLAN="{plan}"'),
        ("--array=0-63\n", "--array=0-2\n"),
        ("=64\n", "=3\n"),
    ):
        assert template.count(ours) == 1
        template = template.replace(ours, theirs)
    (tmp_path / "mine.sbatch").write_text(template)
    program = tmp_path / "slurm bin" / "mm2energon"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT}/toolkits exec {sys.executable} -m mm2energon "$@"\n')
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    words = ["--dataset-root", str(root), "--max-samples-per-tar", "1", "--plan", str(plan)]
    assert cli.main(["plan", "shard", *words]) == 0
    monkeypatch.setenv("SLURM_KILLS", "2")
    assert subprocess.run(["sbatch", "--wait", "mine.sbatch"], check=False).returncode == 9
    assert cli.main(["finalize", "--plan", str(plan)]) == 1
    assert "they belong to the tasks 2 of 3" in capsys.readouterr().err
    assert subprocess.run(["sbatch", "--wait", "--array=2", "mine.sbatch"], check=False).returncode == 0
    assert cli.main(["finalize", "--plan", str(plan)]) == 0
    assert len(stored(root / "wds")) == 6


def test_the_template_of_ray_ends_where_the_head_does_not_start(tmp_path):
    for name, told in (("srun", "no such node"), ("ray", "no such command")):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{told}" >&2\nexit 1\n')
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "1", "SLURMD_NODENAME": "a"}
    template = ROOT / "examples" / "cluster" / "ray_on_slurm.sbatch"
    job = subprocess.run(["bash", template], env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert job.returncode == 1 and job.stderr == "no such node\n"
