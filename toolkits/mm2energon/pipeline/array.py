"""Array: the units of a command in a folder that all machines see, run by tasks that know nothing of each other.

    PLAN/command.json      the command that was planned, and where
    PLAN/0-extract_unit/   the units of its first step, and what became of them (`array_stage`)
    PLAN/1-write_shard/    those of its second

A command plans a step where it would have run it, and stops. Tasks run the units (`array_share`); the same command then
goes on with what became of them, to its end or to the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, ToolkitError
from mm2energon.jsonio import dumps
from mm2energon.pipeline.array_stage import STEPS, Outcomes, Stage, stages_in
from mm2energon.pipeline.carried import error_from_json, result_from_json, to_json
from mm2energon.pipeline.loop import Executor, Item, Limits, Outcome, Result

#: Ranges of units or tasks, as many as are named.
_NAMED = 20


class UnitsWaitError(ToolkitError):
    """The units of a step lie in the folder, and some of them have to be run before the command can go on."""

    def __init__(self, stage: Stage, missing: list[int], *, is_new: bool) -> None:
        super().__init__(f"{stage.folder}: {len(missing)} of {stage.units} units wait to be run ({ranges(missing)})")
        self.stage = stage
        self.missing = missing
        #: They were planned just now.
        self.is_new = is_new


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

    def run(
        self, step: Callable[[Item], Result], items: Iterable[Item], *, limits: Limits
    ) -> Iterator[Outcome[Item, Result]]:
        """As `run_each`, of units that were run already.

        Raises:
            UnitsWaitError: some were not.
            InputError: the units are others than those that were planned.
        """
        before = self.planned(step)
        if before is None:
            name = step_name(step)
            folder = self._folder / f"{len(stages_in(self._folder))}-{step.__name__}"
            stage = Stage.write(folder, name, items, limits)
        else:
            stage = before
            _require_same(stage, items)
        self._used.add(stage.folder)
        if self._run_now is not None:
            self._run_now(stage)
        outcomes = stage.outcomes()
        missing = list(outcomes.missing())
        if missing:
            raise UnitsWaitError(stage, missing, is_new=before is None)
        return _recorded(stage, outcomes)

    def planned(self, step: Callable[[Any], Any]) -> Stage | None:
        """The units of a step that an earlier go of this command planned; None where none came to it.

        A command may run a step twice, such as `shard --extract`: each has units of its own.
        """
        name = step_name(step)
        stages = (stage for stage in stages_in(self._folder) if stage.step_name == name)
        return next((stage for stage in stages if stage.folder not in self._used), None)


def step_name(step: Callable[[Any], Any]) -> str:
    """What a step is called in a folder.

    Raises:
        ToolkitError: it is none that an array runs.
    """
    name = f"{step.__module__}:{step.__qualname__}"
    if name not in STEPS:
        raise ToolkitError(f"{name}: is no step that an array runs")
    return name


def planned_units(executor: Executor | None, step: Callable[[Any], Any]) -> Iterator[Any]:
    """The units of a step that an earlier go of the command planned; none where none came to it."""
    stage = executor.planned(step) if isinstance(executor, ArrayExecutor) else None
    return iter(()) if stage is None else stage.all_units()


def was_planned(executor: Executor | None, step: Callable[[Any], Any]) -> bool:
    """Whether an earlier go of the command planned the units of a step."""
    return isinstance(executor, ArrayExecutor) and executor.planned(step) is not None


def _require_same(stage: Stage, items: Iterable[Any]) -> None:
    for item, planned in zip_longest(items, stage.lines()):
        if item is None or planned is None or to_json(item) + b"\n" != planned:
            named = "one more than there is now" if item is None else f"{item} is the first that differs"
            raise InputError(
                f"{stage.folder}: the units are not those that were planned ({named}): the input or the options have "
                "changed since; the same were expected; plan again into another folder (what was run stays as it is)"
            )


def _recorded(stage: Stage, outcomes: Outcomes) -> Iterator[Outcome[Any, Any]]:
    """What became of the units."""
    step = stage.step
    for unit, record in zip(stage.all_units(), outcomes.records(), strict=True):
        if record["error"] is None:
            yield Outcome(unit, result=result_from_json(dumps(record["result"]), step))
        else:
            yield Outcome(unit, error=error_from_json(dumps(record["error"])))


def ranges(numbers: Iterable[int], *, most: int = _NAMED) -> str:
    """Numbers, in ascending order, in the notation of `sbatch --array`: `3,7-9`; the first few of many."""
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
