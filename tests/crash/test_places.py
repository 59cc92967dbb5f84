"""Places that are none, or not ours: one clear line, nothing corrupt; once it is mended the same command does the rest.

Commands run without root's right to read and write everything (`forks`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline.making import set_aside

from crash.faults import QUIET
from crash.forks import Ended, Forks
from crash.runs import Case, contents, difference, half_written

DENIED = "Permission denied; change its mode or owner, or work on a copy"


def one_line(ended: Ended) -> str:
    """The one line of a run that failed."""
    assert ended.status == 1 and ended.error.startswith("error: ") and ended.error.count("\n") == 1, ended
    return ended.error


def identity(place: Path) -> tuple[int, int, int]:
    """What tells whether a file or a link is still the same."""
    found = place.lstat()
    return found.st_ino, found.st_mode, found.st_mtime_ns


def lay(place: Path, kind: str) -> None:
    """Put something of another kind into a place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.write_text("theirs")
    elif kind == "pipe":
        os.mkfifo(place)
    else:  # of links: the place that they lead to
        place.symlink_to(kind)


MODES = [
    ("normalize", "", 0o555, "data: Permission denied"),
    ("normalize", "train.json", 0, "train.json: Permission denied"),
    ("frames", "", 0o555, "data: Permission denied"),
    ("frames", "train.json", 0, "passed over: train.json (cannot be read (Permission denied))"),
    ("shard", "", 0o555, "--output {root}/wds: cannot be made (Permission denied)"),
    ("shard", "", 0, "dataset.json: Permission denied"),
    ("shard", "dataset.json", 0, "dataset.json: cannot be read (Permission denied)"),
    ("shard --extract", "", 0o555, "--output {root}/wds: cannot be made (Permission denied)"),
]


@pytest.mark.parametrize(("name", "place", "mode", "said"), MODES)
def test_a_place_that_is_not_ours_is_named_and_opened_the_same_command_does_all(
    forks: Forks, cases: dict[str, Case], name: str, place: str, mode: int, said: str
) -> None:
    case = cases[name]
    path = case.renew() / place
    before = contents(case.root)
    path.chmod(mode)
    ended = forks.run(case.arguments, QUIET)
    path.chmod(0o755)
    assert said.format(root=case.root) in one_line(ended)
    assert contents(case.root) == before or name == "frames" or ".mm2energon" not in one_line(ended)
    assert not half_written(case)
    assert forks.run(case.arguments, QUIET).status == case.status
    assert not difference(case)


FINISHED = [
    *((name, place) for name in ("frames", "normalize") for place in ("set_aside.jsonl", "report.json")),
    ("frames", "dataset.json"),
    ("normalize", "normal.json"),
    ("normalize", ".mm2energon/outputs.json"),
    ("frames", ".mm2energon/outputs.json"),
    ("shard", "wds/report.json"),
    ("shard", "wds/.nv-meta/mm2energon.json"),
]


@pytest.mark.parametrize(("name", "place"), FINISHED)
def test_what_an_earlier_run_wrote_and_may_not_be_read_is_named_and_stays(
    forks: Forks, cases: dict[str, Case], name: str, place: str
) -> None:
    case = cases[name]
    path = case.renew() / place
    assert forks.run(case.arguments, QUIET).status == case.status
    path.chmod(0)
    ended = forks.run(case.arguments, QUIET)
    path.chmod(0o644)
    assert f"{path}: " in (line := one_line(ended)) and "Permission denied" in line
    assert not half_written(case)
    again = forks.run(case.arguments, QUIET)
    assert again.status == case.status and "complete already" in again.said
    assert not difference(case)


