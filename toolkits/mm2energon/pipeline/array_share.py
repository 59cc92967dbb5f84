"""Share: what one task runs of a stage, and notes of each unit as soon as it is done.

A task may be killed at any moment, even in the middle of a line, and run again: a unit whose line is there is not run
again. Tasks that run the same units at the same moment do no harm, for a unit is idempotent.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from mm2energon.errors import SampleError, ToolkitError
from mm2energon.pipeline.array_stage import STEPS, Stage
from mm2energon.pipeline.carried import to_json
from mm2energon.pipeline.loop import ProgressMaker, run_each, silent
from mm2energon.pipeline.traffic import Traffic, traffic_so_far
from mm2energon.storage import naming


class _Numbered(NamedTuple):
    """A unit, and the number that its outcome is noted under."""

    number: int
    unit: Any

    def __str__(self) -> str:
        return str(self.unit)


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a step made of a unit, how long it took by the clock and on a core, and what it read and wrote."""

    result: Any
    error: SampleError | None
    seconds: float
    cpu_seconds: float
    traffic: Traffic


def _measured(numbered: _Numbered, *, step: Callable[[Any], Any]) -> _Measured:
    began, cpu_began, before = time.perf_counter(), time.process_time(), traffic_so_far()
    result, error = None, None
    try:
        result = step(numbered.unit)
    except SampleError as fault:
        error = fault
    traffic = traffic_so_far() - before
    return _Measured(result, error, time.perf_counter() - began, time.process_time() - cpu_began, traffic)


def run_share(stage: Stage, index: int, of: int, *, workers: int, progress: ProgressMaker = silent) -> tuple[int, int]:
    """Run every `of`-th unit from `index` on that has no outcome yet.

    Returns:
        how many were run now, and how many of the share had been run before.

    Raises:
        OSError: such as that the disk is full; what was run before stays done.
        ToolkitError: units could not be run, and have to be run again.
    """
    outcomes = stage.outcomes()
    share = range(index, stage.units, of)
    numbers = [number for number in share if not outcomes.is_there(number)]
    if not numbers:
        return 0, len(share)
    host = socket.gethostname()
    path = stage.done / f"{index}-of-{of}.{host}-{os.getpid()}-{secrets.token_hex(3)}.jsonl"
    units = map(_Numbered, numbers, stage.some_units(numbers))
    step = partial(_measured, step=stage.step)
    step.__module__ = stage.step.__module__  # what it imports is imported ahead of the first unit
    failed: list[SampleError] = []
    bar = progress("units", len(numbers))
    with naming(path), path.open("xb") as file:
        # As they come: one that waited for a longer one before it would be lost where the task is killed.
        for outcome in run_each(step, units, workers=min(workers, len(numbers)), limits=stage.limits, in_order=False):
            measured = outcome.result or _Measured(None, outcome.error, 0.0, 0.0, Traffic())
            if measured.error is not None and not STEPS[stage.step_name]:
                failed.append(measured.error)
                continue
            file.write(_line(outcome.item.number, host, measured))
            file.flush()
            bar.update(1)
    bar.close()
    if failed:
        raise ToolkitError(f"{failed[0]}; {len(failed)} of {len(numbers)} units failed; run this task again")
    return len(numbers), len(share) - len(numbers)


def _line(number: int, host: str, measured: _Measured) -> bytes:
    clocks = {"seconds": round(measured.seconds, 6), "cpu_seconds": round(measured.cpu_seconds, 6)}
    spent = {**clocks, **measured.traffic._asdict()}
    return to_json({"unit": number, "host": host, **spent, "error": measured.error, "result": measured.result}) + b"\n"
