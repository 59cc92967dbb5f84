"""Adapters are trained from the page: what can be set, runs, their figures, stop and go on; on opened data alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mm2energon.tuning import runs
from mm2energon.tuning.asked import command_line
from mm2energon.tuning.options import OPTIONS
from mm2energon.videochat.backends.setup import Setup
from starlette.testclient import TestClient

from studio.opened import opened
from studio.trying import write_data

RUNS = "/api/finetune/runs"

#: A run that does two steps and waits; once it was stopped, it goes on to the end.
STAND_IN = """
import json, signal, sys, time
from pathlib import Path
sys.path[:0] = {path!r}
from mm2energon.tuning.status import tell_status
folder = Path({folder!r})
metrics = folder / "metrics.jsonl"
goes_on = metrics.exists()
def stop(*_):
    tell_status(folder, state="stopped")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print("<b>training</b>", flush=True)
with metrics.open("a") as file:
    for step in (3, 4) if goes_on else (1, 2):
        print(json.dumps({{"step": step, "loss": 2.0 / step, "at": "now"}}), file=file)
    print(json.dumps({{"step": step, "eval_loss": 1.0}}), file=file)
if goes_on:
    (folder / "final_checkpoint").mkdir()
    (folder / "final_checkpoint" / "adapter_config.json").write_text("{{}}")
    tell_status(folder, state="done", step=4, total=4)
else:
    tell_status(folder, state="running", step=2, total=4)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[TestClient]:
    def command(_asked: Any, output: Path) -> list[str]:
        return [sys.executable, "-c", STAND_IN.format(path=sys.path, folder=str(output))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "command_line", command)
        with opened(write_data(folder / "data"), backends=Setup(models=("OpenGVLab/VideoChat-R1_5-7B",))) as page:
            yield page


def until(page: TestClient, name: str, state: str) -> dict[str, Any]:
    """A run, once it is in that state."""
    for _ in range(1200):
        told: dict[str, Any] = page.get(f"{RUNS}/{name}").json()
        if told["state"] == state:
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def test_what_can_be_set_comes_with_what_is_usual(page: TestClient, folder: Path) -> None:
    told = page.get("/api/finetune/options").json()
    assert [one["name"] for one in told["options"]] == [one.name for one in OPTIONS]
    usual = {one["name"]: one["default"] for one in told["options"]}
    assert (usual["rank"], usual["alpha"], usual["dropout"]) == (16, 32, 0.05)
    assert usual["dataset_root"] == str((folder / "data").resolve())
    assert told["data"][0]["path"] == str(folder / "data" / "d.json")
    assert told["models"][0] == told["model"] == "OpenGVLab/VideoChat-R1_5-7B"
    assert told["ready"] is True


def test_a_run_is_started_followed_stopped_and_goes_on(page: TestClient, folder: Path) -> None:
    assert page.get(RUNS).json() == {"runs": []}
    data = str(folder / "data" / "d.json")
    asked = {"data": data, "model": "OpenGVLab/VideoChat-R1_5-7B", "output": "first", "rank": 8}
    assert page.post(RUNS, json=asked).json() == {"id": "first"}
    told = until(page, "first", "running")
    assert (told["step"], told["total"], told["can_resume"], told["adapter"]) == (2, 4, False, None)
    assert [(one["step"], one["loss"]) for one in told["losses"]] == [(1, 2.0), (2, 1.0)]
    assert [(one["step"], one["loss"]) for one in told["evals"]] == [(2, 1.0)]
    assert told["lines"] == ["<b>training</b>"]
    assert told["options"]["rank"] == 8
    assert told["options"]["dataset_root"] == str((folder / "data").resolve())
    assert page.get(f"{RUNS}/first", params={"since": told["since"]}).json()["losses"] == []
    assert page.post(f"{RUNS}/first/resume").status_code == 400
    assert page.post(f"{RUNS}/first/stop").status_code == 200
    assert until(page, "first", "stopped")["can_resume"] is True
    assert page.post(f"{RUNS}/first/resume").status_code == 200
    done = until(page, "first", "done")
    assert done["adapter_name"] == "first/final_checkpoint"
    assert [run["id"] for run in page.get(RUNS).json()["runs"]] == ["first"]
    assert page.get(f"{RUNS}/first", params={"since": told["since"]}).json()["losses"][0]["step"] == 3
    taken = page.post(RUNS, json=asked)
    assert (taken.status_code, "there is such a folder" in taken.json()["error"]["message"]) == (400, True)


