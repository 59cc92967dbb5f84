"""Ray: the loop's items as tasks of a cluster of several nodes (all on this machine), some of which are lost."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mm2energon
import pytest
from mm2energon import cli
from mm2energon.errors import InputError, MediaError, ToolkitError
from mm2energon.pipeline import on_ray, ray_cluster, under_way
from mm2energon.pipeline.loop import Limits, run_each
from mm2energon.pipeline.on_ray import RayExecutor
from mm2energon.pipeline.ray_cluster import RayOptions

from pipeline import steps
from pipeline.making import image_dataset, run_shard, tree_bytes
from pipeline.ray_nodes import TESTS, Nodes, begun, hold_units
from pipeline.steps import step

pytest_plugins = ["stores"]
pytestmark = pytest.mark.ray

#: Units that the nodes run at the same time.
WIDTH = 3


def outcomes_on_ray(ray_nodes: Nodes, items: Any, *, limits: Limits | None = None, **options: Any) -> list[Any]:
    executor = RayExecutor(RayOptions(ray_nodes.address, **options))
    return list(run_each(step, items, workers=1, limits=limits, executor=executor))


def results(outcomes: list[Any]) -> list[Any]:
    return [outcome.error.code if outcome.error else outcome.result for outcome in outcomes]


def test_outcomes_come_in_the_order_of_the_items_however_many_and_tiny(ray_nodes: Nodes) -> None:
    outcomes = outcomes_on_ray(ray_nodes, range(1000))
    assert [(outcome.item, outcome.result) for outcome in outcomes] == [(n, 2 * n) for n in range(1000)]


def test_few_items_are_taken_ahead_and_more_of_them_behind_one_that_takes_long(
    ray_nodes: Nodes, tmp_path: Path
) -> None:
    taken = []

    def items() -> Iterator[Any]:
        yield steps.Waits(tmp_path / "sign")
        for number in range(100_000):
            taken.append(number)
            if number == WIDTH * under_way.WINDOW - 2:  # with the first, as many as may be taken
                (tmp_path / "sign").touch()
            yield number

    outcomes = run_each(step, items(), workers=1, executor=RayExecutor(RayOptions(ray_nodes.address)))
    assert next(outcomes).result == "waited"
    assert len(taken) == WIDTH * under_way.WINDOW - 1
    outcomes.close()


def test_an_error_of_the_sample_is_its_outcome(ray_nodes: Nodes) -> None:
    first, refused, last = outcomes_on_ray(ray_nodes, [1, "refused", 2])
    assert (first.result, last.result) == (2, 4)
    assert isinstance(refused.error, MediaError) and refused.error.code == "no-frames"


@pytest.mark.parametrize("limits", [None, Limits(seconds=60)])
def test_an_error_that_nobody_foresaw_ends_the_run_and_says_where_it_was(
    ray_nodes: Nodes, limits: Limits | None
) -> None:
    with pytest.raises(KeyError) as fault:
        outcomes_on_ray(ray_nodes, [1, "bug", 2], limits=limits)
    assert "steps.py" in str(fault.value.__cause__)


def test_an_item_that_hangs_or_eats_memory_costs_itself_alone(ray_nodes: Nodes) -> None:
    limits = Limits(seconds=3, memory_bytes=8 << 30)
    items = [1, "dies", 2, "hangs", 3, "eats memory", 4, "no memory", 5, 6, 7]
    assert results(outcomes_on_ray(ray_nodes, items, limits=limits)) == [
        *(2, "worker-died", 4, "video-timeout", 6, "worker-died", 8, "worker-died", 10, 12, 14),
    ]


@pytest.mark.parametrize(("times", "outcome"), [(1, "done"), (2, "done"), (99, "worker-died")])
def test_an_item_whose_process_dies_is_begun_again_and_not_for_ever(
    ray_nodes: Nodes, tmp_path: Path, times: int, outcome: str
) -> None:
    log = tmp_path / "log"
    assert results(outcomes_on_ray(ray_nodes, [1, steps.KilledSome(times, log), 2])) == [2, outcome, 4]
    assert len(log.read_text().splitlines()) == min(times + 1, 3)


SHARDS = 12
OPTIONS = ("--max-samples-per-tar", "1", "--train-split", "3", "--val-split", "1")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of twelve shards, written by one worker of this machine."""
    root = image_dataset(tmp_path_factory.mktemp("undisturbed") / "root", SHARDS)
    assert run_shard(root, *OPTIONS) == 0
    return root


