"""Review: a large dataset is opened to be looked at; how soon, in how much memory, and how long views of it take."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.measure import Contender, Sample, race, run_child
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting

#: What is done -> seconds that it may take; the last two are asked of the smaller dataset alone.
TARGETS = {"open again": 2.0, "one decision": 0.3}
SMALLER_TARGETS = {"view by text, in some": 0.3, "view by text, in none": 0.3, "view by status, sorted": 0.3}
#: Seconds to the first rows, and memory of the process that shows them.
FIRST_ROWS_SECONDS, PEAK_MB = 2.0, 300.0


def run(setting: Setting, results: Results) -> None:
    """Measure the largest dataset, and one of a tenth of it."""
    annotations, counts = setting.data / "annotations", sorted(setting.scale.growth_samples)
    smaller = counts[-2] if len(counts) > 1 else counts[-1]
    works = {
        f"array of {setting.scale.entries} entries": annotations / "array.json",
        f"array of {smaller} entries of text": annotations / f"text-{smaller}" / "dataset.json",
    }
    for place, (work, path) in enumerate(works.items()):
        setting.say(f"review: {work}")
        contenders = {
            "mm2energon": _contender("first_rows", path, setting),
            "json.loads": _contender("load_all", path, setting),
        }
        found = race(contenders, setting.repeats)
        results.add_race("review", f"first rows, {work}", found)
        results.figures.append(
            _figure(
                f"first rows, {work}", found.wall("mm2energon"), FIRST_ROWS_SECONDS, note="opened for the first time"
            )
        )
        _session(work, _contender("session", path, setting)(), results, is_smaller=place > 0)


def _session(work: str, sample: Sample, results: Results, *, is_smaller: bool) -> None:
    targets = {**TARGETS, **(SMALLER_TARGETS if is_smaller else {})}
    for name, seconds in sample.facts["seconds"].items():
        results.figures.append(_figure(f"{name}, {work}", seconds, targets.get(name)))
    indexer = f"{sample.facts['indexer_peak_mb']:.0f} MB of the process that indexes"
    results.figures.append(
        Figure(
            "review",
            f"a session, {work}",
            "peak memory",
            "value",
            value=round(sample.peak_mb),
            unit="MB",
            target=PEAK_MB,
            target_on=("value",),
            note=indexer,
        )
    )


def _figure(work: str, seconds: float, target: float | None, note: str = "") -> Figure:
    value = round(seconds, 3)
    return Figure(
        "review", work, "time", "value", value=value, unit="s", target=target, target_on=("value",), note=note
    )


def _contender(task: str, path: Path, setting: Setting) -> Contender:
    """A run on a dataset that has never been opened: its index lies beside it."""

    def contend() -> Sample:
        folder = setting.scratch / "review"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        os.link(path.resolve(), folder / path.name)
        try:
            return run_child(f"baselines.reviewing:{task}", path=folder / path.name)
        finally:
            shutil.rmtree(folder)

    return contend
