"""Reading: annotation files of many entries, as an array and as lines."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.measure import Contender, race, run_child
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting

TASKS = {
    "mm2energon": "baselines.reading:ours",
    "json.load": "baselines.reading:json_load",
    "ijson": "baselines.reading:ijson",
    "orjson": "baselines.reading:orjson",
}
FASTER = {"json.load": 3.5}


def run(setting: Setting, results: Results) -> None:
    """Measure both files."""
    for name in ("array.json", "lines.jsonl"):
        path = setting.data / "annotations" / name
        work = f"{path.suffix[1:]} of {setting.scale.entries} entries, {path.stat().st_size / 1e6:.0f} MB"
        setting.say(f"reading: {work}")
        found = race({task: _contender(task, path) for task in TASKS}, setting.repeats)
        for row in results.add_race("reading", work, found):
            results.figures.append(
                Figure(
                    "reading",
                    work,
                    row.baseline,
                    "faster",
                    row.cpu_ratio,
                    row.wall_ratio,
                    target=FASTER.get(row.baseline),
                    note=f"peak {row.ours_peak_mb:.0f} MB against {row.baseline_peak_mb:.0f} MB",
                )
            )
        seconds = median(sample.wall_seconds for sample in found.samples["mm2energon"])
        results.figures.append(Figure("reading", work, "time", "value", value=round(seconds, 2), unit="s"))


def _contender(name: str, path: Path) -> Contender:
    return lambda: run_child(TASKS[name], path=path)
