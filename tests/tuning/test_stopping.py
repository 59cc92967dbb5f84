"""A run that was stopped or killed goes on from its last whole checkpoint, with the losses of one that was not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mm2energon
import pytest
from mm2energon import cli
from mm2energon.tuning.folders import checkpoints
from mm2energon.tuning.status import read_status

from tuning.conftest import command, line, told, write_lines

OPTIONS = ("--steps", 9, "--save-every", 3, "--eval-every", 3, "--dropout", 0.2, "--val-share", 0.2)
TOOLKITS = Path(mm2energon.__file__).parents[1]


@pytest.fixture(scope="module")
def words(videos: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command line, without its end: the output."""
    return [str(word) for word in (*command(videos / "lines.jsonl", base, Path("OUTPUT")), *OPTIONS)]


def into(output: Path, words: list[str]) -> list[str]:
    return [word.replace("OUTPUT", str(output)) for word in words]


@pytest.fixture(scope="module")
def undisturbed(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    assert cli.main(into(output, words)) == 0
    return output


def start(output: Path, words: list[str], *launcher: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(TOOLKITS), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, *launcher, "-m", "mm2energon", *into(output, words)]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_step(output: Path, step: int, process: subprocess.Popen[str]) -> None:
    while not ((output / "metrics.jsonl").is_file() and max(told(output, "loss"), default=0) >= step):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def same_as(undisturbed: Path, output: Path) -> None:
    assert told(output, "loss") == told(undisturbed, "loss")
    assert told(output, "eval_loss") == told(undisturbed, "eval_loss")
    name = "final_checkpoint/adapter_model.safetensors"
    assert (output / name).read_bytes() == (undisturbed / name).read_bytes()


def test_a_killed_run_goes_on_with_the_losses_of_one_that_was_not(
    words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    process = start(output, words)
    wait_for_step(output, 5, process)
    process.kill()
    process.wait()
    status = read_status(output)
    assert status is not None and status.state == "interrupted"
    assert cli.main(into(output, words)) == 0
    same_as(undisturbed, output)
    status = read_status(output)
    assert status is not None and (status.state, status.step, status.total) == ("done", 9, 9)


def test_sigterm_lets_the_step_end_and_writes_a_checkpoint(words: list[str], undisturbed: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = start(output, words)
    wait_for_step(output, 4, process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    step, _ = checkpoints(output)[-1]
    assert f"stopped at step {step} of 9; checkpoint-{step} is whole: run the same command again" in said
    status = read_status(output)
    assert status is not None and (status.state, status.step) == ("stopped", step)
    assert cli.main(into(output, words)) == 0
    same_as(undisturbed, output)


@pytest.mark.parametrize("damage", ["cut off", "lacks a file", "not renamed"])
def test_a_checkpoint_that_is_not_whole_is_passed_over(
    damage: str, words: list[str], undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    shutil.copytree(undisturbed, output)
    shutil.rmtree(output / "final_checkpoint")
    last = output / "checkpoint-9"
    if damage == "cut off":
        os.truncate(last / "optimizer.pt", 100)
    elif damage == "lacks a file":
        (last / "adapter_model.safetensors").unlink()
    else:
        last.rename(output / ".checkpoint-9.unfinished")
    capsys.readouterr()
    assert cli.main(into(output, words)) == 0
    assert "went on from checkpoint-6" in capsys.readouterr().out
    same_as(undisturbed, output)


def test_a_run_that_was_killed_before_its_adapter_was_written_trains_nothing_again(
    words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(undisturbed, output)
    shutil.rmtree(output / "final_checkpoint")
    lines = (output / "metrics.jsonl").read_bytes()
    assert cli.main(into(output, words)) == 0
    assert (output / "metrics.jsonl").read_bytes() == lines
    same_as(undisturbed, output)


def test_two_processes_take_the_steps_of_one(videos: Path, base: Path, tmp_path: Path) -> None:
    """Gradients are the same to rounding, which Adam makes more of later on: the first steps tell."""
    options = ("--steps", 2, "--dropout", 0, "--val-share", 0.2, "--learning-rate", 1e-4, "--batch-size", 1)
    answers = [line(path, "red " * 4**at) for at, path in enumerate(sorted(videos.glob("red*.mp4"))[:4])]
    data = write_lines(videos / "longer.jsonl", answers)
    words = [str(word) for word in (*command(data, base, Path("OUTPUT")), *options)]
    one, two = tmp_path / "one", tmp_path / "two"
    assert cli.main(into(one, words)) == 0
    process = start(two, words, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    for name in ("loss", "grad_norm", "eval_loss"):
        assert told(two, name) == pytest.approx(told(one, name), rel=1e-3)
    assert said.count("final_checkpoint: the adapter, after 2 steps") == 1


def test_shards_are_not_gone_on_with_by_another_number_of_processes(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "a"}]
    write_lines(tmp_path / "texts.jsonl", [{"messages": turns}])
    words = ["shard", "--dataset-root", str(tmp_path), "--json", "texts.jsonl", "--output", str(tmp_path / "wds")]
    assert cli.main([*words, "--target", "crude", "--workers", "1", "--train-split", "1", "--val-split", "0"]) == 0
    run = command(tmp_path / "wds", base, tmp_path / "out", "--steps", 2, "--save-every", 1)
    assert cli.main(run) == 0
    for name in ("final_checkpoint", "checkpoint-2"):
        shutil.rmtree(tmp_path / "out" / name)
    place = tmp_path / "out/checkpoint-1/energon-0.json"
    shutil.copy(place, place.with_name("energon-1.json"))
    assert cli.main(run) == 1
    assert "holds the places of 2 processes in the shards; 1 are at work" in capsys.readouterr().err
    place.with_name("energon-1.json").unlink()
    assert cli.main(run) == 0


READER = """
import multiprocessing, os, sys, time
from mm2energon.tuning.status import is_there
from mm2energon.tuning.stopping import leave_signals_to_parent

def read(parent):
    if sys.argv[2] == "before":
        while is_there(parent):
            time.sleep(0.01)
    leave_signals_to_parent()
    print("began", flush=True)
    time.sleep(60)
    print("lives", flush=True)

if __name__ == "__main__":
    multiprocessing.get_context(sys.argv[1]).Process(target=read, args=(os.getpid(),)).start()
    while sys.argv[2] == "after" and not sys.stdin.read(1):
        time.sleep(0.01)
    os._exit(9)
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the kernel tells no process of its parent's end")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", ["fork", "forkserver"])
def test_a_process_that_reads_ahead_ends_with_its_parent_also_before_it_has_begun(
    how: str, when: str, tmp_path: Path
) -> None:
    (tmp_path / "reader.py").write_text(READER)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "reader.py"), how, when],
        env={**os.environ, "PYTHONPATH": str(TOOLKITS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    said = process.stdout.readline() if when == "after" else ""
    process.stdin.write("x")
    process.stdin.close()
    said += process.stdout.read()  # which ends with the last process that may write
    assert process.wait() == 9 and said == ("began\n" if when == "after" else "")
