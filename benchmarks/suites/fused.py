"""Fused: videos to shards in one go, beside the two usual scripts one after the other."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.measure import Contender, Sample, ours, race, run_command
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting
from benchmarks.suites.folders import empty, video_dataset
from benchmarks.suites.shards import prepare

#: Options that make one command of ours go from videos to shards.
ONE_GO = ("--extract",)
WORKERS = 2
COPIES = 2
FASTER = {0.5: 3.2, 1.0: 3.7, 5.0: 4.5}


def run(setting: Setting, results: Results) -> None:
    """Measure each interval over the clips that OpenCV can decode."""
    videos = [setting.data / "clips" / clip.file for clip in setting.scale.clips if clip.codec != "av1"]
    for interval in setting.scale.intervals:
        work = f"{len(videos) * COPIES} videos to shards, every {interval:g} s, {WORKERS} workers"
        setting.say(f"fused: {work}")
        found = race(_contenders(setting.scratch / "fused", videos, interval), setting.repeats)
        for row in results.add_race("fused", work, found):
            target = FASTER.get(interval)
            results.figures.append(
                Figure("fused", work, row.baseline, "faster", row.cpu_ratio, row.wall_ratio, target=target)
            )
    shutil.rmtree(setting.scratch / "fused", ignore_errors=True)


def _contenders(folder: Path, videos: list[Path], interval: float) -> dict[str, Contender]:
    root, output = folder / "root", folder / "wds"

    def fresh() -> None:
        video_dataset(root, videos, copies=COPIES)
        empty(output)

    def mine() -> Sample:
        fresh()
        options = ("--dataset-root", root, "--output", output / "ours", "--time-interval", str(interval))
        return run_command(ours("shard", *options, "--workers", str(WORKERS), *ONE_GO))

    def theirs() -> Sample:
        fresh()
        python = [sys.executable, "-m"]
        extracted = run_command([*python, "benchmarks.baselines.opencv_script", root, str(interval)])
        sharded = run_command([*python, "benchmarks.baselines.shard_script", "reencode", root, output])
        return extracted + sharded + prepare(output)

    return {"mm2energon": mine, "the two scripts": theirs}
