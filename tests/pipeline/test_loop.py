"""The loop: outcomes in order, and a fault that costs one item."""

import contextlib
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mm2energon.errors import MediaError, ToolkitError
from mm2energon.pipeline import pool, under_way
from mm2energon.pipeline.loop import Limits, run_each

from pipeline import steps
from pipeline.steps import step


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_outcomes_come_in_the_order_of_the_items(workers):
    outcomes = list(run_each(step, range(30), workers=workers))
    assert [(outcome.item, outcome.result) for outcome in outcomes] == [(n, 2 * n) for n in range(30)]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_sample_is_its_outcome(workers):
    first, refused, last = run_each(step, [1, "refused", 2], workers=workers)
    assert (first.result, last.result) == (2, 4)
    assert isinstance(refused.error, MediaError) and refused.error.code == "no-frames"


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_that_nobody_foresaw_ends_the_run(workers):
    with pytest.raises(KeyError):
        list(run_each(step, [1, "bug", 2], workers=workers))


def test_a_worker_that_dies_hangs_or_eats_memory_costs_one_item():
    limits = Limits(seconds=4, memory_bytes=8 << 30)
    items = [1, "dies", 2, "hangs", 3, "eats memory", 4, "no memory", 5, 6, 7]
    outcomes = list(run_each(step, items, workers=2, limits=limits))
    assert [outcome.item for outcome in outcomes] == items
    codes = {outcome.item: outcome.error.code for outcome in outcomes if outcome.error}
    assert codes == {
        "dies": "worker-died",
        "hangs": "video-timeout",
        "eats memory": "worker-died",
        "no memory": "worker-died",
    }
    assert [outcome.result for outcome in outcomes if not outcome.error] == [2, 4, 6, 8, 10, 12, 14]
    assert all(str(outcome.item) in str(outcome.error) for outcome in outcomes if outcome.error)


def test_a_worker_that_is_stopped_where_nothing_can_be_raised_says_nothing(capfd):
    [outcome] = run_each(step, ["is stopped where nothing can be raised"], workers=1)
    assert outcome.result == "went on"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("times", "outcome"), [(1, "done"), (2, "done"), (3, "worker-died"), (99, "worker-died")])
def test_an_item_whose_worker_is_killed_from_outside_is_begun_again_and_not_for_ever(tmp_path, times, outcome):
    log = tmp_path / "log"
    items = [1, steps.KilledSome(times, log), *range(2, 12)]
    first, killed, *others = run_each(step, items, workers=2)
    assert (killed.error.code if killed.error else killed.result) == outcome
    assert [one.result for one in (first, *others)] == [2, *(2 * n for n in range(2, 12))]
    assert len(log.read_text().splitlines()) == min(times + 1, 3)


def test_a_worker_without_memory_is_replaced_before_the_next_item():
    outcomes = list(run_each(step, ["leaks"] * 7, workers=1, limits=Limits(memory_bytes=1 << 30)))
    failed = [number for number, outcome in enumerate(outcomes) if outcome.error]
    assert failed and failed[0] > 0 and all("out of memory" in str(outcomes[number].error) for number in failed)
    assert all(outcomes[number + 1].result == 1 for number in failed if number + 1 < len(outcomes))


def test_a_worker_is_replaced_after_some_items(monkeypatch):
    monkeypatch.setattr(pool, "_ITEMS_OF_A_WORKER", 2)
    outcomes = list(run_each(step, ["counts"] * 4, workers=1))
    assert [outcome.result for outcome in outcomes] == [1, 2, 1, 2]


def test_a_loop_that_is_left_early_ends_its_workers():
    outcomes = run_each(step, range(1000), workers=2)
    assert next(outcomes).result == 0
    outcomes.close()


def test_one_may_leave_a_loop_while_an_item_takes_long():
    def leave():
        raise InterruptedError

    before = set(multiprocessing.active_children())
    with pytest.raises(InterruptedError):
        list(run_each(step, ["hangs"], workers=1, meanwhile=leave))
    assert set(multiprocessing.active_children()) <= before


def test_items_are_taken_as_they_are_needed():
    taken = []
    outcomes = run_each(step, (taken.append(n) or n for n in range(1000)), workers=1)
    next(outcomes)
    assert len(taken) < 20
    outcomes.close()


def test_workers_go_on_behind_an_item_that_takes_long(tmp_path):
    sign = tmp_path / "the 50th has begun"
    items = [steps.Waits(sign), *range(48), steps.Touches(sign)]
    outcomes = list(run_each(step, items, workers=2))
    assert [outcome.result for outcome in outcomes] == ["waited", *(2 * n for n in range(48)), "touched"]


def test_outcomes_that_wait_for_an_earlier_one_are_not_without_bound(tmp_path):
    taken = []

    def items():
        yield steps.Waits(tmp_path / "sign")
        for number in range(100_000):
            taken.append(number)
            if number == 2 * under_way.WINDOW - 2:  # with the first, as many as may be taken
                (tmp_path / "sign").touch()
            yield number

    outcomes = run_each(step, items(), workers=2)
    assert next(outcomes).result == "waited"
    assert len(taken) == 2 * under_way.WINDOW - 1
    outcomes.close()


@pytest.mark.parametrize("item", ["cannot load", "breaks the pool"])
def test_workers_that_cannot_work_end_the_run_with_one_line(item, monkeypatch):
    if item == "breaks the pool":
        monkeypatch.setattr(pool, "serve", steps.fail_to_start)
    with pytest.raises(ToolkitError, match="run the same command again") as error:
        list(run_each(step, [1, item, 2] * 20, workers=1))
    assert "\n" not in str(error.value)


def test_workers_that_are_killed_while_they_have_nothing_to_do_cost_nothing():
    def items():
        for number in range(30):
            if number in (9, 20):  # those before it are done, and no other is given out
                kill_workers()
            yield number

    outcomes = run_each(step, items(), workers=1)
    assert [outcome.result for outcome in outcomes] == [2 * number for number in range(30)]


def kill_workers():
    time.sleep(0.5)
    for process in multiprocessing.active_children():
        process.kill()
    time.sleep(0.5)


def test_workers_end_with_the_run_they_work_for(tmp_path):
    code = "from mm2energon.pipeline.loop import run_each\nfrom pipeline.steps import step\n"
    code += "list(run_each(step, ['hangs'] * 2, workers=2))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MARK": str(tmp_path)}
    run = subprocess.Popen([sys.executable, "-c", code], env=environment)
    while len(marked(tmp_path)) < 3:
        time.sleep(0.01)
    run.kill()
    run.wait()
    deadline = time.monotonic() + 60
    while marked(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not marked(tmp_path)


def marked(mark):
    """The processes that have the mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"MARK={mark}\0".encode() in (process / "environ").read_bytes():
                found.append(process.name)
    return found
