"""Parts: what several workers plan, each its stretch of the input, is what one plans."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm2energon import jsonio, jsonplaces
from mm2energon.errors import SampleError
from mm2energon.pipeline import parts, plan
from mm2energon.pipeline.carried import to_json
from mm2energon.pipeline.loop import Outcome

from pipeline.making import image_entry, run_shard, text_entry, tree_bytes, video_entry, write_images, write_json

LINES = st.sampled_from(
    [b'{"a": 1}\n', b'{"b": "\xc3\xa4"}\r\n', b"\n", b"  \n", b"{broken\n", b'[{"c": 2}]\n', b"7\n"]
)


def entries_in(path, about_bytes):
    cuts = [stretch for stretch, _ in jsonplaces.stretches_of(path, about_bytes)]
    return len(cuts), [str(entry) for stretch in cuts for entry in jsonplaces.read_stretch(path, stretch)]


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([b"", b"\xef\xbb\xbf", b'{"first": [1]}\n']),
    lines=st.lists(LINES, max_size=12),
    end=st.sampled_from([b"", b'{"last": 0}', b"{cut o"]),
    about_bytes=st.integers(1, 80),
)
def test_stretches_of_a_file_hold_its_entries_once_with_their_origins(start, lines, end, about_bytes, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "cut.jsonl"
    path.write_bytes(start + b"".join(lines) + end)
    assert entries_in(path, about_bytes)[1] == [str(entry) for entry in jsonio.read_entries(path)]


def test_a_file_of_lines_is_cut_and_an_array_is_not(tmp_path):
    entries = [text_entry(number) for number in range(50)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    write_json(tmp_path / "a.json", entries)
    assert entries_in(tmp_path / "a.jsonl", 500)[0] > 5 and entries_in(tmp_path / "a.json", 500)[0] == 1


def dataset(root):
    """Files of all shapes, with pictures that are shared, a broken video, and entries that are set aside."""
    names = write_images(root, 12)
    texts = [text_entry(number, id=number) for number in range(30)]
    pictures = [image_entry(names[number % 12], id=f"p{number}") for number in range(40)]
    bad = [{"conversations": []}, image_entry("none.jpg"), video_entry("broken.mp4"), 5, [], [text_entry(98), 6]]
    (root / "broken.mp4").write_bytes(b"no video")
    lines = [json.dumps(one).encode() for one in [*texts[:20], *bad, *pictures[:20]]]
    lines[7:7] = [b"", b"{broken", b"  "]
    (root / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    write_json(root / "b.json", [*texts[20:], *bad, *pictures[20:]])
    (root / "c.json").write_text(json.dumps(pictures[:3])[:-30])
    (root / "d").mkdir()
    (root / "d/a.jsonl").write_text(
        "".join(json.dumps(one) + "\n" for one in [text_entry(n, id=-n) for n in range(60)])
    )
    return [option for name in ("a.jsonl", "b.json", "d/a.jsonl", "c.json") for option in ("--json", name)]


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of a few entries; how many there were."""
    monkeypatch.setattr(parts, "PART_BYTES", 700)
    seen = []
    joined = parts.Collected.join

    def join(collected, others, figures):
        seen.append(others.folder.name)
        return joined(collected, others, figures)

    monkeypatch.setattr(parts.Collected, "join", join)
    return seen


@pytest.mark.parametrize(
    "options",
    [
        ("--shuffle", "--max-shard-size", "60K"),
        ("--group-by", "id", "--max-samples-per-tar", 7),
        ("--group-by", "none", "--model", "qwen2-vl", "--max-tokens", 90, "--no-extract"),
    ],
)
def test_several_workers_plan_what_one_plans(tmp_path, small_parts, monkeypatch, options):
    files = dataset(tmp_path)
    plans = []
    kept = plan.Plan.moved
    monkeypatch.setattr(plan.Plan, "moved", lambda one, folder: plans.append(tree_bytes(folder)) or kept(one, folder))
    made = []
    for workers in (1, 2):
        output = tmp_path / "wds"
        assert run_shard(tmp_path, *files, *options, "--workers", workers, "--restart") == 3
        made.append(tree_bytes(output))
    assert len(small_parts) > 8 and small_parts == sorted(small_parts)
    assert plans[0] == plans[1] and "samples.jsonl" in plans[0] and len(plans[0]) > 3
    assert made[0] == made[1]
    report = json.loads(made[1]["report.json"])
    assert report["read"] == sum(report["written"].values()) + sum(report["set_aside"].values()) == 148
    assert report["lost_behind"] == ["c.json[2]"]


def test_one_worker_and_little_input_are_planned_in_one_process(tmp_path, small_parts, monkeypatch):
    files = dataset(tmp_path)
    assert run_shard(tmp_path, *files, "--workers", 1) == 3
    monkeypatch.setattr(parts, "PART_BYTES", 1 << 20)
    assert run_shard(tmp_path, *files, "--workers", 2, "--restart") == 3 and small_parts == []