def shard_command(root: Path, nodes: Nodes) -> list[str]:
    where = ["--dataset-root", str(root), "--executor", "ray", "--ray-address", nodes.address]
    return ["shard", *where, *OPTIONS]


def copy_of(undisturbed: Path, folder: Path) -> Path:
    """The dataset before its shards were written."""
    root = folder / "root"
    shutil.copytree(undisturbed, root, ignore=shutil.ignore_patterns("wds"))
    return root


@contextmanager
def disturbed(disturbance: Callable[[], None], folder: Path) -> Iterator[None]:
    """Do something meanwhile, then give the units their sign."""

    def disturb() -> None:
        try:
            disturbance()
        finally:
            (folder / "sign").touch()

    thread = threading.Thread(target=disturb)
    thread.start()
    yield
    thread.join()


def test_a_node_that_is_killed_changes_no_byte(
    ray_nodes: Nodes, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, node = copy_of(undisturbed, tmp_path), ray_nodes.add(num_cpus=1)
    hold_units(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)  # nodes are in other folders

    def kill_node() -> None:
        begun(tmp_path, at_least=WIDTH + 1)  # all nodes are at work, and none goes on
        ray_nodes.kill(node)

    with disturbed(kill_node, tmp_path):
        assert cli.main(shard_command(Path(root.name), ray_nodes)) == 0
    assert tree_bytes(root / "wds") == tree_bytes(undisturbed / "wds")
    attempts = Counter(begun(tmp_path, at_least=SHARDS + 1))
    assert sorted(attempts) == list(range(SHARDS)) and attempts.total() == SHARDS + 1


def test_units_that_the_memory_monitor_kills_are_run_with_more_room_and_no_byte_changes(
    ray_nodes: Nodes, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, told = copy_of(undisturbed, tmp_path), threading.Event()
    always = {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "250"}
    node = ray_nodes.add(num_cpus=1, **always)
    more = ray_cluster.Cluster.more
    asked: list[tuple[float, float]] = []

    def more_room(cluster: ray_cluster.Cluster, cpus: float) -> float:
        asked.append((cpus, more(cluster, cpus)))
        told.set()
        return asked[-1][1]

    monkeypatch.setattr(ray_cluster.Cluster, "more", more_room)
    hold_units(monkeypatch, tmp_path)
    with disturbed(lambda: told.wait(steps.PATIENCE_SECONDS), tmp_path):  # type: ignore[arg-type]
        assert cli.main(shard_command(root, ray_nodes)) == 0
    ray_nodes.kill(node)
    assert tree_bytes(root / "wds") == tree_bytes(undisturbed / "wds")
    assert set(asked) == {(1.0, 2.0)}  # and a node of two CPUs had no such monitor


def test_a_driver_that_is_told_to_stop_or_killed_is_started_again_and_no_byte_changes(
    ray_nodes: Nodes, undisturbed: Path, tmp_path: Path
) -> None:
    root = copy_of(undisturbed, tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(TESTS)])}
    for number, status in {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}.items():
        (tmp_path / number.name).mkdir()
        command = [sys.executable, "-m", "pipeline.ray_nodes", str(tmp_path / number.name)]
        driver = subprocess.Popen(
            [*command, *shard_command(root, ray_nodes)], env=environment, stderr=subprocess.PIPE, text=True
        )
        begun(tmp_path / number.name, at_least=WIDTH)
        driver.send_signal(number)
        _, told = driver.communicate(timeout=steps.PATIENCE_SECONDS)
        assert driver.returncode == status
        assert number == signal.SIGKILL or told.splitlines()[-1].endswith("run the same command again to go on")
    assert cli.main(shard_command(root, ray_nodes)) == 0
    assert tree_bytes(root / "wds") == tree_bytes(undisturbed / "wds")


