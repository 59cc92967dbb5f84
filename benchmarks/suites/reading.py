"""Reading: annotation files of many entries, as an array and as lines."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.measure import Contender, race, run_child
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting

ARRAY, LINES = "array.json", "lines.jsonl"
#: File -> contender -> what a child runs, and on which file: the same entries, as an array or as lines.
TASKS = {
    ARRAY: {
        "mm2energon": ("ours", ARRAY),
        "json.load": ("json_load", ARRAY),
        "ijson": ("ijson", ARRAY),
        "orjson": ("orjson", ARRAY),
    },
    LINES: {
        "mm2energon": ("ours", LINES),
        "json.load": ("json_load", ARRAY),
        "json.loads of each line": ("json_load", LINES),
        "ijson": ("ijson", LINES),
        "orjson of each line": ("orjson", LINES),
    },
}
FASTER = {"json.load": 3.5}


def run(setting: Setting, results: Results) -> None:
    """Measure both files."""
    for name, tasks in TASKS.items():
        path = setting.data / "annotations" / name
        work = f"{path.stem} of {setting.scale.entries} entries, {path.stat().st_size / 1e6:.0f} MB"
        setting.say(f"reading: {work}")
        contenders = {title: _contender(task, path.with_name(file)) for title, (task, file) in tasks.items()}
        found = race(contenders, setting.repeats)
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


def _contender(task: str, path: Path) -> Contender:
    return lambda: run_child(f"baselines.reading:{task}", path=path)
