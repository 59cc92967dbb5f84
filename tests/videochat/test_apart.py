"""A step that runs apart costs a message, whatever it does, and can be given up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mm2energon.errors import InputError, MediaError
from mm2energon.pipeline.loop import Limits
from mm2energon.videochat.apart import CancelledError, Note, run_apart

from videochat import apart_steps as steps


def run(
    step: Callable[[Any], Any],
    item: Any,
    folder: Path,
    *,
    limits: Limits = Limits(60, 2 << 30),  # noqa: B008 - it is frozen
    told: Callable[[float, float | None], None] = lambda _done, _total: None,
    stop: threading.Event | None = None,
) -> Any:
    return run_apart(step, item, limits=limits, note=Note(folder / "note"), told=told, stop=stop or threading.Event())


def test_its_result_comes_back_and_its_error_too(tmp_path: Path) -> None:
    assert run(steps.double, 21, tmp_path) == 42
    with pytest.raises(InputError, match="x: no"):
        run(steps.refuse, "x", tmp_path)
    with pytest.raises(ZeroDivisionError):
        run(steps.stumble, "x", tmp_path)


@pytest.mark.parametrize(
    ("step", "said"), [(steps.crash, "its process ended with -11"), (steps.eat, "it ran out of memory")]
)
def test_one_that_dies_is_said_to_have_died(tmp_path: Path, step: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(MediaError, match=said) as died:
        run(step, None, tmp_path)
    assert died.value.code == "worker-died"


def test_one_without_memory_for_its_libraries_says_so_and_names_no_option_of_other_commands(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="failed to map segment.*memory") as told:
        run(steps.lack, None, tmp_path)
    assert "--" not in str(told.value)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_that_hangs_is_ended_when_its_time_is_over(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="took longer than 1 s"):
        run(steps.hang, tmp_path / "process", tmp_path, limits=Limits(1, 2 << 30))
    assert not is_alive(int((tmp_path / "process").read_text()))


def test_one_that_nobody_wants_any_more_is_ended_and_tells_how_far_it_was(tmp_path: Path) -> None:
    stop, heard = threading.Event(), []

    def told(done: float, total: float | None) -> None:
        heard.append((done, total))
        if done:
            stop.set()

    with pytest.raises(CancelledError):
        run(steps.hang, tmp_path / "process", tmp_path, told=told, stop=stop)
    assert set(heard) <= {(0, None), (3, 10)}
    assert heard[-1] == (3, 10)
    assert not is_alive(int((tmp_path / "process").read_text()))


@pytest.mark.parametrize("text", ["", "[1", "[]", "null", "[1, 2, 3]", "x"])
def test_a_note_that_is_half_written_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "note").write_text(text)
    assert Note(tmp_path / "note").read() is None
