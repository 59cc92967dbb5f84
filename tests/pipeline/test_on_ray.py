"""Ray: the loop's items as tasks of a cluster of several nodes (all on this machine), some of which are lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mm2energon.errors import MediaError
from mm2energon.pipeline import on_ray
from mm2energon.pipeline.loop import Limits, run_each
from mm2energon.pipeline.on_ray import RayExecutor
from mm2energon.pipeline.ray_cluster import RayOptions

from pipeline import steps
from pipeline.ray_nodes import Nodes, started
from pipeline.steps import step

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """A head that runs nothing, and two nodes of one CPU."""
    with started() as nodes:
        nodes.add(num_cpus=1)
        nodes.add(num_cpus=1)
        yield nodes


def outcomes_on_ray(nodes: Nodes, items: Any, *, limits: Limits | None = None, **options: Any) -> list[Any]:
    executor = RayExecutor(RayOptions(nodes.address, **options))
    return list(run_each(step, items, workers=1, limits=limits, executor=executor))


def results(outcomes: list[Any]) -> list[Any]:
    return [outcome.error.code if outcome.error else outcome.result for outcome in outcomes]


def test_outcomes_come_in_the_order_of_the_items_however_many_and_tiny(nodes: Nodes) -> None:
    outcomes = outcomes_on_ray(nodes, range(3000))
    assert [(outcome.item, outcome.result) for outcome in outcomes] == [(n, 2 * n) for n in range(3000)]


def test_few_items_are_taken_ahead_and_more_of_them_behind_one_that_takes_long(nodes: Nodes, tmp_path: Path) -> None:
    taken = []

    def items() -> Iterator[Any]:
        yield steps.Waits(tmp_path / "sign")
        for number in range(100_000):
            taken.append(number)
            if number == 2 * on_ray._WINDOW - 2:  # with the first, as many as may be taken
                (tmp_path / "sign").touch()
            yield number

    outcomes = run_each(step, items(), workers=1, executor=RayExecutor(RayOptions(nodes.address)))
    assert next(outcomes).result == "waited"
    assert len(taken) == 2 * on_ray._WINDOW - 1
    outcomes.close()


def test_an_error_of_the_sample_is_its_outcome(nodes: Nodes) -> None:
    first, refused, last = outcomes_on_ray(nodes, [1, "refused", 2])
    assert (first.result, last.result) == (2, 4)
    assert isinstance(refused.error, MediaError) and refused.error.code == "no-frames"


@pytest.mark.parametrize("limits", [None, Limits(seconds=60)])
def test_an_error_that_nobody_foresaw_ends_the_run_and_says_where_it_was(nodes: Nodes, limits: Limits | None) -> None:
    with pytest.raises(KeyError) as fault:
        outcomes_on_ray(nodes, [1, "bug", 2], limits=limits)
    assert "steps.py" in str(fault.value.__cause__)


def test_an_item_that_hangs_or_eats_memory_costs_itself_alone(nodes: Nodes) -> None:
    limits = Limits(seconds=4, memory_bytes=8 << 30)
    items = [1, "dies", 2, "hangs", 3, "eats memory", 4, "no memory", 5, 6, 7]
    assert results(outcomes_on_ray(nodes, items, limits=limits)) == [
        *(2, "worker-died", 4, "video-timeout", 6, "worker-died", 8, "worker-died", 10, 12, 14),
    ]


@pytest.mark.parametrize(("times", "outcome"), [(1, "done"), (2, "done"), (99, "worker-died")])
def test_an_item_whose_process_dies_is_begun_again_and_not_for_ever(
    nodes: Nodes, tmp_path: Path, times: int, outcome: str
) -> None:
    log = tmp_path / "log"
    assert results(outcomes_on_ray(nodes, [1, steps.KilledSome(times, log), 2])) == [2, outcome, 4]
    assert len(log.read_text().splitlines()) == min(times + 1, 3)
