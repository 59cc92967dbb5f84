"""Runs as a server sees them: started, followed, stopped, resumed; and what is told of them right after a kill."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from mm2energon.errors import InputError
from mm2energon.tuning import runs as module
from mm2energon.tuning.job import Settings, settings_of
from mm2energon.tuning.options import OPTIONS
from mm2energon.tuning.runs import HERE, Run, Runs, command_line
from mm2energon.tuning.status import Status, last_step, read_metrics, read_status, tell_status, write_status

#: Does what a run does to its folder, without a model: tells its state, writes a line for each step, stops when asked.
STAND_IN = """
import signal, sys, time
from pathlib import Path
from mm2energon.tuning.status import Metrics, now, tell_status
output, steps = Path(sys.argv[1]), int(sys.argv[2])
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
print("preparing", flush=True)
tell_status(output, state="running", step=0, total=steps)
metrics = Metrics(output)
for step in range(1, steps + 1):
    metrics.write({"step": step, "loss": 1 / step, "learning_rate": 0.1})
    if step % 2 == 0:
        metrics.write({"step": step, "eval_loss": 2 / step})
    time.sleep(0.02)
    if stopped:
        tell_status(output, state="stopped", step=step)
        sys.exit(143)
(output / "final_checkpoint").mkdir()
(output / "final_checkpoint/adapter_config.json").write_text("{}")
tell_status(output, state="done", step=steps)
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Runs whose command is the stand-in."""

    def stand_in(asked: Mapping[str, Any], output: Path) -> list[str]:
        return [sys.executable, "-c", STAND_IN, str(output), str(asked.get("steps", 3))]

    monkeypatch.setattr(module, "command_line", stand_in)
    (tmp_path / "data.jsonl").write_text("")
    return Runs(tmp_path / "adapters")


def asked(runs: Runs, **options: Any) -> dict[str, Any]:
    return {"data": str(runs.folder.parent / "data.jsonl"), "model": "tiny", **options}


def wait(runs: Runs, run: str, until: Callable[[Run], bool]) -> Run:
    while not until(found := runs.get(run)):
        assert found.status.state != "failed", found.status.message
        time.sleep(0.01)
    return found


def test_a_run_is_followed_from_its_start_to_its_adapter(runs: Runs) -> None:
    run = runs.start(asked(runs, output="mine", steps=4, learning_rate=0.001))
    assert run == "mine"
    found = wait(runs, run, lambda one: one.status.state == "done")
    assert found.adapter == runs.folder / "mine/final_checkpoint"
    assert found.options["learning_rate"] == 0.001
    followed = runs.follow(run)
    assert [one["step"] for one in followed.losses] == [1, 2, 3, 4]
    assert [(one["step"], one["eval_loss"]) for one in followed.evals] == [(2, 1.0), (4, 0.5)]
    assert followed.lines == ["preparing"]
    assert runs.follow(run, followed.since).losses == []
    told = found.as_json()
    assert (told["state"], told["step"], told["total"], told["can_resume"]) == ("done", 4, 4, False)


def test_a_run_is_stopped_and_resumed(runs: Runs) -> None:
    run = runs.start(asked(runs, steps=2000))
    wait(runs, run, lambda one: one.status.state == "running" and one.status.step > 1)
    runs.stop(run)
    found = wait(runs, run, lambda one: not one.is_live)
    assert found.status.state == "stopped" and found.as_json()["can_resume"]
    runs.resume(run)
    wait(runs, run, lambda one: one.status.state == "running")
    with pytest.raises(InputError, match="is running; a run that was stopped was expected"):
        runs.resume(run)
    runs.stop(run)
    wait(runs, run, lambda one: one.status.state == "stopped")


def test_a_run_that_is_resumed_twice_at_once_goes_on_once(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.start(asked(runs, steps=2000))
    wait(runs, run, lambda one: one.status.state == "running")
    runs.stop(run)
    wait(runs, run, lambda one: one.status.state == "stopped")
    both, get, refused = threading.Barrier(2), runs.get, list[str]()

    def get_together(name: str) -> Run:
        found = get(name)
        with suppress(threading.BrokenBarrierError):
            both.wait(timeout=0.5)
        return found

    def resume() -> None:
        try:
            runs.resume(run)
        except InputError as error:
            refused.append(str(error))

    monkeypatch.setattr(runs, "get", get_together)
    threads = [threading.Thread(target=resume) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    monkeypatch.setattr(runs, "get", get)
    assert len(refused) == 1 and "a run that was stopped was expected" in refused[0]
    runs.stop(run)
    wait(runs, run, lambda one: not one.is_live)


def test_a_run_that_is_stopped_twice_has_one_signal_and_ends_with_its_checkpoint(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    def send(_pid: int, number: int, kill: Callable[[int, int], None] = os.kill) -> None:
        sent.append(number)
        if len(sent) == 2:
            kill(_pid, number)

    run = runs.start(asked(runs, steps=1000))
    process = wait(runs, run, lambda run: run.status.step >= 1).status.pid
    monkeypatch.setattr(module.os, "kill", send)
    runs.stop(run)
    assert runs.get(run).status.state == "stopping" and runs.get(run).is_live
    runs.stop(run)
    assert sent == [signal.SIGTERM]
    send(process, signal.SIGTERM)
    assert wait(runs, run, lambda run: not run.is_live).status.state == "stopped"


def test_a_run_that_was_killed_is_told_at_once_and_by_another_server(runs: Runs) -> None:
    run = runs.start(asked(runs, steps=2000))
    found = wait(runs, run, lambda one: one.status.state == "running")
    assert Runs(runs.folder).get(run).status.state == "running"
    os.kill(found.status.pid, signal.SIGKILL)
    while (state := Runs(runs.folder).get(run).status.state) == "running":
        time.sleep(0.001)  # a signal takes a moment
    assert state == runs.get(run).status.state == "interrupted"
    assert Runs(runs.folder).get(run).as_json()["can_resume"]


def test_a_run_that_cannot_even_begin_has_failed_with_what_it_said(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [sys.executable, "-c", "import sys; sys.exit('error: no such model')"]
    monkeypatch.setattr(module, "command_line", lambda *_: words)
    run = runs.start(asked(runs))
    while (found := runs.get(run)).is_live:
        time.sleep(0.01)
    assert (found.status.state, found.status.message) == ("failed", "error: no such model")
    assert Runs(runs.folder).get(run).status.state == "failed"


def test_runs_are_listed_the_last_first_with_that_of_the_folder_itself(runs: Runs) -> None:
    for name, started in ((HERE, "2026-01-02"), ("old", "2026-01-01"), ("new", "2026-01-03")):
        folder = runs.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        write_status(folder, Status("done", started=started))
    (runs.folder / "other").mkdir()
    assert [run.id for run in runs.list()] == ["new", HERE, "old"]
    assert Runs(runs.folder / "nowhere").list() == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"output": "../up"}, "were expected in the name of a run"),
        ({"output": "a/b"}, "were expected in the name of a run"),
        ({"data": "/nowhere.json"}, "data /nowhere.json: no such file"),
        ({"data": []}, "data: the path"),
        ({"data": [1]}, "data: a list of paths was expected"),
        ({"model": ""}, "model: a folder or a name"),
        ({"model": "--restart"}, "model: a folder or a name"),
        ({"learning_rate": "high"}, "--learning-rate: 'high' was found; a number above 0"),
        ({"learning_rate": float("nan")}, "--learning-rate"),
        ({"rank": True}, "--rank: True was found"),
        ({"rank": 1.5}, "--rank: 1.5 was found"),
        ({"quantize": "8bit"}, "--quantize: '8bit' was found; one of auto, 4bit, none"),
        ({"train_vision": 1}, "--train-vision: 1 was found; true or false"),
        ({"colour": "red"}, "'colour': is no option"),
        ({"dropout": 1}, "--dropout 1: a number below 1"),
        ({"fps": 2, "time_interval": 1}, "exactly one of"),
        ({"batch_size": 3, "effective_batch": 4}, "--effective-batch 4: is no multiple"),
        ({"max_pixels": 1}, "max_pixels is 1"),
        ({"loaders": 5000}, "--loaders 5000: too many"),
    ],
)
def test_what_a_run_cannot_take_is_refused_and_leaves_nothing(
    options: dict[str, Any], expected: str, runs: Runs
) -> None:
    with pytest.raises(InputError, match=expected):
        runs.start(asked(runs, **options))
    assert not runs.folder.exists() or not list(runs.folder.iterdir())


def test_a_name_that_is_taken_and_a_run_that_is_not_there_are_refused(runs: Runs) -> None:
    (runs.folder / "mine").mkdir(parents=True)
    with pytest.raises(InputError, match="there is such a folder"):
        runs.start(asked(runs, output="mine"))
    for do in (runs.get, runs.stop, runs.resume):
        with pytest.raises(InputError, match="no such run"):
            do("mine")


def test_two_runs_without_a_name_that_are_begun_at_once_have_folders_of_their_own(runs: Runs) -> None:
    names = {runs.start(asked(runs, steps=1)) for _ in range(3)}
    assert len(names) == 3
    for name in names:
        wait(runs, name, lambda run: run.status.state == "done")


def test_the_command_line_says_what_was_asked() -> None:
    options = {"data": ["a.json", "b"], "model": "m", "train_vision": True, "fps": None, "steps": 5}
    words = command_line({**options, "allow_absolute_media": ["/r"], "no_gradient_checkpointing": False}, Path("out"))
    assert words[1:6] == ["-m", "mm2energon", "finetune", "--output", "out"]
    assert words[6:] == [
        *("--model=m", "--data=a.json", "--data=b", "--allow-absolute-media=/r", "--train-vision", "--steps=5"),
    ]


def test_a_line_that_was_cut_off_is_neither_read_nor_glued_to_the_next(tmp_path: Path) -> None:
    from mm2energon.tuning.status import Metrics

    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "lo')
    assert [one["step"] for one in read_metrics(tmp_path)[0]] == [1]
    metrics = Metrics(tmp_path)
    metrics.write({"step": 2, "loss": 2.0})
    metrics.close()
    assert [one["step"] for one in read_metrics(tmp_path)[0]] == [1, 2]


def test_the_last_step_of_a_long_run_is_known_by_the_end_of_its_metrics(tmp_path: Path) -> None:
    assert last_step(tmp_path) == 0
    lines = [f'{{"step": {step}, "loss": 0.5}}\n' for step in range(1, 3001)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines) + '{"step": 3001, "lo')
    assert last_step(tmp_path) == 3000


def test_the_status_of_a_process_that_is_gone_or_whose_number_is_anothers_is_interrupted(tmp_path: Path) -> None:
    tell_status(tmp_path, state="running", total=5)
    found = read_status(tmp_path)
    assert found is not None and found.state == "running"
    text = (tmp_path / "status.json").read_text()
    (tmp_path / "status.json").write_text(text.replace(f'"process":"{found.process}"', '"process":"1"'))
    later = read_status(tmp_path)
    assert later is not None and later.state == "interrupted"
    (tmp_path / "status.json").write_text("{")
    assert read_status(tmp_path) is None


def test_every_option_is_a_setting_and_every_setting_an_option() -> None:
    assert [field.name for field in fields(Settings)] == [option.name for option in OPTIONS]
    settings = settings_of({})
    assert (settings.rank, settings.alpha, settings.dropout) == (16, 32, 0.05)
