"""`mm2energon simulate` = simulate_cluster.py."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mm2energon.commands import Result
from mm2energon.commands.cluster import plan_folder
from mm2energon.commands.planned import goes_of, noted_command
from mm2energon.commands.values import count, positive, seconds, size
from mm2energon.errors import InputError
from mm2energon.pipeline.array_stage import Stage, stages_in
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.simulate import Cluster, Prediction, Work, simulate
from mm2energon.pipeline.simulate_measured import Measured, measured
from mm2energon.storage import write_whole

_EPILOG = """\
Plan the whole dataset, or a part of it, run some tasks on a node as it will be used, and ask:

  mm2energon plan shard --dataset-root DATA --plan P
  mm2energon run --plan P --index 0 --of 100 --workers 32        a hundredth of the units
  mm2energon simulate --plan P --nodes 1,8,64,512 --workers-per-node 32 --storage-gbps 400

A part stands for the whole with --times. What the plan itself took is measured, and not shared by the nodes."""
_GIGABIT = 1e9 / 8
#: What less of the time goes to is not named.
_NAMED_PART = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "--plan", type=plan_folder, metavar="FOLDER", required=True, help="a plan of which some units were run"
    )
    parser.add_argument("--nodes", type=counts, default=[1, 8, 64, 512], metavar="N,...", help="nodes (1,8,64,512)")
    parser.add_argument(
        "--workers-per-node", type=count, default=16, metavar="N", help="units at the same time on each (16)"
    )
    parser.add_argument(
        "--times", type=positive, default=1.0, metavar="X", help="the dataset is X times what was planned (1)"
    )
    parser.add_argument(
        "--storage-gbps", type=positive, metavar="G", help="gigabits a second of the storage, for all (no limit)"
    )
    parser.add_argument("--requests-per-second", type=positive, metavar="R", help="that the storage takes (no limit)")
    parser.add_argument("--request-size", type=size, default=8 << 20, metavar="SIZE", help="bytes of a request (8M)")
    parser.add_argument(
        "--cpu-seconds",
        action="store_true",
        help="a unit takes the seconds that a core worked for it, where the machine that ran it had other work, too",
    )
    parser.add_argument("--start-seconds", type=seconds, default=0.0, help="until a node begins with its units (0)")
    parser.add_argument(
        "--share-out",
        choices=["array", "ray"],
        default="array",
        help="array: every N-th unit to node N, beforehand; ray: who is free takes the next (array)",
    )
    parser.add_argument(
        "--units-per-second", type=positive, default=500.0, metavar="U", help="that a driver of Ray gives out (500)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, for programs")


def counts(text: str) -> list[int]:
    """Numbers from 1 up, such as `1,8,64`."""
    return [count(part) for part in text.split(",")]


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Predict what the planned units would take on more nodes."""
    plan = arguments.plan
    command = noted_command(plan)
    stages = stages_in(plan)
    if not stages:
        raise InputError(f"--plan {plan}: mm2energon {command.name} has no units in it; a plan with units was expected")
    lines, figures = [f"{plan}   mm2energon {command.name}"], []
    for stage in stages:
        driver = _driver_seconds(plan, stage, is_last=stage is stages[-1])
        size, by_cpu = arguments.request_size, arguments.cpu_seconds
        found = measured(stage, request_bytes=size, driver_seconds=driver, by_cpu=by_cpu)
        work = found.work.times(arguments.times)
        predictions = [simulate(work, _cluster(arguments, nodes)) for nodes in arguments.nodes]
        lines += ["", *_head(stage, found, work), *_table(predictions)]
        figures.append(_figures(stage, found, work, predictions))
    if arguments.json is not None:
        with write_whole(arguments.json) as file:
            file.write(json.dumps({"times": arguments.times, "stages": figures}, indent=1).encode() + b"\n")
    return Result(lines)


def _cluster(arguments: argparse.Namespace, nodes: int) -> Cluster:
    return Cluster(
        nodes=nodes,
        workers=arguments.workers_per_node,
        bytes_per_second=None if arguments.storage_gbps is None else arguments.storage_gbps * _GIGABIT,
        requests_per_second=arguments.requests_per_second,
        start_seconds=arguments.start_seconds,
        by_share=arguments.share_out == "array",
        units_per_second=arguments.units_per_second,
    )


def _driver_seconds(plan: Path, stage: Stage, *, is_last: bool) -> float:
    """What the command itself took before the units, and after the last ones."""
    goes = goes_of(plan)
    before = sum(go.seconds for go in goes if go.stage == stage.folder.name)
    after = next((go.seconds for go in goes if go.stage is None), 0.0)
    return before + (after if is_last else 0.0)


def _head(stage: Stage, found: Measured, work: Work) -> list[str]:
    """What is known of the units."""
    seconds = sorted(work.seconds.tolist())
    lines = [
        f"{stage.folder.name}   {len(seconds)} units, as {found.units} that were measured of {stage.units}",
        f"  a unit takes {sum(seconds) / len(seconds):.2f} s (half of them up to {seconds[len(seconds) // 2]:.2f} s, "
        f"the longest {seconds[-1]:.2f} s); the driver {_duration(work.driver_seconds)} in all",
    ]
    if not found.has_traffic:
        return [*lines, "  note: what they read and wrote is not known here (Linux tells it); storage has no limit"]
    total = f"{_bytes(work.bytes_read.sum())} read, {_bytes(work.bytes_written.sum())} written"
    return [*lines, f"  {total}, {work.requests.sum():.0f} requests to the storage"]


def _table(predictions: list[Prediction]) -> list[str]:
    head = (
        f"  {'nodes':>7} {'workers':>8} {'time':>14} {'busy':>6} {'Gbit/s':>9} {'requests/s':>11} {'last units':>13}   "
    )
    return [head + "held up by", *map(_row, predictions)]


def _row(one: Prediction) -> str:
    parts = sorted(one.limited_by.items(), key=lambda item: -item[1])
    whole = sum(one.limited_by.values()) or 1.0
    held = ", ".join(f"{limit} {spent / whole:.0%}" for limit, spent in parts if spent >= _NAMED_PART * whole)
    workers, last = one.nodes * one.workers, _duration(one.last_seconds)
    return (
        f"  {one.nodes:>7} {workers:>8} {_duration(one.wall_seconds):>14} {one.busy:>6.0%} "
        f"{one.bytes_per_second / _GIGABIT:>9.2f} {one.requests_per_second:>11.0f} {last:>13}   {held}"
    )


def _bytes(number: float) -> str:
    """A number of bytes as a person says it."""
    if number >= 1e12:
        return f"{number / 1e12:.1f} TB"
    return f"{number / 1e9:.3g} GB" if number >= 1e9 else f"{number / 1e6:.3g} MB"


def _duration(spent: float) -> str:
    if spent < 2 * 60:
        return f"{spent:.1f} s"
    if spent < 2 * 3600:
        return f"{spent / 60:.1f} min"
    return f"{spent / 3600:.1f} h" if spent < 48 * 3600 else f"{spent / 86400:.1f} days"


def _figures(stage: Stage, found: Measured, work: Work, predictions: list[Prediction]) -> dict[str, Any]:
    return {
        "stage": stage.folder.name,
        "units": len(work.seconds),
        "measured": found.units,
        "unit_seconds": float(work.seconds.sum()),
        "bytes_read": float(work.bytes_read.sum()),
        "bytes_written": float(work.bytes_written.sum()),
        "requests": float(work.requests.sum()),
        "driver_seconds": work.driver_seconds,
        "predictions": [{**asdict(one), "bottleneck": one.bottleneck} for one in predictions],
    }
