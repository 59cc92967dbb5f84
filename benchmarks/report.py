"""Report: `python -m benchmarks.report` writes the tables of results.md, README.md and docs/performance.md.

A table stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`, and is written anew each time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT
from benchmarks.results import Figure, load_figures

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PAGE = HERE / "results.md"
#: Documents that hold tables of the results.
DOCUMENTS = (ROOT / "README.md", ROOT / "docs/performance.md")
_MARKED = re.compile(r"(<!-- bench:([\w-]+) -->\n).*?(<!-- /bench:\2 -->)", re.DOTALL)
_HEAD = ["| work | against | CPU | wall | target | met |", "|---|---|---|---|---|---|"]
#: What people have had so far: the README tells of these alone, docs/performance.md of all.
_HAD = {
    "OpenCV loop",
    "the two scripts",
    "imread, re-encoding, ShardWriter, energon prepare",
    "tar cf",
    "json.load",
    "1 worker",
}
_SHORT_HEAD = ["| work | against | CPU | wall |", "|---|---|---|---|"]
#: Core-hours for 100,000 hours of video at one CPU second a minute.
CORE_HOURS = 100_000 * 60 / 3600
TITLES = {
    "frames": "Frames of a video, one worker",
    "shards": "Shards of files that are there",
    "fused": "Videos to shards",
    "reading": "Annotation files",
    "workers": "Two workers",
    "executors": "Executors",
    "speech": "Recorded conversations",
    "startup": "Start",
    "review": "A dataset opened for review",
    "cost": "CPU seconds for a minute of video",
    "growth": "Growth",
}


def main() -> None:
    """Write all tables."""
    results = load(RESULTS)
    PAGE.write_text(page(results), encoding="utf-8")
    for path in DOCUMENTS:
        if path.is_file():
            path.write_text(fill(path.read_text(encoding="utf-8"), results), encoding="utf-8")


def load(path: Path) -> dict[str, Any]:
    """The results of a run."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def fill(text: str, results: dict[str, Any]) -> str:
    """A document with the tables between its marks replaced by those of the results."""
    return _MARKED.sub(lambda match: f"{match[1]}{table(match[2], results)}\n{match[3]}", text)


def table(name: str, results: dict[str, Any]) -> str:
    """One table, or line, by the name in its mark: a suite's, `cluster`, `targets`, `short`, `machine`."""
    figures = load_figures(results)
    if name == "machine":
        return _machine(results)
    if name in ("cost", "cluster"):
        factor = CORE_HOURS if name == "cluster" else 1.0
        return "\n".join(_costs([figure for figure in figures if figure.suite == "cost"], factor))
    if name == "targets":
        return "\n".join(_HEAD + [_line(figure) for figure in figures if figure.target is not None])
    if name == "short":
        return "\n".join([*_SHORT_HEAD, *map(_short_line, filter(_is_for_all, figures))])
    return "\n".join(_HEAD + [_line(figure) for figure in figures if figure.suite == name])


def page(results: dict[str, Any]) -> str:
    """All tables."""
    parts = ["# Results", table("machine", results)]
    found = {figure.suite for figure in load_figures(results)}
    for name, title in TITLES.items():
        if name in found:
            parts += [f"## {title}", table(name, results)]
    if results["left_out"]:
        parts += ["## Left out", "\n".join(_left_out(results["left_out"]))]
    return "\n\n".join(parts) + "\n"


def _machine(results: dict[str, Any]) -> str:
    found = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return (
        f"{found['cpu']}, {found['cores']} cores, {found['memory_gb']} GB, {found['system']}, "
        f"Python {found['python']}, ffmpeg {found['ffmpeg']}, {packages}. Scale {results['scale']}; {results['how']}. "
        f"Measured: {'; '.join(_measured(results['measured']))}."
    )


def _measured(suites: dict[str, Any]) -> Iterator[str]:
    """When each suite was measured, those of one run together."""
    runs: dict[str, list[str]] = {}
    for name, about in suites.items():
        runs.setdefault(f"{about['date']}, commit {about['commit']}, {about['repeats']} runs of each", []).append(name)
    for run, names in runs.items():
        yield f"{', '.join(names)} ({run})"


def _is_for_all(figure: Figure) -> bool:
    """Whether a figure is for the README: beside what people have had so far."""
    return figure.target is not None and figure.sense != "value" and figure.against in _HAD


def _short_line(figure: Figure) -> str:
    return f"| {figure.work} | {figure.against} | {_times(figure, 'cpu')} | {_times(figure, 'wall')} |"


def _line(figure: Figure) -> str:
    met = {None: "", True: "yes", False: "no"}[figure.met]
    work = figure.work + (f" ({figure.note})" if figure.note else "")
    if figure.sense == "value":
        return f"| {work} | {figure.against} | {figure.value:g} {figure.unit} | | {_target(figure)} | {met} |"
    times = f"{_times(figure, 'cpu')} | {_times(figure, 'wall')}"
    return f"| {work} | {figure.against} | {times} | {_target(figure)} | {met} |"


def _times(figure: Figure, name: str) -> str:
    number = getattr(figure, name)
    if number is None:  # it was not measured
        return ""
    text = f"{number:.2f}x" if number < 10 else f"{number:.0f}x"
    return f"{text} faster" if figure.sense == "faster" else f"{text} of it"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    if figure.sense == "value":
        return f"≤ {figure.target:g} {figure.unit}"
    sign = "≥" if figure.sense == "faster" else "≤"
    numbers = " and ".join({"cpu": "CPU", "wall": "wall"}[name] for name in figure.target_on)
    return f"{sign} {figure.target:g}x {numbers}"


def _costs(figures: list[Figure], factor: float) -> Iterator[str]:
    """A line for each video, a column for each interval, then how large a frame is."""
    intervals = list(dict.fromkeys(figure.against for figure in figures))
    yield f"| video | {' | '.join(f'every {interval}' for interval in intervals)} | a frame |"
    yield "|---" * (len(intervals) + 2) + "|"
    for work in dict.fromkeys(figure.work for figure in figures):
        mine = [figure for figure in figures if figure.work == work]
        found = {figure.against: f"{(figure.value or 0) * factor:.3g}" for figure in mine}
        found = {interval: f"{float(text):,g}" for interval, text in found.items()}
        yield f"| {work} | {' | '.join(found.get(interval, '') for interval in intervals)} | {mine[0].note} |"


def _left_out(found: list[list[str]]) -> Iterator[str]:
    """Contenders that could not take part, each reason once."""
    works: dict[tuple[str, str], list[str]] = {}
    for suite, work, name, why in found:
        works.setdefault((name, f"{suite}: {why.splitlines()[0]}"), []).append(work)
    for (name, why), listed in works.items():
        yield f"- {name} ({len(listed)} times, such as {listed[0]}): {why}"


if __name__ == "__main__":
    main()
