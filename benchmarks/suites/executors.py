"""Executors: what a unit of work costs beside its work, two workers against one, and the memory of the driver."""

from __future__ import annotations

from statistics import median

from benchmarks.measure import Contender, Race, Sample, race, run_child
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting

#: Executor -> what its rows are called.
NAMES = {"local": "workers of this machine", "ray": "Ray"}
#: Units of no work, and of work, that a run has; of work, as long as a short video takes.
TINY, LONG, MILLISECONDS = 5000, 100, 100
#: Two workers against one, at least so many times faster.
FASTER = 1.8
#: Memory of the driver, MB, that a million units may add to what some thousand take.
MORE_MB = 20.0
#: A scale of fewer entries than this says nothing about memory.
_MANY = 10_000


def run(setting: Setting, results: Results) -> None:
    """Measure each executor with one worker and with two."""
    small = setting.scale.entries < _MANY
    tiny, long, milliseconds = (50, 4, 5) if small else (TINY, LONG, MILLISECONDS)
    for executor, name in NAMES.items():
        setting.say(f"executors: {name}")
        one, two = (_contender(executor, workers, tiny, long, milliseconds) for workers in (1, 2))
        found = race({"2": two, "1": one}, setting.repeats)
        results.add_race(
            "executors", f"{tiny} units of no work and {long} of {milliseconds} ms, {name}", found, ours="2"
        )
        if found.samples:
            results.figures += _figures(name, f"{long} units of {milliseconds} ms", found)
            if not small:
                results.figures.append(_memory(executor, name, setting.scale.entries))


def _contender(executor: str, workers: int, tiny: int, long: int, milliseconds: int) -> Contender:
    def run_once() -> Sample:
        options = {"tiny": tiny, "long": long, "milliseconds": milliseconds}
        return run_child("baselines.units:units", executor=executor, workers=workers, **options)

    return run_once


def _figures(name: str, work: str, found: Race) -> list[Figure]:
    def fact(workers: str, what: str) -> float:
        return median(sample.facts[what] for sample in found.samples[workers])

    ratio = round(fact("1", "long_seconds") / fact("2", "long_seconds"), 3)
    cost = round(fact("2", "unit_us"), 1)
    return [
        Figure("executors", work, f"1 worker, {name}", "faster", wall=ratio, target=FASTER, target_on=("wall",)),
        Figure("executors", f"a unit of no work, {name}", "2 workers", "value", value=cost, unit="µs"),
    ]


def _memory(executor: str, name: str, count: int) -> Figure:
    facts = run_child("baselines.units:units", executor=executor, workers=2, tiny=count, long=0, milliseconds=0).facts
    more, note = round(facts["all_mb"] - facts["few_mb"], 1), f"{facts['all_mb']:.0f} MB in all"
    work = f"the driver's memory after {count} units, {name}"
    target = ("value",)
    return Figure(
        "executors",
        work,
        "after 10000",
        "value",
        value=more,
        unit="MB more",
        target=MORE_MB,
        target_on=target,
        note=note,
    )
