"""Results: rows as they were measured, the figures that come of them, and the file that keeps both."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any, Literal

from benchmarks.measure import ROOT, Race

PACKAGES = (
    *("mm2energon", "numpy", "av", "simplejpeg", "pillow", "orjson", "webdataset", "opencv-python-headless"),
    *("megatron-energon", "torch", "decord", "torchcodec", "ijson"),
)

#: faster: baseline / ours, at least the target; cost: ours / baseline, at most the target; value: at most the target.
Sense = Literal["faster", "cost", "value"]


@dataclass(frozen=True)
class Row:
    """Ours and one baseline on one piece of work, each run of both."""

    suite: str
    work: str
    baseline: str
    ours_cpu_seconds: list[float]
    ours_wall_seconds: list[float]
    baseline_cpu_seconds: list[float]
    baseline_wall_seconds: list[float]
    ours_peak_mb: float
    baseline_peak_mb: float
    #: Baseline / ours, of the medians.
    cpu_ratio: float
    wall_ratio: float
    ours: str = "mm2energon"
    ours_facts: dict[str, Any] = field(default_factory=dict)
    baseline_facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """What a table shows: a ratio or a value, and whether it meets its target."""

    suite: str
    work: str
    against: str
    sense: Sense
    cpu: float | None = None
    wall: float | None = None
    value: float | None = None
    unit: str = ""
    target: float | None = None
    #: Which of the numbers the target is about.
    target_on: tuple[str, ...] = ("cpu",)
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None when there is none."""
        if self.target is None:
            return None
        found = [getattr(self, name) for name in self.target_on]
        if self.sense == "faster":
            return all(number is not None and number >= self.target for number in found)
        return all(number is not None and number <= self.target for number in found)


@dataclass
class Results:
    """All that a run found."""

    rows: list[Row] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    #: (suite, work, contender, why it did not take part)
    left_out: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add_race(self, suite: str, work: str, race: Race, *, ours: str = "mm2energon") -> list[Row]:
        """Note a race: one row per baseline."""
        self.left_out += [(suite, work, name, why) for name, why in race.unfit.items()]
        rows = [_row(suite, work, race, ours, name) for name in race.samples if name != ours]
        self.rows += rows
        return rows


def _row(suite: str, work: str, race: Race, ours: str, name: str) -> Row:
    mine, theirs = race.samples[ours], race.samples[name]
    return Row(
        suite=suite,
        work=work,
        baseline=name,
        ours=ours,
        ours_cpu_seconds=[round(sample.cpu_seconds, 4) for sample in mine],
        ours_wall_seconds=[round(sample.wall_seconds, 4) for sample in mine],
        baseline_cpu_seconds=[round(sample.cpu_seconds, 4) for sample in theirs],
        baseline_wall_seconds=[round(sample.wall_seconds, 4) for sample in theirs],
        ours_peak_mb=round(median(sample.peak_mb for sample in mine), 1),
        baseline_peak_mb=round(median(sample.peak_mb for sample in theirs), 1),
        cpu_ratio=round(_ratio(race.cpu(name), race.cpu(ours)), 4),
        wall_ratio=round(_ratio(race.wall(name), race.wall(ours)), 4),
        ours_facts=_plain(mine[-1].facts),
        baseline_facts=_plain(theirs[-1].facts),
    )


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if not isinstance(fact, list)}


def _ratio(above: float, below: float) -> float:
    return above / max(below, 1e-6)


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean of ratios."""
    logs = [log(max(value, 1e-9)) for value in values]
    return round(exp(sum(logs) / len(logs)), 3)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    names = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory[0] / 2**20, 1) if memory else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "ffmpeg": (_say("ffmpeg", "-version").split() + ["", "", "unknown"])[2],
        "commit": _say("git", "rev-parse", "--short", "HEAD").strip(),
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def save(path: Path, results: Results, *, suites: Iterable[str], scale: str, repeats: int, seconds: float) -> None:
    """Write the results, with the machine and how it was measured.

    Figures of other suites that the file holds already stay, where they were measured on the same machine and scale.
    """
    suites = set(suites)
    found = machine()
    about = {"date": found.pop("date"), "commit": found.pop("commit"), "repeats": repeats, "seconds": round(seconds)}
    kept = _kept(path, suites, found, scale)
    value = {
        "machine": found,
        "scale": scale,
        "how": "contenders in turn, medians; CPU = user + sys of the process and its children; warm page cache",
        "measured": kept["measured"] | dict.fromkeys(sorted(suites), about),
        "figures": kept["figures"] + [_as_json(figure) for figure in results.figures],
        "rows": kept["rows"] + [asdict(row) for row in results.rows],
        "left_out": kept["left_out"] + [list(one) for one in results.left_out],
    }
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _kept(path: Path, suites: set[str], found: dict[str, Any], scale: str) -> dict[str, Any]:
    """What a file holds of other suites."""
    nothing: dict[str, Any] = {"measured": {}, "figures": [], "rows": [], "left_out": []}
    if not path.is_file():
        return nothing
    value = json.loads(path.read_text(encoding="utf-8"))
    if value.get("machine") != found or value.get("scale") != scale:
        return nothing
    gone = suites | ({"cost"} if "frames" in suites else set())  # the suite of frames tells the cost, too
    return {
        "measured": {name: about for name, about in value["measured"].items() if name not in gone},
        "figures": [figure for figure in value["figures"] if figure["suite"] not in gone],
        "rows": [row for row in value["rows"] if row["suite"] not in gone],
        "left_out": [one for one in value["left_out"] if one[0] not in gone],
    }


def _as_json(figure: Figure) -> dict[str, Any]:
    value = asdict(figure) | {"met": figure.met}
    return {name: round(item, 4) if isinstance(item, float) else item for name, item in value.items()}


def load_figures(value: dict[str, Any]) -> list[Figure]:
    """The figures of a results file."""
    rows = ({name: item for name, item in row.items() if name != "met"} for row in value["figures"])
    return [Figure(**row | {"target_on": tuple(row["target_on"])}) for row in rows]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _say(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
