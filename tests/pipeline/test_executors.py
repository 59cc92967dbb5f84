"""Executors: workers of this machine, Ray and arrays of tasks leave the same files, byte for byte, and say the same."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from media import write_clip
from mm2energon import cli
from mm2energon.pipeline import convert_parts
from mm2energon.remote import Remote

from pipeline.making import image_entry, text_entry, tree_bytes, video_entry, write_images, write_json
from pipeline.ray_nodes import Nodes

pytest_plugins = ["stores"]
pytestmark = pytest.mark.ray

TASKS = 2
UNITS_WAIT = 4
#: Commands whose tasks are processes of their own; those of the others run here, for they take a second each to start.
IN_PROCESSES = ("frames", "shard")
#: Runs a command to its end; its exit status, and what it says.
Way = Callable[[list[str]], tuple[int, str]]


def here(words: list[str]) -> tuple[int, str]:
    """A command in this process."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = cli.main(words)
    return status, said.getvalue()


def local(workers: int) -> Way:
    return lambda words: here([*words, "--workers", str(workers)])


def ray(nodes: Nodes) -> Way:
    return lambda words: here([*words, "--executor", "ray", "--ray-address", nodes.address])


def array(folder: Path) -> Way:
    """Tasks in any order: of some commands processes, all at a time."""

    def run(words: list[str]) -> tuple[int, str]:
        plan = ["--plan", str(folder / words[0])]
        assert cli.main(["plan", *words, *plan]) == 0
        status, said = UNITS_WAIT, ""
        while status == UNITS_WAIT:
            run_tasks(plan, in_processes=words[0] in IN_PROCESSES)
            status, said = here(["finalize", *plan])
        return status, said

    return run


def run_tasks(plan: list[str], *, in_processes: bool) -> None:
    order = random.Random(7).sample(range(TASKS), TASKS)
    tasks = [["run", *plan, "--index", str(index), "--of", str(TASKS), "--workers", "1"] for index in order]
    if not in_processes:
        assert [cli.main(task) for task in tasks] == [0] * TASKS
        return
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [subprocess.Popen([sys.executable, "-m", "mm2energon", *task], env=environment) for task in tasks]
    assert [task.wait() for task in started] == [0] * TASKS


def make_dataset(root: Path) -> None:
    """Videos, one of them broken, images and text, in two annotation files."""
    images = write_images(root, 5)
    (root / "clips").mkdir()
    for number in range(4):
        write_clip(root / f"clips/{number}.mp4", frames=12 + number, rate=8)
    (root / "clips/broken.mp4").write_bytes((root / "clips/0.mp4").read_bytes()[:900])
    videos = [*(f"clips/{number}.mp4" for number in range(4)), "clips/broken.mp4"]
    write_json(root / "a.json", [*map(video_entry, videos), *map(image_entry, images)])
    write_json(root / "b.json", [text_entry(number) for number in range(5)])


def damage(shard: Path) -> None:
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 1
    shard.write_bytes(data)


