"""Arrays: units in a folder, run by tasks that know nothing of each other."""

import json
import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.errors import InputError, MediaError, ToolkitError
from mm2energon.pipeline import array_stage
from mm2energon.pipeline.array import ArrayExecutor, UnitsWaitError, planned_units, ranges, was_planned
from mm2energon.pipeline.array_share import run_share
from mm2energon.pipeline.array_stage import Stage, stages_in
from mm2energon.pipeline.loop import Limits, run_each

from pipeline.steps import Made, note_unit

STEP = "pipeline.steps:note_unit"
NO_LIMITS = Limits()


@pytest.fixture(autouse=True)
def _known_step(monkeypatch):
    monkeypatch.setitem(array_stage.STEPS, STEP, True)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def units_of(log, count, **does):
    """Units, of which some do what their number says."""
    return [{"number": n, "log": str(log), **does.get(f"u{n}", {})} for n in range(count)]


def planned(folder, units, limits=NO_LIMITS):
    with pytest.raises(UnitsWaitError) as wait:
        ArrayExecutor(folder).run(note_unit, units, limits=limits)
    assert wait.value.is_new and wait.value.missing == list(range(len(units)))
    return wait.value.stage


def outcomes_of(folder, units):
    """What a command is told that goes on."""
    return list(run_each(note_unit, units, workers=0, executor=ArrayExecutor(folder)))


def times_run(log):
    return sorted(map(int, log.read_text().split())) if log.exists() else []


@pytest.mark.parametrize("tasks", [1, 3, 9])
def test_any_number_of_tasks_in_any_order_gives_the_outcomes_in_the_order_of_the_units(tmp_path, log, tasks):
    units = units_of(log, 7)
    stage = planned(tmp_path / "plan", units)
    indexes = list(range(tasks))
    random.Random(tasks).shuffle(indexes)
    assert sum(run_share(stage, index, tasks, workers=2)[0] for index in indexes) == 7
    done = outcomes_of(tmp_path / "plan", units)
    assert [outcome.item for outcome in done] == units
    assert [outcome.result for outcome in done] == [Made(10 * n, "ö\udcff") for n in range(7)]
    assert times_run(log) == list(range(7))


def test_a_task_that_runs_twice_runs_nothing_twice(tmp_path, log):
    stage = planned(tmp_path / "plan", units_of(log, 5))
    assert run_share(stage, 1, 2, workers=1) == (2, 0)
    assert run_share(stage, 1, 2, workers=1) == (0, 2)
    assert times_run(log) == [1, 3]


def test_the_same_task_twice_at_the_same_moment_does_no_harm(tmp_path, log):
    units = units_of(log, 6)
    stage = planned(tmp_path / "plan", units)
    together = [threading.Thread(target=run_share, args=(stage, 0, 1), kwargs={"workers": 1}) for _ in range(2)]
    for one in together:
        one.start()
    for one in together:
        one.join()
    assert [outcome.result.number for outcome in outcomes_of(tmp_path / "plan", units)] == list(range(0, 60, 10))


def test_a_unit_is_noted_as_soon_as_it_is_done_whatever_is_still_under_way_before_it(tmp_path, log):
    notes = tmp_path / "plan" / "0-note_unit" / "done"
    stage = planned(tmp_path / "plan", units_of(log, 2, u0={"does": "waits for a note", "notes": str(notes)}))
    assert stage.done == notes and run_share(stage, 0, 1, workers=2) == (2, 0)
    assert [record["error"] for record in stage.outcomes().records()] == [None, None]


def test_what_is_missing_is_named_and_another_number_of_tasks_runs_it(tmp_path, log):
    units = units_of(log, 10)
    stage = planned(tmp_path / "plan", units)
    run_share(stage, 0, 3, workers=1)
    run_share(stage, 2, 3, workers=1)
    with pytest.raises(UnitsWaitError) as wait:
        outcomes_of(tmp_path / "plan", units)
    assert not wait.value.is_new
    assert wait.value.missing == [1, 4, 7] and "3 of 10 units" in str(wait.value) and "1,4,7" in str(wait.value)
    assert stage.outcomes().counts_of_tasks() == [3]
    assert [run_share(stage, index, 4, workers=1)[0] for index in range(4)] == [1, 1, 0, 1]
    assert len(outcomes_of(tmp_path / "plan", units)) == 10
    assert times_run(log) == list(range(10))