IN_THE_WAY = [
    (name, place, kind)
    for name, output in (("frames", "dataset.json"), ("normalize", "normal.json"))
    for place in (".mm2energon", f".{output}.lock")
    for kind in ("folder", "file", "pipe", "gone", "gone/and/away", "/dev/full")
    if kind != "folder" or place != ".mm2energon"
    if kind not in ("file", "pipe") or place == ".mm2energon"
]
IN_THE_WAY += [("normalize", "normal.json", kind) for kind in ("folder", "file", "pipe", "/dev/null", "/dev/full")]
IN_THE_WAY += [("frames", "dataset.json", kind) for kind in ("folder", "file", "pipe", "/dev/null")]
IN_THE_WAY += [("shard", "wds", kind) for kind in ("file", "pipe", "gone", "/dev/null", "/dev/full")]
IN_THE_WAY += [("shard", "wds/.mm2energon", kind) for kind in ("file", "pipe", "gone", "/dev/null")]
IN_THE_WAY += [("shard", "wds/.nv-meta", kind) for kind in ("file", "pipe", "gone", "/dev/null")]


@pytest.mark.parametrize(("name", "place", "kind"), IN_THE_WAY)
def test_what_stands_in_the_place_of_a_file_of_ours_is_named_and_stays(
    forks: Forks, cases: dict[str, Case], name: str, place: str, kind: str
) -> None:
    case = cases[name]
    path = case.renew() / place
    lay(path, kind)
    about = identity(path)
    line = one_line(forks.run(case.arguments, QUIET))
    assert str(path) in line or f"({path.name})" in line
    assert identity(path) == about or kind == "folder"
    assert not (case.root / "gone").exists()
    shutil.rmtree(path) if kind == "folder" else path.unlink()
    assert forks.run(case.arguments, QUIET).status == case.status
    assert not difference(case)


@pytest.mark.parametrize("kind", ["folder", "file", "pipe", "/dev/null", "/dev/full"])
@pytest.mark.parametrize("place", ["set_aside.jsonl", "report.json"])
@pytest.mark.parametrize("name", ["frames", "normalize", "shard --extract"])
def test_what_has_the_name_of_an_account_stays_and_the_account_has_another(
    forks: Forks, cases: dict[str, Case], name: str, place: str, kind: str
) -> None:
    case = cases[name]
    folder = case.renew() / ("wds" if name.startswith("shard") else "")
    lay(folder / place, kind)
    about = identity(folder / place)
    ended = forks.run(case.arguments, QUIET)
    assert ended.status == case.status, ended
    assert identity(folder / place) == about
    stem, _, suffix = place.partition(".")
    other = {"frames": "dataset", "normalize": "normal", "shard --extract": "wds"}[name]
    assert (folder / f"{stem}.{other}.{suffix}").is_file()


UNREADABLE = [
    ("frames", "a.mp4", "unreadable-video", 1),
    ("frames", "sub", "missing-media", 1),
    ("frames", "sub/more.tar", "missing-media", 1),
    ("shard", "p1.jpg", "unreadable-image", 1),
    ("shard --extract", "v0.mp4", "unreadable-video", 2),
    ("shard", "v0/000001.jpg", "unreadable-image", 2),
]


@pytest.mark.parametrize(("name", "place", "reason", "count"), UNREADABLE)
def test_one_medium_that_may_not_be_read_costs_its_entries_alone(
    forks: Forks, cases: dict[str, Case], name: str, place: str, reason: str, count: int
) -> None:
    case = cases[name]
    path = case.renew() / place
    path.chmod(0)
    ended = forks.run(case.arguments, QUIET)
    path.chmod(0o755)
    assert ended.status == 3 and not ended.error, ended
    lines = set_aside(case.root / ("wds" if name.startswith("shard") else ""))
    usual = {"bad"} | ({"c.mp4"} if name == "frames" else set())
    extra = [line for line in lines if line["entry"].get("id") not in usual]
    assert [line["reason"] for line in extra] == [reason] * count
    restart = ["--restart"] if name.startswith("shard") else []
    assert forks.run([*case.arguments, *restart], QUIET).status == case.status
    assert not difference(case)


