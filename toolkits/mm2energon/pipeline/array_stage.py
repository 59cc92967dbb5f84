"""Stage: the units of one step in a folder that all machines see, and what became of each.

0-extract_unit/units.jsonl  the units, one a line; units.places: where each line begins (uint64)
0-extract_unit/step.json    which step it is, its limits, how many units; written last
0-extract_unit/done/*.jsonl what became of the units: each task writes a file of its own, line by line
"""

from __future__ import annotations

import contextlib
import importlib
import re
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mm2energon
from mm2energon.errors import InputError
from mm2energon.jsonio import dumps, loads
from mm2energon.pipeline.carried import to_json, unit_from_json
from mm2energon.pipeline.loop import Limits
from mm2energon.storage import naming, write_whole

#: What tasks may be asked to run, and nothing else -> whether a fault of a unit is what became of it, and its samples
#: are set aside; where it is not, the unit has to be run again.
STEPS: Mapping[str, bool] = {
    "mm2energon.pipeline.extract:extract_unit": True,
    "mm2energon.pipeline.run:write_shard": False,
    "mm2energon.pipeline.convert_parts:convert_part": False,
    "mm2energon.pipeline.verify_shards:look_at_shard": True,
    "mm2energon.pipeline.survey_sample:survey_shard": True,
}
_STEP, _UNITS, _PLACES, _DONE = "step.json", "units.jsonl", "units.places", "done"
_PLACE_BYTES = 8
#: Files of outcomes that are open at the same time.
_OPEN_FILES = 64
_NUMBERED = re.compile(r"(\d+)-\w+")
_OF = re.compile(r"\d+-of-(\d+)\..*")


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

    @property
    def done(self) -> Path:
        """The folder of what became of the units."""
        return self.folder / _DONE

    @staticmethod
    def read(folder: Path) -> Stage | None:
        """The stage in a folder; None where it is not complete.

        Raises:
            InputError: it is damaged, or another version planned it.
        """
        about = read_note(folder / _STEP, "step", "seconds", "memory_bytes", "units")
        if about is None:
            return None
        if about["step"] not in STEPS:
            raise damaged(folder / _STEP, f"{about['step']!r} is no step that an array runs")
        return Stage(folder, about["step"], Limits(about["seconds"], about["memory_bytes"]), about["units"])

    @staticmethod
    def write(folder: Path, step_name: str, items: Iterable[Any], limits: Limits) -> Stage:
        """Put the units of a step into a folder, which is emptied first."""
        shutil.rmtree(folder, ignore_errors=True)
        (folder / _DONE).mkdir(parents=True)
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

    def lines(self) -> Iterator[bytes]:
        """The units, as they stand in the file."""
        with (self.folder / _UNITS).open("rb") as file:
            yield from file

    def all_units(self) -> Iterator[Any]:
        """The units."""
        return (self._unit(line) for line in self.lines())

    def some_units(self, numbers: Iterable[int]) -> Iterator[Any]:
        """The units of these numbers."""
        with (self.folder / _PLACES).open("rb") as places, (self.folder / _UNITS).open("rb") as units:
            for number in numbers:
                places.seek(number * _PLACE_BYTES)
                place = places.read(_PLACE_BYTES)
                if len(place) < _PLACE_BYTES:
                    raise damaged(self.folder / _PLACES, f"ends before unit {number}")
                units.seek(int.from_bytes(place, "little"))
                yield self._unit(units.readline())

    def _unit(self, line: bytes) -> Any:
        try:
            return unit_from_json(line, self.step)
        except ValueError as error:
            raise damaged(self.folder / _UNITS, str(error)) from error

    def outcomes(self) -> Outcomes:
        """What became of the units so far."""
        return Outcomes(self)


def read_note(path: Path, *wanted: str) -> Mapping[str, Any] | None:
    """What a JSON file of a plan says; None where it is not there.

    Raises:
        InputError: it does not say what is wanted, or another version wrote it.
    """
    try:
        about = loads(path.read_bytes())
        by, _ = about["made_by"], [about[name] for name in wanted]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
    if by != mm2energon.__version__:
        raise InputError(
            f"{path.parent}: was planned by mm2energon {by}, this is {mm2energon.__version__}; "
            "the same version was expected on every machine; install it, or plan again into another folder"
        )
    found: Mapping[str, Any] = about
    return found


def damaged(path: Path, what: str) -> InputError:
    """The error of a file of a plan that is not as it was written."""
    return InputError(
        f"{path}: is damaged ({what}); a plan as it was made was expected; plan again into another folder"
    )


def stages_in(plan: Path) -> list[Stage]:
    """The stages that were planned so far, in order, the last of which may wait to be run."""
    numbers = {path.parent: found[1] for path in plan.glob(f"*/{_STEP}") if (found := _numbered(path.parent.name))}
    ordered = sorted(numbers, key=lambda folder: int(numbers[folder]))
    return [stage for folder in ordered if (stage := Stage.read(folder)) is not None]


def _numbered(name: str) -> re.Match[str] | None:
    return _NUMBERED.fullmatch(name)


class Outcomes:
    """Where the outcome of each unit stands; numbers alone are kept in memory, 13 bytes a unit.

    Of a unit that was run twice a result counts more than an error, such as that of a node that lacked memory.
    """

    def __init__(self, stage: Stage) -> None:
        self._files = sorted(stage.done.glob("*.jsonl"))
        #: Unit -> 1 + the number of the file that holds its outcome, 0 for none; and the place in it.
        self._file_of = array("I", bytes(4 * stage.units))
        self._places = array("Q", bytes(8 * stage.units))
        is_well = bytearray(stage.units)
        for number, path in enumerate(self._files, start=1):
            with naming(path), path.open("rb") as file:
                place = 0
                for line in file:
                    unit, went_well = _unit_of(line)
                    if 0 <= unit < stage.units and (not self._file_of[unit] or went_well > is_well[unit]):
                        self._file_of[unit], self._places[unit], is_well[unit] = number, place, went_well
                    place += len(line)

    def missing(self) -> Iterator[int]:
        """Units without an outcome."""
        return (unit for unit, file in enumerate(self._file_of) if not file)

    def is_there(self, unit: int) -> bool:
        """Whether there is the outcome of a unit."""
        return bool(self._file_of[unit])

    def records(self) -> Iterator[Mapping[str, Any]]:
        """What was noted of each unit, in order, as JSON values: its number, seconds, result or error, ..."""
        with contextlib.ExitStack() as stack:
            opened: dict[int, Any] = {}
            for number, place in zip(self._file_of, self._places, strict=True):
                if not number:
                    continue
                if number not in opened:
                    if len(opened) == _OPEN_FILES:  # as many tasks as there may be, so many files
                        opened.pop(next(iter(opened))).close()
                    opened[number] = stack.enter_context(self._files[number - 1].open("rb"))
                opened[number].seek(place)
                yield loads(opened[number].readline())

    def counts_of_tasks(self) -> list[int]:
        """Among how many tasks units were shared out so far, the latest last."""
        begun = sorted(self._files, key=lambda path: path.stat().st_mtime_ns)
        return list(dict.fromkeys(int(found[1]) for path in begun if (found := _OF.fullmatch(path.name))))


def _unit_of(line: bytes) -> tuple[int, bool]:
    """The number of the unit that a line is about, and whether it went well; -1 of a line that was cut off."""
    if not line.endswith(b"}\n"):
        return -1, False
    try:
        record = loads(line)
        return int(record["unit"]), record["error"] is None
    except (ValueError, KeyError, TypeError):
        return -1, False