def test_a_line_that_was_cut_off_anywhere_is_no_outcome(tmp_path, log):
    units = units_of(log, 2)
    stage = planned(tmp_path / "plan", units)
    run_share(stage, 0, 1, workers=1)
    [path] = stage.done.iterdir()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert list(stage.outcomes().missing()) == ([0, 1] if end < first else [1])
    path.write_bytes(whole[: first + 20])
    assert run_share(stage, 0, 1, workers=1) == (1, 1)
    assert [outcome.result.number for outcome in outcomes_of(tmp_path / "plan", units)] == [0, 10]


def test_of_a_unit_that_was_run_twice_a_result_counts_more_than_an_error(tmp_path, log):
    units = units_of(log, 2)
    stage = planned(tmp_path / "plan", units)
    run_share(stage, 0, 1, workers=1)
    [path] = stage.done.iterdir()
    error = {"message": "died", "code": "worker-died", "is_of_media": True}
    lines = "".join(json.dumps({"unit": n, "error": error, "result": None}) + "\n" for n in range(2))
    for name in ("0-of-1.a.jsonl", "0-of-1.z.jsonl"):
        (stage.done / name).write_text(lines)
    assert [outcome.result.number for outcome in outcomes_of(tmp_path / "plan", units)] == [0, 10]
    path.unlink()
    assert [outcome.error.code for outcome in outcomes_of(tmp_path / "plan", units)] == ["worker-died"] * 2


def test_lines_that_a_broken_disk_left_are_no_outcomes(tmp_path, log):
    stage = planned(tmp_path / "plan", units_of(log, 3))
    foreign = [b"\0" * 40 + b"}\n", b'{"unit":7}\n', b'{"unit":-1}\n', b'{"unit":"x"}\n', b"[1]\n", b"\xff}\n", b"{}\n"]
    (stage.done / "0-of-1.x.jsonl").write_bytes(b"".join(foreign))
    assert list(stage.outcomes().missing()) == [0, 1, 2]


def test_units_that_are_not_those_that_were_planned_are_refused_and_the_first_is_named(tmp_path, log):
    units = units_of(log, 3)
    run_share(planned(tmp_path / "plan", units), 0, 1, workers=1)
    for changed in (units[:2], [*units, units[0]], [units[0], {**units[1], "does": "refused"}, units[2]]):
        with pytest.raises(InputError, match="not those that were planned.*another folder"):
            outcomes_of(tmp_path / "plan", changed)
    assert len(outcomes_of(tmp_path / "plan", units)) == 3


def test_a_fault_of_a_unit_is_what_became_of_it(tmp_path, log):
    units = units_of(log, 4, u0={"does": "refused"}, u1={"does": "dies"}, u2={"does": "hangs"})
    stage = planned(tmp_path / "plan", units, Limits(seconds=4.0))
    assert run_share(stage, 0, 1, workers=3) == (4, 0)
    done = outcomes_of(tmp_path / "plan", units)
    assert [outcome.error.code for outcome in done[:3]] == ["no-frames", "worker-died", "video-timeout"]
    assert all(isinstance(outcome.error, MediaError) for outcome in done[:3])
    assert str(done[0].error) == "unit 0: a reason" and done[3].result.number == 30


def test_a_fault_of_a_unit_that_may_not_be_set_aside_is_told_and_the_unit_is_run_again(tmp_path, log, monkeypatch):
    monkeypatch.setitem(array_stage.STEPS, STEP, False)
    stage = planned(tmp_path / "plan", units_of(log, 3, u1={"does": "dies"}))
    with pytest.raises(ToolkitError, match="died.*1 of 3 units failed; run this task again"):
        run_share(stage, 0, 1, workers=1)
    assert list(stage.outcomes().missing()) == [1]