def test_a_file_that_cannot_be_read_ends_the_run_as_with_one_worker(tmp_path, small_parts, capsys):
    files = dataset(tmp_path)
    (tmp_path / "d/a.jsonl").write_bytes(b"\xff\xfe" + "[]".encode("utf-16-le") * 900)
    said = []
    for workers in (1, 2):
        assert run_shard(tmp_path, *files, "--workers", workers) == 1
        said.append(capsys.readouterr().err.splitlines()[-1])
        assert not list((tmp_path / "wds").rglob("*plan*"))
    assert said[0] == said[1] and "UTF-16" in said[0]


def test_what_parts_wrote_is_open_nowhere_when_it_is_removed(tmp_path, small_parts, monkeypatch):
    """On NFS a folder that holds an open file cannot be removed."""
    files, open_then, remove = dataset(tmp_path), [], parts.shutil.rmtree

    def look(folder, *how, **more):
        opened = map(os.path.realpath, Path("/proc/self/fd").iterdir())
        open_then.extend(path for path in opened if path.startswith(f"{os.path.realpath(folder)}/"))
        remove(folder, *how, **more)

    monkeypatch.setattr(parts.shutil, "rmtree", look)
    assert run_shard(tmp_path, *files, "--workers", 2, "--no-extract") == 3
    assert len(small_parts) > 8 and open_then == []


_CHILD = """
import sys
from mm2energon import cli
from mm2energon.pipeline import parts
parts.PART_BYTES = 700
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_run_that_is_killed_while_it_plans_is_completed_by_the_same_command(tmp_path, small_parts):
    files = dataset(tmp_path)
    assert run_shard(tmp_path, *files, "--workers", 1) == 3
    expected = tree_bytes(tmp_path / "wds")
    killed = tmp_path / "killed"
    command = ["shard", "--dataset-root", str(tmp_path), "--output", str(killed), *files, "--workers", "2"]
    child = subprocess.Popen([sys.executable, "-c", _CHILD, *command], stdout=-3, stderr=-3, start_new_session=True)
    waited = killed / ".mm2energon/shard/plan.new/parts/000003"
    while not waited.exists() and child.poll() is None:
        time.sleep(0.002)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert waited.parent.is_dir()
    assert run_shard(tmp_path, *files, "--workers", 2, "--output", killed) == 3
    found = tree_bytes(killed)
    assert found.keys() == expected.keys() and not (killed / ".mm2energon/shard").exists()
    assert {**found, "report.json": b""} == {**expected, "report.json": b""}


class Elsewhere:
    """Runs steps as a cluster does: from what they are when they are carried there."""

    def __init__(self):
        self.steps = []

    def run(self, step, items, *, limits):
        for item in items:
            self.steps.append(step.__name__)
            try:
                yield Outcome(item, pickle.loads(pickle.dumps(step))(pickle.loads(pickle.dumps(item))))
            except SampleError as error:
                yield Outcome(item, error=error)


def test_a_cluster_prepares_the_parts_where_one_is_asked(tmp_path, small_parts, monkeypatch):
    files = dataset(tmp_path)
    assert run_shard(tmp_path, *files) == 3
    expected = tree_bytes(tmp_path / "wds")
    elsewhere = Elsewhere()
    monkeypatch.setattr("mm2energon.pipeline.on_ray.RayExecutor", lambda _: elsewhere)
    assert run_shard(tmp_path, *files, "--executor", "ray", "--restart") == 3
    assert tree_bytes(tmp_path / "wds") == expected
    assert elsewhere.steps.count("prepare_part") == len(small_parts) > 8 and "write_shard" in elsewhere.steps


def test_a_part_whose_worker_dies_ends_the_run(tmp_path, small_parts, monkeypatch, capsys):
    files = dataset(tmp_path)
    elsewhere = Elsewhere()
    died = SampleError("part 1 of the annotations: its process died", "worker-died")
    monkeypatch.setattr(elsewhere, "run", lambda step, items, limits: (Outcome(item, error=died) for item in items))
    monkeypatch.setattr("mm2energon.pipeline.on_ray.RayExecutor", lambda _: elsewhere)
    assert run_shard(tmp_path, *files, "--executor", "ray", "--no-extract") == 1
    assert "its process died; run the same command again" in capsys.readouterr().err
    assert not list((tmp_path / "wds").rglob("*plan*"))


def test_what_a_part_carries_is_small(tmp_path):
    """A worker, or a node, is told which lines of which files it has, and not what they say."""
    files = dataset(tmp_path)
    how = parts.HowPrepared(tmp_path, "pai-v1", parts.Mending(), "media", 42)
    for number, pieces in enumerate(parts.cut(tmp_path, [tmp_path / name for name in files[1::2]])):
        carried = to_json(parts.Part(number, pieces, how, Path("there"), Path("failures")))
        assert len(carried) < 2000