@pytest.fixture(scope="module")
def finished(forks: Forks, cases: dict[str, Case]) -> Iterator[Path]:
    """Finished shards."""
    case = cases["shard"]
    with tempfile.TemporaryDirectory() as folder:
        case.renew()
        assert forks.run(case.arguments, QUIET).status == case.status
        yield Path(shutil.copytree(case.root / "wds", Path(folder) / "wds"))


@pytest.fixture
def shards(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "wds"))


def looks(shards: Path) -> dict[str, list[str]]:
    """What only looks at shards, and what writes others."""
    return {
        "verify": ["verify", str(shards), "--skip-energon"],
        "info": ["info", str(shards)],
        "doctor": ["doctor", str(shards)],
        "retarget": ["retarget", str(shards), "--target", "bridge"],
        "repair": ["repair", str(shards), "--output", str(shards.parent / "new"), "--train-split", "1"],
    }


TAR = "train-shard-000000.tar"
METADATA = ["mm2energon.json", "split.yaml", "dataset.yaml", ".info.json", "index.sqlite"]


@pytest.mark.parametrize("command", ["verify", "info", "doctor", "retarget", "repair"])
@pytest.mark.parametrize("place", [TAR, f"{TAR}.idx", *(f".nv-meta/{name}" for name in METADATA)])
def test_shards_and_metadata_that_are_pipes_keep_nobody_waiting(
    forks: Forks, shards: Path, command: str, place: str
) -> None:
    (shards / place).unlink()
    os.mkfifo(shards / place)
    ended = forks.run(looks(shards)[command], QUIET)
    assert ended.status in (0, 1, 3) and "Traceback" not in ended.error
    if command == "verify":
        assert ended.status == 1 and Path(place).name in ended.said + ended.error


@pytest.mark.parametrize("place", [TAR, f"{TAR}.idx", *(f".nv-meta/{name}" for name in METADATA)])
def test_verify_names_each_file_that_is_a_device_or_may_not_be_read(forks: Forks, shards: Path, place: str) -> None:
    (shards / place).rename(shards / "kept")
    lay(shards / place, "/dev/zero")
    ended = forks.run(looks(shards)["verify"], QUIET)
    assert ended.status == 1 and Path(place).name in ended.said + ended.error and "Traceback" not in ended.error
    (shards / "kept").replace(shards / place)
    (shards / place).chmod(0)
    ended = forks.run(looks(shards)["verify"], QUIET)
    assert ended.status == 1 and Path(place).name in ended.said + ended.error and "Errno" not in ended.said
    if place == TAR:
        assert f"FAULT {TAR}: Permission denied" in ended.said


@pytest.mark.parametrize("command", ["doctor", "repair"])
@pytest.mark.parametrize("place", ["", TAR, f"{TAR}.idx", ".nv-meta", *(f".nv-meta/{name}" for name in METADATA[:4])])
def test_what_may_not_be_read_is_not_taken_for_broken_and_nothing_is_mended_without_it(
    forks: Forks, shards: Path, command: str, place: str
) -> None:
    mode = (shards / place).stat().st_mode
    (shards / place).chmod(0)
    line = one_line(forks.run(looks(shards)[command], QUIET))
    (shards / place).chmod(mode)
    assert str(shards / place) in line and DENIED in line
    assert [path.name for path in shards.parent.iterdir()] == ["wds"]
    assert forks.run(looks(shards)[command], QUIET).status == 0


def test_retarget_and_repair_say_where_they_may_not_write_and_change_nothing(forks: Forks, shards: Path) -> None:
    before = contents(shards.parent)
    (shards / ".nv-meta").chmod(0o555)
    shards.parent.chmod(0o555)
    for command in ("retarget", "repair"):
        assert "Permission denied" in one_line(forks.run(looks(shards)[command], QUIET))
        assert contents(shards.parent) == before
    (shards / ".nv-meta").chmod(0o755)
    shards.parent.chmod(0o755)
    for command in ("retarget", "repair"):
        assert forks.run(looks(shards)[command], QUIET).status == 0