def test_a_full_disk_is_no_outcome_and_with_room_the_task_goes_on(tmp_path, log):
    units = units_of(log, 3, u1={"does": "disk is full", "room": str(tmp_path / "room")})
    stage = planned(tmp_path / "plan", units)
    with pytest.raises(OSError, match="No space left"):
        run_share(stage, 0, 1, workers=1)
    assert 0 not in stage.outcomes().missing() and 1 in stage.outcomes().missing()
    (tmp_path / "room").touch()
    run_share(stage, 0, 1, workers=1)
    assert [outcome.result.number for outcome in outcomes_of(tmp_path / "plan", units)] == [0, 10, 20]


def test_a_step_without_units_goes_on_at_once(tmp_path):
    assert outcomes_of(tmp_path / "plan", []) == []
    [stage] = stages_in(tmp_path / "plan")
    assert run_share(stage, 3, 4, workers=1) == (0, 0)
    assert outcomes_of(tmp_path / "plan", []) == []


def test_a_step_that_comes_twice_has_units_of_its_own_each_time(tmp_path, log):
    first, second = units_of(log, 2), units_of(log, 3)
    run_share(planned(tmp_path / "plan", first), 0, 1, workers=1)
    for _ in range(2):
        executor = ArrayExecutor(tmp_path / "plan")
        assert list(planned_units(executor, note_unit)) == first
        assert len(list(executor.run(note_unit, first, limits=NO_LIMITS))) == 2
        with pytest.raises(UnitsWaitError):
            executor.run(note_unit, second, limits=NO_LIMITS)
    assert [stage.units for stage in stages_in(tmp_path / "plan")] == [2, 3]
    executor = ArrayExecutor(tmp_path / "plan")
    executor.run(note_unit, first, limits=NO_LIMITS)
    assert was_planned(executor, note_unit) and list(planned_units(executor, note_unit)) == second
    assert list(planned_units(None, note_unit)) == []


def test_no_other_step_is_planned_or_run(tmp_path, log, monkeypatch):
    stage = planned(tmp_path / "plan", units_of(log, 1))
    with pytest.raises(ToolkitError, match="no step that an array runs"):
        ArrayExecutor(tmp_path / "plan").run(print, [], limits=NO_LIMITS)
    about = json.loads((stage.folder / "step.json").read_text())
    (stage.folder / "step.json").write_text(json.dumps({**about, "step": "os:system"}))
    with pytest.raises(InputError, match="is no step that an array runs"):
        Stage.read(stage.folder)


def test_another_version_of_the_library_refuses_the_units(tmp_path, log, monkeypatch):
    units = units_of(log, 1)
    stage = planned(tmp_path / "plan", units)
    monkeypatch.setattr("mm2energon.__version__", "99.0")
    with pytest.raises(InputError, match=r"was planned by mm2energon .*, this is 99\.0; the same version was expected"):
        Stage.read(stage.folder)


def test_what_a_unit_took_is_noted_beside_what_became_of_it(tmp_path, log):
    log.write_bytes(b"")
    stage = planned(tmp_path / "plan", units_of(log, 2))
    run_share(stage, 0, 1, workers=1)
    for number, record in enumerate(stage.outcomes().records()):
        assert record["unit"] == number and record["seconds"] > 0
        assert record["files_opened"] == 1 and record["bytes_written"] >= 2


@given(st.lists(st.integers(0, 40), unique=True).map(sorted), st.integers(1, 50))
def test_ranges_name_every_number_or_say_that_there_are_more(numbers, most):
    text = ranges(numbers, most=most)
    named = []
    for part in text.removesuffix(",...").split(",") if text else []:
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert named == numbers[: len(named)]
    assert text.endswith(",...") == (len(named) < len(numbers))
