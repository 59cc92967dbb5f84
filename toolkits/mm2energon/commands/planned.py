"""A command whose units of work lie in a folder, as `mm2energon plan`, `run` and `finalize` have it."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import mm2energon
from mm2energon.commands import COMMANDS, Result
from mm2energon.errors import InputError
from mm2energon.jsonio import dumps, loads
from mm2energon.pipeline.array import ArrayExecutor, Stage
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.storage import write_whole

#: Commands whose work has units.
PLANNED = ("frames", "shard", "verify", "report")
_NOTE = "command.json"


class PlannedCommand(NamedTuple):
    """What was planned, and where."""

    name: str
    arguments: tuple[str, ...]
    #: The folder that paths among the arguments are relative to.
    folder: str


def note_command(plan: Path, command: PlannedCommand) -> None:
    """Make the folder that of a command.

    Raises:
        InputError: it is that of another.
    """
    plan.mkdir(parents=True, exist_ok=True)
    before = _read(plan)
    if before not in (None, command):
        raise InputError(f"--plan {plan}: is that of {_shown(before)}; another folder was expected")
    if before is None and any(plan.iterdir()):
        raise InputError(f"--plan {plan}: holds other files; a folder of its own was expected")
    with write_whole(plan / _NOTE) as file:
        file.write(dumps({**command._asdict(), "made_by": mm2energon.__version__}))


def noted_command(plan: Path) -> PlannedCommand:
    """What was planned in a folder.

    Raises:
        InputError: nothing was.
    """
    found = _read(plan)
    if found is None:
        raise InputError(f"--plan {plan}: holds no plan; mm2energon plan ... --plan {plan} makes it")
    return found


def _read(plan: Path) -> PlannedCommand | None:
    try:
        about = loads((plan / _NOTE).read_bytes())
    except FileNotFoundError:
        return None
    return PlannedCommand(about["name"], tuple(about["arguments"]), about["folder"])


def _shown(command: PlannedCommand | None) -> str:
    return "nothing" if command is None else f"mm2energon {command.name} {' '.join(command.arguments)}"


def stages_of(plan: Path) -> list[Stage]:
    """The steps that were planned so far, the last of which may wait to be run."""
    folders = (path.parent for path in plan.glob("[0-9]*-*/step.json"))
    ordered = sorted(folders, key=lambda folder: int(folder.name.partition("-")[0]))
    return [stage for folder in ordered if (stage := Stage.read(folder)) is not None]


def go_on(plan: Path, command: PlannedCommand, progress: ProgressMaker) -> Result:
    """Run a command up to a step that has to be run elsewhere first, or to its end.

    Raises:
        StagePlannedError: it came to such a step.
    """
    module: Any = importlib.import_module(f"mm2energon.commands.{COMMANDS[command.name].module}")
    with _in_folder(command.folder):
        arguments = parse(command.name, command.arguments)
        arguments.executor = ArrayExecutor(plan)
        result: Result = module.run(arguments, progress)
    return result


def parse(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """What a command makes of its arguments."""
    module: Any = importlib.import_module(f"mm2energon.commands.{COMMANDS[name].module}")
    parser = argparse.ArgumentParser(prog=f"mm2energon plan {name}", description=COMMANDS[name].summary)
    module.add_arguments(parser)
    return parser.parse_args(arguments)


@contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    before = os.getcwd()  # noqa: PTH109
    try:
        os.chdir(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be entered ({error.strerror}); the folder that the command was planned in was expected, "
            "where its paths begin"
        ) from error
    try:
        yield
    finally:
        os.chdir(before)
