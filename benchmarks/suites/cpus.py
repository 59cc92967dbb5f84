"""Workers: the same videos with two workers and with one."""

from __future__ import annotations

import shutil

from benchmarks.measure import Contender, Sample, ours, race, run_command
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting
from benchmarks.suites.folders import video_dataset

INTERVAL = 0.5
COPIES = 3
FASTER = 1.8


def run(setting: Setting, results: Results) -> None:
    """Measure `mm2energon frames` over many clips."""
    folder = setting.scratch / "workers"
    videos = [setting.data / "clips" / clip.file for clip in setting.scale.clips]

    def with_workers(workers: int) -> Contender:
        def run_once() -> Sample:
            video_dataset(folder, videos, copies=COPIES)
            options = ("--dataset-root", folder, "--time-interval", str(INTERVAL), "--output-json", "d.json")
            return run_command(ours("frames", *options, "--workers", str(workers)))

        return run_once

    work = f"frames of {len(videos) * COPIES} videos every {INTERVAL:g} s, 2 workers"
    setting.say(f"workers: {work}")
    found = race({"mm2energon": with_workers(2), "1 worker": with_workers(1)}, setting.repeats)
    for row in results.add_race("workers", work, found):
        results.figures.append(
            Figure(
                "workers",
                work,
                row.baseline,
                "faster",
                row.cpu_ratio,
                row.wall_ratio,
                target=FASTER,
                target_on=("wall",),
            )
        )
    shutil.rmtree(folder, ignore_errors=True)