@pytest.fixture(scope="module")
def left(ray_nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By way, the dataset, its shards, a report, and what verify says of a damaged shard."""
    base = tmp_path_factory.mktemp("ways")
    ways = {"1 worker": local(1), "2 workers": local(2), "ray": ray(ray_nodes), "array": array(base / "plans")}
    for name, way in ways.items():
        root = base / name / "root"
        make_dataset(root)
        where = ["--dataset-root", str(root), "--allow-set-aside"]
        assert way(["frames", *where, "--time-interval", "0.5"])[0] == 0
        assert way(["shard", *where, "--max-samples-per-tar", "2", "--train-split", "3", "--val-split", "1"])[0] == 0
        page = ["--output", str(root / "page.html"), "--json", str(root / "page.json")]
        assert way(["report", str(root / "wds"), *page])[0] == 0
        damage(root / "wds/train-shard-000001.tar")
        status, text = way(["verify", str(root / "wds"), "--deep", "--skip-energon"])
        assert status == 1 and "FAULT" in text
        (root / "verify.txt").write_text(text)
    return {name: base / name / "root" for name in ways}


def files(root: Path) -> dict[str, bytes]:
    """The files, but for the ledger and other notes of where things lie; the place of the root left out."""
    place = re.compile(re.escape(str(root).encode()))
    return {name: place.sub(b"ROOT", data) for name, data in tree_bytes(root).items() if not name.startswith(".mm2")}


@pytest.mark.parametrize("way", ["2 workers", "ray", "array"])
def test_every_way_leaves_the_files_of_one_worker(left: dict[str, Path], way: str) -> None:
    expected, found = files(left["1 worker"]), files(left[way])
    assert sum(name.endswith(".tar") for name in expected) >= 6
    assert sum(name.endswith(".jpg") for name in expected) >= 5 + 4 * 3
    assert {"page.html", "page.json", "verify.txt", "dataset.json", "wds/.nv-meta/index.sqlite"} <= set(expected)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


@pytest.mark.parametrize("command", ["frames", "shard"])
def test_a_machine_that_does_not_see_the_dataset_takes_nothing_for_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    root, elsewhere, wds = tmp_path / "root", tmp_path / "elsewhere", tmp_path / "wds"
    name = write_images(root, 1)[0]
    write_clip(root / "clip.mp4", frames=4, rate=2)
    write_json(root / "dataset.json", [video_entry("clip.mp4") if command == "frames" else image_entry(name)])
    output = ["--output-json", "out.json"] if command == "frames" else ["--output", str(wds)]
    plan = ["--plan", str(tmp_path / "plan")]
    assert cli.main(["plan", command, "--dataset-root", str(root), *output, *plan]) == 0
    root.rename(elsewhere)
    task = ["run", *plan, "--index", "0", "--of", "1", "--workers", "1"]
    capsys.readouterr()
    assert cli.main(task) == 1
    assert f"{root}: is no folder on {socket.gethostname()}; all machines must see it" in capsys.readouterr().err
    root.mkdir()  # the place of a mount, and nothing in it
    assert cli.main(task) == 1
    what = "clip.mp4: had " if command == "frames" else "root: is an empty folder "
    told = capsys.readouterr().err
    assert what in told and f"on {socket.gethostname()}; all machines must see it" in told
    root.rmdir()
    elsewhere.rename(root)
    assert cli.main(task) == 0
    assert cli.main(["finalize", *plan]) == 0


def test_nodes_write_from_a_store_to_a_store_what_one_worker_writes_here(
    ray_nodes: Nodes, s3: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    make_dataset(root)
    Remote(s3).send([path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()], root)
    options = ["--json", "a.json", "--json", "b.json", "--max-samples-per-tar", "3", "--allow-set-aside"]
    assert local(1)(["shard", "--dataset-root", str(root), *options])[0] == 0
    assert ray(ray_nodes)(["shard", "--dataset-root", s3, *options])[0] == 0
    made = tmp_path / "made"
    Remote(f"{s3}/wds").fetch([name for name, _ in Remote(f"{s3}/wds").files(deep=True)], made)
    names_places = ("set_aside.jsonl", ".mm2energon/outputs.json")
    expected = {name: data for name, data in tree_bytes(root / "wds").items() if name not in names_places}
    assert {name: data for name, data in tree_bytes(made).items() if name not in names_places} == expected


def test_nodes_convert_stretches_to_the_file_that_one_process_writes(
    ray_nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert_parts, "PART_BYTES", 300)
    lines = [json.dumps(text_entry(number, id=number)) for number in range(20)]
    source, outputs = tmp_path / "in.jsonl", [tmp_path / name / "out.jsonl" for name in ("here", "there")]
    source.write_text("\n".join([*lines, "no json"]))
    for output, way in zip(outputs, (local(1), ray(ray_nodes)), strict=True):
        output.parent.mkdir()
        assert way(["convert", str(source), str(output), "--to", "messages", "--allow-set-aside"])[0] == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes() and outputs[0].read_bytes().count(b"\n") == 20