def test_a_run_that_was_made_by_hand_in_the_folder_itself_is_there_too(page: TestClient, folder: Path) -> None:
    place = folder / "data" / "lora_adapters"
    (place / "status.json").write_text(json.dumps({"state": "done", "step": 3, "total": 3}))
    try:
        names = [run["id"] for run in page.get(RUNS).json()["runs"]]
        assert "the folder itself" in names
        assert page.get(f"{RUNS}/the%20folder%20itself").json()["step"] == 3
    finally:
        (place / "status.json").unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": "/etc/passwd"}, "lies outside"),
        ({"data": "../../x"}, "lies outside"),
        ({"data": ["d.json", "/"]}, "lies outside"),
        ({"data": "missing.json"}, "no such file"),
        ({"data": "a\0b"}, "data"),
        ({"data": ""}, "data"),
        ({"model": "/etc"}, "lies outside"),
        ({"model": "../../../etc"}, "lies outside"),
        ({"model": "-x"}, "model"),
        ({"output": "../x"}, "name of a run"),
        ({"output": "/tmp/x"}, "name of a run"),
        ({"output": "--x"}, "name of a run"),
        ({"dataset_root": "/"}, "lies outside"),
        ({"allow_absolute_media": ["/"]}, "allow_absolute_media"),
        ({"rank": 0}, "--rank"),
        ({"rank": "16; rm"}, "--rank"),
        ({"epochs": -1}, "--epochs"),
        ({"quantize": "3bit"}, "--quantize"),
        ({"strange": 1}, "is no option"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_nothing_is_begun(
    page: TestClient, folder: Path, change: dict[str, Any], said: str
) -> None:
    before = page.get(RUNS).json()
    asked = {"data": str(folder / "data" / "d.json"), "model": "OpenGVLab/VideoChat-R1_5-7B", **change}
    answer = page.post(RUNS, json=asked)
    assert answer.status_code in (400, 422), answer.text
    assert said in answer.json()["error"]["message"]
    assert page.get(RUNS).json() == before


@pytest.mark.parametrize("name", ["none", "..", "%2e%2e", "a%2Fb", "%00"])
@pytest.mark.parametrize("what", ["", "/stop", "/resume"])
def test_a_run_that_is_none_is_not_there(page: TestClient, name: str, what: str) -> None:
    answer = page.request("POST" if what else "GET", f"{RUNS}/{name}{what}")
    assert answer.status_code in (404, 405)


def test_a_model_of_a_named_folder_is_trained_from_there_and_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[list[str]] = []

    def command(asked: Any, output: Path) -> list[str]:
        lines.append(command_line(asked, output))
        return [sys.executable, "-c", STAND_IN.format(path=sys.path, folder=str(output))]

    monkeypatch.setattr(runs, "command_line", command)
    folder = tmp_path / "models" / "Tiny-VL"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    setup = Setup(models=("Some/Tiny-VL",), model_folders=(tmp_path / "models",), may_download=False)
    with opened(write_data(tmp_path / "data"), backends=setup) as page:
        asked = {"data": str(tmp_path / "data" / "d.json"), "model": "Some/Tiny-VL", "output": "one"}
        assert page.post(RUNS, json=asked).status_code == 200
        assert f"--model={folder}" in lines[0]
        assert until(page, "one", "running")["options"]["model"] == "Some/Tiny-VL"
        page.post(f"{RUNS}/one/stop")
        until(page, "one", "stopped")
        refused = page.post(RUNS, json=asked | {"model": "Some/Other-VL", "output": "two"})
        assert refused.status_code == 400 and "the hub is not asked" in refused.json()["error"]["message"]


def test_without_a_folder_for_adapters_it_is_said_what_to_do(tmp_path: Path) -> None:
    with opened(write_data(tmp_path / "data"), output_roots=()) as page:
        assert page.get(RUNS).json() == {"runs": []}
        assert "--adapters" in page.get("/api/finetune/options").json()["message"]
        assert page.get("/api/session").json()["features"]["finetune"]["ready"] is False
