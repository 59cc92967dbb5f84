"""Array: the units of a step in a folder that all machines see, run by tasks that know nothing of each other.

    PLAN/command.json           the command that was planned, and where
    PLAN/0-extract/units.jsonl  the units of its first step, one a line; units.places: where each line begins (uint64)
    PLAN/0-extract/step.json    which step it is, its limits, how many units; written last
    PLAN/0-extract/done/*.jsonl what became of the units: each task writes a file of its own, line by line

A command plans a step where it would have run it, and stops. Tasks run the units; the same command then goes on with
what became of them, to its end or to the next step. A unit may be run twice: it is idempotent.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import shutil
import socket
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import mm2energon
from mm2energon.errors import InputError, ToolkitError
from mm2energon.jsonio import dumps, loads
from mm2energon.pipeline.carried import error_from_json, result_from_json, to_json, unit_from_json
from mm2energon.pipeline.loop import Item, Limits, Outcome, ProgressMaker, Result, run_each, silent
from mm2energon.storage import write_whole

#: What tasks may be asked to run, and nothing else.
STEPS = (
    "mm2energon.pipeline.extract:extract_unit",
    "mm2energon.pipeline.run:write_shard",
    "mm2energon.pipeline.verify_shards:look_at_shard",
    "mm2energon.pipeline.survey_sample:survey_shard",
)
_COMMAND, _STEP, _UNITS, _PLACES = "command.json", "step.json", "units.jsonl", "units.places"
_PLACE_BYTES = 8
#: Units that are missing, as many as are named.
_NAMED = 20


class StagePlannedError(ToolkitError):
    """The units of a step lie in the folder, and wait to be run."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(f"{stage.folder}: {stage.units} units wait to be run")
        self.stage = stage


@dataclass(frozen=True)
class Stage:
    """The units of one step, planned."""

    folder: Path
    #: `module:function`, one of STEPS.
    step_name: str
    limits: Limits
    units: int

    @property
    def step(self) -> Callable[[Any], Any]:
        """The function that a unit is given to."""
        module, _, name = self.step_name.partition(":")
        function: Callable[[Any], Any] = getattr(importlib.import_module(module), name)
        return function

    @staticmethod
    def read(folder: Path) -> Stage | None:
        """The stage in a folder; None where it is not complete.

        Raises:
            InputError: another version planned it.
        """
        try:
            about = loads((folder / _STEP).read_bytes())
        except FileNotFoundError:
            return None
        if about["made_by"] != mm2energon.__version__ or about["step"] not in STEPS:
            raise InputError(
                f"{folder}: was planned by mm2energon {about['made_by']}, this is {mm2energon.__version__}; "
                "the same version was expected on every machine; install it, or plan again"
            )
        return Stage(folder, about["step"], Limits(about["seconds"], about["memory_bytes"]), about["units"])

    def lines(self) -> Iterator[bytes]:
        """The units, as they stand in the file."""
        with (self.folder / _UNITS).open("rb") as file:
            yield from file

    def unit(self, number: int) -> Any:
        """One unit."""
        with (self.folder / _PLACES).open("rb") as file:
            file.seek(number * _PLACE_BYTES)
            place = int.from_bytes(file.read(_PLACE_BYTES), "little")
        with (self.folder / _UNITS).open("rb") as file:
            file.seek(place)
            return unit_from_json(file.readline(), self.step)

    def outcomes(self) -> Outcomes:
        """What became of the units so far."""
        return Outcomes(self)