def test_a_cluster_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    import ray

    ray.shutdown()
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port}")
    for address in ("auto", f"127.0.0.1:{closed_port}", f"ray://localhost:{closed_port}", "nonsense"):
        with pytest.raises(InputError, match="no Ray cluster answers") as error:
            list(run_each(step, [1], workers=1, executor=RayExecutor(RayOptions(address))))
        assert address in str(error.value) and "\n" not in str(error.value)


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("options", [{"cpus": 3.0}, {"memory_bytes": 9 << 30}])
def test_a_unit_that_is_larger_than_any_node_is_refused(ray_nodes: Nodes, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="no node of the Ray cluster has so much \\(2 CPUs and .*1 CPUs"):
        outcomes_on_ray(ray_nodes, [1], **options)


@pytest.mark.parametrize(
    ("options", "width"), [({"cpus": 0.1}, 30), ({"cpus": 2.0}, 1), ({"memory_bytes": 4 << 30}, 3)]
)
def test_as_many_units_run_as_the_nodes_have_room_for(ray_nodes: Nodes, options: dict[str, Any], width: int) -> None:
    cluster_options = RayOptions(ray_nodes.address, **options)
    ray = ray_cluster.connected(cluster_options)
    ray_nodes.settle(num_cpus=3)  # what other tests killed may still be counted
    assert ray_cluster.Cluster(ray, cluster_options).width == width


class FakeRay:
    """Says what nodes there are."""

    def __init__(self, *cpus: float) -> None:
        self.cpus = cpus

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": cpus}} for cpus in self.cpus] + [{"Alive": False, "Resources": {}}]


def test_a_run_waits_for_nodes_when_all_have_gone_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    ray, clock = FakeRay(4.0, 2.0), [0.0]
    monkeypatch.setattr(ray_cluster, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    cluster = ray_cluster.Cluster(ray, RayOptions(cpus=2.0))
    assert (cluster.width, cluster.more(2.0), cluster.more(4.0)) == (3, 4.0, 4.0)
    patience = ray_cluster._PATIENCE_SECONDS
    for number in (1, 2):
        ray.cpus, clock[0] = (1.0,), number * patience - 1
        cluster.look()
        assert cluster.width == 1
        ray.cpus, clock[0] = (8.0,), number * patience
        cluster.look()
        assert cluster.width == 4
    ray.cpus, clock[0] = (), 3 * patience
    cluster.look()
    clock[0] += 1
    with pytest.raises(ToolkitError, match="no node that is large enough .* run the same command again to go on"):
        cluster.look()


def test_a_node_with_another_version_ends_the_run_and_is_named(ray_nodes: Nodes, tmp_path: Path) -> None:
    library = Path(mm2energon.__file__).parent
    shutil.copytree(library, tmp_path / "mm2energon", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "mm2energon/__init__.py").write_text('__version__ = "0.0.1"\n')
    node = ray_nodes.add(num_cpus=4, PYTHONPATH=str(tmp_path))
    with pytest.raises(ToolkitError) as error:
        outcomes_on_ray(ray_nodes, [1], cpus=4.0)
    assert f"{socket.gethostname()} has mm2energon 0.0.1; {mm2energon.__version__} was expected" in str(error.value)
    ray_nodes.kill(node)


def test_a_node_without_mm2energon_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mm2energon.pipeline.worker", None)
    told = on_ray._task()(b"", mm2energon.__version__, "")
    assert f"{socket.gethostname()} has no mm2energon" in str(told)
