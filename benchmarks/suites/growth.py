"""Growth: the cost of one more video or sample when there are many, and the memory that they take."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.measure import Sample, ours, run_command
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting
from benchmarks.suites.folders import empty, video_dataset

#: Peak memory, MB, of a run over a million entries.
PEAK_MB = 250.0
#: Seconds between frames of the small videos.
INTERVAL = 1.0


def run(setting: Setting, results: Results) -> None:
    """Measure each size once: what is asked is how it grows, not how fast it is."""
    for count in setting.scale.growth_videos:
        setting.say(f"growth: {count} videos")
        sample = _videos(setting, count)
        results.figures += _figures(f"frames of {count} videos", "video", count, sample)
    largest = max(setting.scale.growth_samples)
    for count in setting.scale.growth_samples:
        setting.say(f"growth: {count} samples")
        sample = _samples(setting, count)
        target = PEAK_MB if count == largest else None
        results.figures += _figures(f"shards of {count} samples of text", "sample", count, sample, peak_target=target)


def _videos(setting: Setting, count: int) -> Sample:
    folder = setting.scratch / "growth"
    video_dataset(folder, [_small_video(setting)], copies=count)
    options = ("--dataset-root", folder, "--time-interval", str(INTERVAL), "--output-json", "d.json")
    sample = run_command(ours("frames", *options), watch=True)
    shutil.rmtree(folder)
    return sample


def _small_video(setting: Setting) -> Path:
    """The first clip's first seconds are the same in each copy."""
    from benchmarks.making.clips import ffmpeg

    clip = setting.data / "clips" / setting.scale.clips[0].file
    small = setting.scratch / "small.mp4"
    if not small.is_file():
        ffmpeg("-i", clip, "-t", "5", "-vf", "scale=320:180", "-c:v", "libx264", "-preset", "veryfast", small)
    return small


def _samples(setting: Setting, count: int) -> Sample:
    root, output = setting.data / "annotations" / f"text-{count}", setting.scratch / "growth"
    sample = run_command(ours("shard", "--dataset-root", root, "--output", empty(output) / "wds"), watch=True)
    shutil.rmtree(output)
    return sample


def _figures(work: str, unit: str, count: int, sample: Sample, *, peak_target: float | None = None) -> list[Figure]:
    share = sample.cpu_seconds / count * 1e3
    wall = f"{sample.wall_seconds:.1f} s in all"
    return [
        Figure("growth", work, "CPU", "value", value=round(share, 3), unit=f"ms a {unit}", note=wall),
        Figure(
            "growth",
            work,
            "peak memory of all processes",
            "value",
            value=round(sample.peak_mb),
            unit="MB",
            target=peak_target,
            target_on=("value",),
        ),
    ]