class Outcomes:
    """Where the outcome of each unit stands; numbers alone are kept in memory, 12 bytes a unit."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._files = sorted((stage.folder / "done").glob("*.jsonl"))
        #: Unit -> 1 + the number of the file that holds its outcome, 0 for none; and the place in it.
        self._file_of = array("I", bytes(4 * stage.units))
        self._places = array("Q", bytes(8 * stage.units))
        for number, path in enumerate(self._files, start=1):
            with path.open("rb") as file:
                place = 0
                for line in file:
                    unit = _unit_of(line)
                    if unit is not None and unit < stage.units and not self._file_of[unit]:
                        self._file_of[unit], self._places[unit] = number, place
                    place += len(line)

    def missing(self) -> Iterator[int]:
        """Units without an outcome."""
        return (unit for unit, file in enumerate(self._file_of) if not file)

    def is_there(self, unit: int) -> bool:
        """Whether there is the outcome of a unit."""
        return bool(self._file_of[unit])

    def records(self) -> Iterator[Mapping[str, Any]]:
        """What was noted of each unit, in order: `seconds`, `host`, and its result or error, as JSON values."""
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(path.open("rb")) for path in self._files]
            for number, place in zip(self._file_of, self._places, strict=True):
                if number:
                    files[number - 1].seek(place)
                    yield loads(files[number - 1].readline())


def _unit_of(line: bytes) -> int | None:
    """The number of the unit that a line is about; None of a line that was cut off."""
    if not line.endswith(b"}\n"):
        return None
    try:
        return int(loads(line)["unit"])
    except (ValueError, KeyError, TypeError):
        return None


class ArrayExecutor:
    """Plans steps into a folder, or goes on with what became of their units."""

    def __init__(self, folder: Path, *, run_now: Callable[[Stage], None] | None = None) -> None:
        """
        Args:
            run_now: has a stage run that waits; without it, such a stage ends the command.
        """
        self._folder = folder
        self._run_now = run_now
        self._used: set[Path] = set()

    @property
    def goes_on(self) -> bool:
        """Whether a step was planned before: then the command has been here, and need not look at everything again."""
        return any(self._folder.glob(f"*/{_STEP}"))

    def run(
        self, step: Callable[[Item], Result], items: Iterable[Item], *, limits: Limits
    ) -> Iterator[Outcome[Item, Result]]:
        """As `run_each`, of units that were run already.

        Raises:
            StagePlannedError: they were not; now they are planned.
            InputError: the units are others than those that were planned, or some were not run.
        """
        folder = self._folder_of(step.__qualname__)
        before = Stage.read(folder)
        stage = before or _write(folder, f"{step.__module__}:{step.__qualname__}", items, limits)
        if self._run_now is not None:
            self._run_now(stage)
        elif before is None and stage.units:
            raise StagePlannedError(stage)
        return _recorded(stage, step, items if before else None)

    def _folder_of(self, name: str) -> Path:
        """Where the units of a step lie, or will lie, of which there may be several of one name."""
        planned = sorted(path.parent for path in self._folder.glob(f"*-{name}/{_STEP}"))
        free = next((folder for folder in planned if folder not in self._used), None)
        if free is None:
            free = self._folder / f"{len(list(self._folder.glob(f'*/{_STEP}')))}-{name}"
        self._used.add(free)
        return free


def _write(folder: Path, step_name: str, items: Iterable[Any], limits: Limits) -> Stage:
    if step_name not in STEPS:
        raise ToolkitError(f"{step_name}: is no step that an array runs")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "done").mkdir(parents=True)
    count = place = 0
    with write_whole(folder / _UNITS) as units, write_whole(folder / _PLACES) as places:
        for item in items:
            line = to_json(item) + b"\n"
            units.write(line)
            places.write(place.to_bytes(_PLACE_BYTES, "little"))
            place += len(line)
            count += 1
    about = {"seconds": limits.seconds, "memory_bytes": limits.memory_bytes, "units": count, "step": step_name}
    with write_whole(folder / _STEP) as file:
        file.write(dumps({**about, "made_by": mm2energon.__version__}))
    return Stage(folder, step_name, limits, count)


def _recorded(stage: Stage, step: Callable[[Any], Any], items: Iterable[Any] | None) -> Iterator[Outcome[Any, Any]]:
    """What became of the units; where items are given, they must be the ones that were planned."""
    outcomes = stage.outcomes()
    missing = list(outcomes.missing())
    if missing:
        raise InputError(
            f"{stage.folder}: {len(missing)} of {stage.units} units were not run: {ranges(missing)}; "
            "run their tasks again (mm2energon run), then finalize"
        )
    planned = (unit_from_json(line, step) for line in stage.lines())
    texts = stage.lines()
    for item, text, record in zip_longest(planned if items is None else items, texts, outcomes.records()):
        if item is None or text is None or to_json(item) + b"\n" != text:
            raise InputError(
                f"{stage.folder}: the units are not those that were planned: the input or the options have changed; "
                "plan again, into another folder"
            )
        if record["error"] is None:
            yield Outcome(item, result=result_from_json(dumps(record["result"]), step))
        else:
            yield Outcome(item, error=error_from_json(dumps(record["error"])))


def ranges(numbers: Iterable[int], *, most: int = _NAMED) -> str:
    """Numbers in the notation of `sbatch --array`: `3,7-9`; the first few of many."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        elif len(found) == most:
            return _shown(found) + ",..."
        else:
            found.append([number, number])
    return _shown(found)


def _shown(found: list[list[int]]) -> str:
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in found)


@dataclass(frozen=True, slots=True)
class _Timed:
    """What a step made of a unit, and how long it took by the clock."""

    result: Any
    seconds: float


def _timed(unit: Any, *, step: Callable[[Any], Any]) -> _Timed:
    began = time.perf_counter()
    return _Timed(step(unit), time.perf_counter() - began)


def run_share(stage: Stage, index: int, of: int, *, workers: int, progress: ProgressMaker = silent) -> tuple[int, int]:
    """Run every `of`-th unit from `index` on that has no outcome yet.

    Returns:
        how many were run now, and how many of the share had been run before.

    Raises:
        OSError: such as that the disk is full; what was run before stays done.
    """
    outcomes = stage.outcomes()
    share = range(index, stage.units, of)
    numbers = [number for number in share if not outcomes.is_there(number)]
    if not numbers:
        return 0, len(share)
    host = socket.gethostname()
    path = stage.folder / "done" / f"{index}-of-{of}.{host}-{os.getpid()}-{secrets.token_hex(3)}.jsonl"
    units = map(stage.unit, numbers)
    bar = progress("units", len(numbers))
    with path.open("xb") as file:
        done = run_each(
            partial(_timed, step=stage.step), units, workers=min(workers, len(numbers)), limits=stage.limits
        )
        for number, outcome in zip(numbers, done, strict=True):
            timed = outcome.result or _Timed(None, 0.0)
            record = {"unit": number, "host": host, "seconds": round(timed.seconds, 6)}
            file.write(to_json({**record, "error": outcome.error, "result": timed.result}) + b"\n")
            file.flush()
            bar.update(1)
    bar.close()
    return len(numbers), len(share) - len(numbers)
