"""Frames: JPEGs of one video at an interval, with one worker, beside others and beside the floor of decoding."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import Contender, Sample, ours, race, run_child, run_command
from benchmarks.results import Figure, Results, Row, geometric_mean
from benchmarks.scale import Setting
from benchmarks.suites.folders import empty, video_dataset

#: Another Python that has torchcodec, where this one's torch does not suit it.
TORCHCODEC_PYTHON = os.environ.get("TORCHCODEC_PYTHON", sys.executable)

#: Contender -> what a child runs.
TASKS = {
    "mm2energon": "baselines.video:ours",
    "OpenCV loop": "baselines.video:opencv",
    "OpenCV loop, one thread": "baselines.video:opencv_one_thread",
    "ffmpeg": "baselines.video:ffmpeg",
    "decord": "baselines.video:decord",
    "torchcodec": "baselines.video:torchcodec",
    "decode floor": "baselines.floors:decode",
    "decode floor, referenced frames alone": "baselines.floors:decode_referenced",
    "decode floor and JPEG": "baselines.floors:decode_and_encode",
}
#: Baseline -> interval -> at least so many times faster in CPU.
FASTER: dict[str, dict[float, float]] = {
    "OpenCV loop": {0.5: 1.9, 1.0: 2.0, 5.0: 3.9, 30.0: 33.0},
    "ffmpeg": {0.5: 1.8, 1.0: 1.95, 5.0: 3.5, 30.0: 29.0},
    "decord": dict.fromkeys((0.5, 1.0, 5.0, 30.0), 1.0),
    "torchcodec": dict.fromkeys((0.5, 1.0, 5.0, 30.0), 1.0),
}
#: At most so much of the floor's CPU.
OF_FLOOR = 1.15


@dataclass(frozen=True)
class Work:
    """One video at one interval."""

    video: Path
    interval: float
    seconds: float | None
    #: What it is summed up as, with others.
    kind: str

    def __str__(self) -> str:
        return f"{self.video.stem} every {self.interval:g} s"


def run(setting: Setting, results: Results) -> None:
    """Measure each clip at each interval, the long ones at theirs, and the command over a whole folder."""
    by_kind: dict[tuple[str, float], list[Row]] = {}
    for work in _works(setting):
        setting.say(f"frames: {work}")
        rows = results.add_race("frames", str(work), race(_contenders(work, setting), setting.repeats))
        by_kind.setdefault((work.kind, work.interval), []).extend(rows)
        results.left_out += _other_counts(work, rows)
        results.figures += _cost(work, rows)
    for (kind, interval), rows in by_kind.items():
        results.figures += _figures(kind, interval, rows)
    _whole_folder(setting, results)


def _works(setting: Setting) -> Iterator[Work]:
    clips = setting.data / "clips"
    for interval in setting.scale.intervals:
        kind = f"frames every {interval:g} s"
        for clip in setting.scale.clips:
            yield Work(clips / clip.file, interval, clip.minutes * 60, kind)
        for video in setting.media:
            yield Work(video, interval, None, kind)
    interval = setting.scale.long_interval
    for clip in setting.scale.long_clips:
        # How much can be passed over is a matter of how far apart key frames are, so that no mean tells it.
        keys = "x264's own key frames" if clip.gop is None else f"a key frame every {clip.gop / clip.fps:g} s"
        kind = f"frames every {interval:g} s, {keys}"
        yield Work(clips / clip.file, interval, clip.minutes * 60, kind)


def _contenders(work: Work, setting: Setting) -> dict[str, Contender]:
    return {name: _contender(name, task, work, setting) for name, task in TASKS.items()}


def _contender(name: str, task: str, work: Work, setting: Setting) -> Contender:
    def run_once() -> Sample:
        folder = empty(setting.scratch / "frames")
        video = folder / work.video.name
        shutil.copyfile(work.video, video)
        output = video.with_suffix("") if name == "mm2energon" else folder / "frames"
        python = TORCHCODEC_PYTHON if name == "torchcodec" else sys.executable
        return run_child(task, python=python, video=video, output=output, interval=work.interval)

    return run_once


def _figures(work: str, interval: float, rows: list[Row]) -> Iterator[Figure]:
    """Geometric means over the clips that a baseline can decode."""
    for name in TASKS:
        mine = [row for row in rows if row.baseline == name]
        if not mine:
            continue
        cpu, wall = geometric_mean(row.cpu_ratio for row in mine), geometric_mean(row.wall_ratio for row in mine)
        note = f"{len(mine)} video{'' if len(mine) == 1 else 's'}"
        if name.startswith("decode floor"):
            target = OF_FLOOR if name == "decode floor" else None
            yield Figure("frames", work, name, "cost", 1 / cpu, 1 / wall, target=target, note=note)
        else:
            yield Figure(
                "frames", work, name, "faster", cpu, wall, target=FASTER.get(name, {}).get(interval), note=note
            )


def _other_counts(work: Work, rows: list[Row]) -> Iterator[tuple[str, str, str, str]]:
    """Baselines that took another number of frames than ours; they are measured all the same."""
    for row in rows:
        counts = row.ours_facts["frames"], row.baseline_facts.get("frames")
        if counts[1] is not None and counts[0] != counts[1]:
            yield (
                "frames",
                str(work),
                row.baseline,
                "took another number of frames than mm2energon; measured all the same",
            )


def _cost(work: Work, rows: list[Row]) -> Iterator[Figure]:
    """CPU seconds of ours for a minute of video: what the model of the cost is made of."""
    if work.seconds is not None and rows:
        minutes, facts = work.seconds / 60, rows[0].ours_facts
        yield Figure(
            "cost",
            work.video.stem,
            f"{work.interval:g} s",
            "value",
            value=round(median(rows[0].ours_cpu_seconds) / minutes, 3),
            wall=round(median(rows[0].ours_wall_seconds) / minutes, 3),
            unit="CPU s a minute",
            note=f"{facts['bytes'] / max(facts['frames'], 1) / 1e3:.0f} KB",
        )


def _whole_folder(setting: Setting, results: Results) -> None:
    """The command over a folder of videos, start included, against a script that does the OpenCV loop."""
    interval = setting.scale.intervals[-1]
    folder = setting.scratch / "folder"
    videos = [setting.data / "clips" / clip.file for clip in setting.scale.clips if clip.codec != "av1"]

    def mine() -> Sample:
        video_dataset(folder, videos)
        options = (
            "--dataset-root",
            folder,
            "--time-interval",
            str(interval),
            "--workers",
            "1",
            "--output-json",
            "d.json",
        )
        return run_command(ours("frames", *options))

    def loop() -> Sample:
        video_dataset(folder, videos)
        script = [sys.executable, "-m", "benchmarks.baselines.opencv_script"]
        return run_command([*script, folder, str(interval), "1"])

    setting.say("frames: the command over a folder")
    work = f"`mm2energon frames` over {len(videos)} videos, every {interval:g} s"
    found = race({"mm2energon": mine, "OpenCV script": loop}, setting.repeats)
    for row in results.add_race("frames", work, found):
        results.figures.append(Figure("frames", work, row.baseline, "faster", row.cpu_ratio, row.wall_ratio))
    shutil.rmtree(folder, ignore_errors=True)
