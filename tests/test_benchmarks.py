"""The benchmarks measure what they say: each suite gives rows, all contenders take the same frames, tables are true.

Nothing here looks at how long anything took.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from media import read_numbers, write_clip

from benchmarks import report
from benchmarks.baselines import opencv_script
from benchmarks.baselines.wanted import wanted_frames
from benchmarks.measure import Race, Sample, Unfit, environment, race, run_child, run_command
from benchmarks.results import Figure, Results, geometric_mean, load_figures, save
from benchmarks.scale import TINY, Setting
from benchmarks.suites import SUITES, frames

ROOT = Path(__file__).resolve().parents[1]
#: Of a clip of 45 frames at 10 fps: the frame on the screen at 0, 0.25, 0.5, ... seconds, and at 0, 2, 4.
EVERY_QUARTER = [number * 10 // 4 for number in range(18)]
EVERY_TWO_SECONDS = [0, 20, 40]
WRITING = [name for name in frames.TASKS if name not in ("decode floor", "decode floor, referenced frames alone")]
CODECS = ("h264", "hevc", "vp9")
#: decord hands over other frames where groups are open, as x265 makes them.
EXACT = [(name, codec) for name in WRITING for codec in CODECS if (name, codec) != ("decord", "hevc")]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of the smallest scale."""
    folder = tmp_path_factory.mktemp("bench") / "tiny"
    for part in ("clips", "pictures", "annotations", "talks"):
        command = [sys.executable, "-m", "benchmarks.making", part, "tiny", str(folder)]
        folder.mkdir(exist_ok=True)
        subprocess.run(command, check=True, cwd=ROOT, env=environment())
    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By codec, 45 numbered pictures at 10 fps in groups of 12, reordered where the codec does that."""
    folder = tmp_path_factory.mktemp("clips")
    options = {"x265-params": "log-level=none:pools=1:bframes=3:open-gop=1:keyint=12:min-keyint=12:scenecut=0"}
    common: dict[str, Any] = {"frames": 45, "rate": 10, "gop": 12}
    return {
        "h264": write_clip(folder / "h264.mp4", b_frames=3, **common),
        "hevc": write_clip(folder / "hevc.mp4", codec="libx265", options=options, **common),
        "vp9": write_clip(folder / "vp9.webm", codec="libvpx-vp9", **common),
    }


def numbers_of(name: str, clip: Path, folder: Path, interval: float) -> list[int | None]:
    """The numbers in the pictures that a contender writes."""
    folder.mkdir()
    video = folder / clip.name
    video.write_bytes(clip.read_bytes())
    output = video.with_suffix("") if name == "mm2energon" else folder / "frames"
    module, function = frames.TASKS[name].split(":")
    task = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    facts = task(video=str(video), output=str(output), interval=interval)()
    paths = sorted(output.iterdir())
    assert facts["frames"] == len(paths)
    assert facts["bytes"] == sum(path.stat().st_size for path in paths)
    return read_numbers(paths)


@pytest.mark.parametrize(("name", "codec"), EXACT)
def test_every_contender_takes_the_frame_on_the_screen_at_each_instant(
    name: str, codec: str, clips: dict[str, Path], tmp_path: Path
) -> None:
    try:
        assert numbers_of(name, clips[codec], tmp_path / "fine", 0.25) == EVERY_QUARTER
        assert numbers_of(name, clips[codec], tmp_path / "coarse", 2.0) == EVERY_TWO_SECONDS
    except Unfit:
        assert name == "torchcodec"  # no build of it suits every torch


@pytest.mark.parametrize("name", sorted(set(frames.TASKS) - set(WRITING)))
@pytest.mark.parametrize("codec", CODECS)
def test_the_floors_decode_the_wanted_frames_and_not_many_more(name: str, codec: str, clips: dict[str, Path]) -> None:
    module, function = frames.TASKS[name].split(":")
    task = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    wanted = wanted_frames(str(clips[codec]), 2.0)
    assert wanted.ordinals == tuple(EVERY_TWO_SECONDS)
    facts = task(video=str(clips[codec]), output="", interval=2.0)()
    assert facts["pts"] == list(wanted.pts)
    assert 3 <= facts["decoded"] < 45


def test_the_usual_script_extracts_each_video_below_a_folder(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4", frames=45, rate=10)
    assert opencv_script.extract(video, 2.0, single=True) == 3
    assert read_numbers(sorted((tmp_path / "a").iterdir())) == EVERY_TWO_SECONDS
    assert json.loads((tmp_path / "a.json").read_text()) == {"fps": "0.5"}


@pytest.mark.parametrize("name", list(SUITES))
def test_each_suite_gives_rows_and_figures(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.suites.startup.TIMES", 1)
    setting = Setting(TINY, data.with_name(f"{name}-data"), 1, (), lambda _text: None)
    setting.data.mkdir()
    for part in ("clips", "pictures", "annotations", "talks"):
        (setting.data / part).symlink_to(data / part)
    results = Results()
    SUITES[name][1](setting, results)
    assert name in {figure.suite for figure in results.figures}
    assert name == "growth" or name in {row.suite for row in results.rows}
    assert {name for _, _, name, _ in results.left_out} <= {"torchcodec", "ijson"}
    for row in results.rows:
        assert len(row.ours_cpu_seconds) == len(row.baseline_wall_seconds) >= 1
        assert row.cpu_ratio > 0
        assert row.wall_ratio > 0
        if row.suite in ("frames", "reading"):
            same = {fact for fact in row.ours_facts if fact != "bytes"} & set(row.baseline_facts)
            assert all(row.ours_facts[fact] == row.baseline_facts[fact] for fact in same)


def test_contenders_run_in_turn_and_one_that_cannot_is_left_out() -> None:
    runs = []

    def contender(name: str) -> Sample:
        runs.append(name)
        if name == "c":
            raise Unfit("not here")
        return Sample(1.0 if name == "a" else 3.0, 2.0, 10.0)

    found = race({name: lambda name=name: contender(name) for name in "abc"}, 2)  # type: ignore[misc]
    assert runs == ["a", "b", "c", "a", "b"]
    assert found.unfit == {"c": "not here"}
    results = Results()
    [row] = results.add_race("suite", "work", found, ours="a")
    assert (row.baseline, row.cpu_ratio, row.wall_ratio) == ("b", 3.0, 1.0)
    assert results.left_out == [("suite", "work", "c", "not here")]


def test_medians_are_compared_and_ratios_are_averaged_as_ratios() -> None:
    samples = {"a": [Sample(cpu, 1.0, 0.0) for cpu in (1.0, 9.0, 2.0)], "b": [Sample(4.0, 1.0, 0.0)] * 3}
    [row] = Results().add_race("suite", "work", Race(samples, {}), ours="a")
    assert row.cpu_ratio == 2.0
    assert geometric_mean([2.0, 8.0]) == 4.0


def test_cpu_of_children_counts_and_a_failure_is_told() -> None:
    spin = "import time\nwhile time.process_time() < 0.2: pass"
    shell = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}], check=True)"
    sample = run_command([sys.executable, "-c", shell], watch=True)
    assert sample.cpu_seconds >= 0.2
    assert sample.peak_mb > 1
    with pytest.raises(RuntimeError, match="exited with 3"):
        run_command([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(RuntimeError, match="No such file"):
        run_child("baselines.reading:json_load", path="/nowhere.json")


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("s", "w", "b", "faster", 2.0, 0.5, target=2.0), True),
        (Figure("s", "w", "b", "faster", 1.9, 9.0, target=2.0), False),
        (Figure("s", "w", "b", "cost", 1.2, 1.3, target=1.2, target_on=("cpu", "wall")), False),
        (Figure("s", "w", "b", "cost", 1.2, 1.2, target=1.2, target_on=("cpu", "wall")), True),
        (Figure("s", "w", "b", "value", value=8.1, unit="MB", target=8.0, target_on=("value",)), False),
        (Figure("s", "w", "b", "faster", 2.0, 2.0), None),
    ],
)
def test_a_target_is_met_by_all_numbers_that_it_is_about(figure: Figure, met: bool | None) -> None:
    assert figure.met is met


def test_tables_are_written_between_their_marks_and_nowhere_else(tmp_path: Path) -> None:
    results = Results(
        figures=[
            Figure("frames", "every 1 s", "ffmpeg", "faster", 2.126, 1.5, target=1.95, note="9 videos"),
            Figure("shards", "17000 files", "tar cf", "cost", 1.3, 1.1, target=1.2, target_on=("cpu", "wall")),
            Figure("cost", "h264-720p", "1 s", "value", value=3.25, unit="CPU s a minute", note="60 KB"),
            Figure("executors", "100 units", "1 worker", "faster", wall=1.96, target=1.8, target_on=("wall",)),
        ]
    )
    save(tmp_path / "results.json", results, suites=["frames", "shards"], scale="tiny", repeats=1, seconds=3.0)
    value = report.load(tmp_path / "results.json")
    assert load_figures(value) == results.figures
    marks = ["<!-- bench:frames -->", "old", "<!-- /bench:frames -->", "between", "<!-- bench:cost -->"]
    text = "\n".join(["before", *marks, "<!-- /bench:cost -->", ""])
    filled = report.fill(text, value)
    assert filled == report.fill(filled, value)
    assert [line for line in filled.splitlines() if not line.startswith(("|", "<!--"))] == ["before", "between"]
    assert "| every 1 s (9 videos) | ffmpeg | 2.13x faster | 1.50x faster | ≥ 1.95x CPU | yes |" in filled
    assert "| h264-720p | 3.25 | 60 KB |" in filled
    assert "| 100 units | 1 worker |  | 1.96x faster | ≥ 1.8x wall | yes |" in report.page(value)
    assert "| h264-720p | 5,420 | 60 KB |" in report.table("cluster", value)
    assert "| 17000 files | tar cf | 1.30x of it | 1.10x of it | ≤ 1.2x CPU and wall | no |" in report.page(value)


def test_the_tables_in_the_documents_are_those_of_the_results() -> None:
    results = report.load(report.RESULTS)
    assert report.PAGE.read_text(encoding="utf-8") == report.page(results)
    for path in report.DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert report.fill(text, results) == text, f"{path.name}: run python -m benchmarks.report"


def test_the_results_hold_each_row_with_all_its_runs() -> None:
    results = report.load(report.RESULTS)
    assert results["machine"]["cores"] >= 1
    for row in results["rows"]:
        runs = {len(row[f"{who}_{what}_seconds"]) for who in ("ours", "baseline") for what in ("cpu", "wall")}
        assert len(runs) == 1
        assert min(runs) >= results["measured"][row["suite"]]["repeats"]


def test_figures_of_other_suites_are_kept_and_those_of_the_same_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.json"

    def figures(**times: float) -> Results:
        return Results(figures=[Figure(suite, "w", "b", "faster", cpu, cpu) for suite, cpu in times.items()])

    save(
        path, figures(frames=1.0, cost=1.0, shards=2.0), suites=["frames", "shards"], scale="tiny", repeats=1, seconds=1
    )
    save(path, figures(frames=3.0), suites=["frames"], scale="tiny", repeats=5, seconds=1)
    value = report.load(path)
    assert {figure.suite: figure.cpu for figure in load_figures(value)} == {"shards": 2.0, "frames": 3.0}
    assert {suite: about["repeats"] for suite, about in value["measured"].items()} == {"frames": 5, "shards": 1}
    save(path, figures(frames=4.0), suites=["frames"], scale="quick", repeats=1, seconds=1)
    assert {figure.suite for figure in load_figures(report.load(path))} == {"frames"}
