"""Simulating more machines: what comes out is held against simulations of another kind, and sums done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm2energon.errors import InputError
from mm2energon.pipeline import array_stage
from mm2energon.pipeline.array_share import run_share
from mm2energon.pipeline.array_stage import Stage
from mm2energon.pipeline.carried import to_json
from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.simulate import Cluster, Work, simulate
from mm2energon.pipeline.simulate_measured import measured

STEP = "pipeline.steps:sleep_unit"


def work_of(seconds, read=None, requests=None, driver=0.0):
    none = [0.0] * len(seconds)
    numbers = (np.array(values, float) for values in (seconds, read or none, none, requests or none))
    return Work(*numbers, driver)


def naive(units, cluster):
    """The seconds of a run, moment by moment: at each, who runs, how slow, and who ends next."""
    queues = [list(range(n, len(units), cluster.nodes)) for n in range(cluster.nodes)]
    running: dict[tuple[int, int], float] = {}  # (node, unit) -> what is left of it, of 1
    clock = 0.0
    while any(queues) or running:
        for node, queue in enumerate(queues):
            while queue and sum(where == node for where, _ in running) < cluster.workers:
                running[node, queue.pop(0)] = 1.0
        demand = sum(units[unit][1] / units[unit][0] for _, unit in running)
        slower = max(1.0, demand / cluster.bytes_per_second) if cluster.bytes_per_second else 1.0
        step = min(left * units[unit][0] * slower for (_, unit), left in running.items())
        clock += step
        for key in running:
            running[key] -= step / (units[key[1]][0] * slower)
        running = {key: left for key, left in running.items() if left > 1e-9}
    return clock


UNITS = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 50)), min_size=1, max_size=12)


@settings(max_examples=150)
@given(UNITS, st.integers(1, 4), st.integers(1, 3), st.sampled_from([None, 1.0, 7.0, 40.0]))
def test_a_run_takes_as_long_as_moment_by_moment(units, nodes, workers, bandwidth):
    cluster = Cluster(nodes, workers, bytes_per_second=bandwidth)
    found = simulate(work_of(*map(list, zip(*units, strict=True))), cluster)
    assert found.wall_seconds == pytest.approx(naive(units, cluster))
    assert sum(found.limited_by.values()) == pytest.approx(found.wall_seconds)
    assert 0 < found.busy <= 1 + 1e-9 and 0 <= found.last_seconds <= found.wall_seconds * (1 + 1e-9)
    if bandwidth:
        assert found.wall_seconds >= sum(size for _, size in units) / bandwidth * (1 - 1e-9)


def test_units_that_want_more_than_the_storage_gives_go_slower_and_it_is_named():
    units = work_of([10, 5], [100, 100])
    found = simulate(units, Cluster(1, 2, bytes_per_second=15.0))
    # 5 s at 10 + 20 B/s take 10 s; then 5 s at 10 B/s.
    assert found.wall_seconds == pytest.approx(15) and found.bottleneck == "storage bandwidth"
    assert found.limited_by["storage bandwidth"] == pytest.approx(10)
    assert found.limited_by["last units"] == pytest.approx(5) == found.last_seconds
    assert found.bytes_per_second == pytest.approx(200 / 15) and found.busy == pytest.approx((2 * 10 + 5) / 30)


def test_requests_hold_a_run_up_as_bytes_do():
    found = simulate(work_of([10] * 8, requests=[100] * 8), Cluster(2, 2, requests_per_second=20.0))
    assert found.wall_seconds == pytest.approx(40) and found.bottleneck == "storage requests"
    assert found.requests_per_second == pytest.approx(20)


def test_one_long_unit_at_the_end_is_told_apart():
    found = simulate(work_of([1] * 10 + [50]), Cluster(1, 2))
    assert found.wall_seconds == 55 and found.last_seconds == 50 and found.bottleneck == "last units"


def test_the_bottleneck_moves_with_the_nodes():
    units = work_of([10] * 6400, [1e9] * 6400, driver=100)
    kinds = [simulate(units, Cluster(nodes, 10, bytes_per_second=1e11)).bottleneck for nodes in (1, 64, 640)]
    assert kinds == ["workers", "workers", "driver"]
    slow = [simulate(units, Cluster(nodes, 10, bytes_per_second=2e10)).bottleneck for nodes in (1, 64)]
    assert slow == ["workers", "storage bandwidth"]


def test_who_is_free_takes_the_next_unless_units_are_shared_out_beforehand():
    units = work_of([6, 1, 6, 1, 6, 1])
    assert simulate(units, Cluster(2, 1)).wall_seconds == 18
    assert simulate(units, Cluster(2, 1, by_share=False)).wall_seconds == 13


def test_a_driver_that_gives_out_few_units_a_second_holds_small_ones_up():
    units = work_of([0.001] * 1000)
    assert simulate(units, Cluster(10, 10, by_share=False, units_per_second=100)).wall_seconds == pytest.approx(9.991)


def test_more_nodes_than_units_and_nodes_that_start_late():
    assert simulate(work_of([3, 4]), Cluster(100, 8, start_seconds=20)).wall_seconds == 24


def test_so_many_times_as_much_work_has_the_same_units_in_the_same_order():
    units = work_of([5, 1], [50, 10], driver=3).times(3)
    assert units.seconds.tolist() == [5, 5, 5, 1, 1, 1] and units.driver_seconds == 9
    assert work_of([1, 2, 3, 4]).times(0.5).seconds.tolist() == [1, 3]
    assert units.times(1.0).bytes_read.tolist() == units.bytes_read.tolist()
    with pytest.raises(InputError, match="leaves none of 2 units"):
        work_of([1, 2]).times(0.1)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setitem(array_stage.STEPS, STEP, True)
    return Stage.write(tmp_path / "plan" / "0-sleep_unit", STEP, [0.01, 0.2, 0.03, 0.04, 0.15, 0.02], Limits())


def note(stage, *records):
    lines = [to_json({"bytes_read": 0, "bytes_written": 0, "files_opened": 0, "error": None, **one}) for one in records]
    (stage.done / "0-of-1.x.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def test_units_that_sleep_take_what_was_measured_and_a_simulation_of_them_what_their_workers_took(stage):
    assert run_share(stage, 0, 1, workers=2) == (6, 0)
    took = [record["seconds"] for record in stage.outcomes().records()]
    assert all(one >= asleep for one, asleep in zip(took, [0.01, 0.2, 0.03, 0.04, 0.15, 0.02], strict=True))
    found = measured(stage, request_bytes=100)
    assert found.units == 6 and found.work.seconds.tolist() == took
    by_cpu = measured(stage, request_bytes=100, by_cpu=True).work.seconds
    assert 0 < by_cpu.sum() < sum([0.01, 0.2, 0.03, 0.04, 0.15, 0.02])
    free = [0.0, 0.0]
    for one in took:
        free[free.index(min(free))] += one
    assert simulate(found.work, Cluster(1, 2)).wall_seconds == pytest.approx(max(free))


def test_a_unit_that_was_not_run_takes_what_the_nearest_took(stage):
    more = {"bytes_read": 1000, "bytes_written": 50, "files_opened": 3}
    note(stage, {"unit": 1, "seconds": 5.0, **more}, {"unit": 4, "seconds": 2.0})
    found = measured(stage, request_bytes=100, driver_seconds=7)
    assert found.units == 2 and found.has_traffic and found.work.driver_seconds == 7
    assert found.work.seconds.tolist() == [5, 5, 5, 2, 2, 2]
    assert found.work.bytes_read.tolist()[:4] == [1000, 1000, 1000, 0]
    assert found.work.requests.tolist()[:4] == [14, 14, 14, 0]


def test_shards_that_were_there_already_measure_nothing(stage, monkeypatch):
    monkeypatch.setattr("mm2energon.pipeline.simulate_measured._WRITING", (STEP,))
    there = {"unit": 0, "seconds": 0.1, "bytes_read": 5}
    note(stage, there, {"unit": 1, "seconds": 4.0, "bytes_read": 5, "bytes_written": 5})
    assert measured(stage, request_bytes=1).work.seconds.tolist() == [4.0] * 6
    note(stage, there, {"unit": 1, "seconds": 0.0})
    with pytest.raises(InputError, match="none of its 6 units was measured"):
        measured(stage, request_bytes=1)
