"""A command whose units of work lie in a folder, as `mm2energon plan`, `run` and `finalize` have it."""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import mm2energon
from mm2energon.commands import COMMANDS, Result
from mm2energon.errors import InputError
from mm2energon.jsonio import dumps, loads
from mm2energon.pipeline.array import ArrayExecutor, UnitsWaitError
from mm2energon.pipeline.array_stage import read_note, stages_in
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.storage import write_whole

#: Commands whose work has units.
PLANNED = ("frames", "shard", "convert", "verify", "report")
#: The command; and the seconds of each go of it, with the units that it came to, or none at its end.
_NOTE, _GOES = "command.json", "goes.jsonl"


class PlannedCommand(NamedTuple):
    """What was planned, and where."""

    name: str
    arguments: tuple[str, ...]
    #: The folder that paths among the arguments are relative to.
    folder: str

    def __str__(self) -> str:
        return f"mm2energon {shlex.join([self.name, *self.arguments])} (in {self.folder})"


class Go(NamedTuple):
    """One go of a planned command, from its begin to where units wait, or to its end."""

    #: The folder of the units that it came to; None: it came to its end.
    stage: str | None
    seconds: float


def note_command(plan: Path, command: PlannedCommand) -> None:
    """Make the folder that of a command.

    Raises:
        InputError: it is that of another.
    """
    before = _read(plan)
    is_other = before not in (None, command)
    if is_other and (stages_in(plan) or goes_of(plan)):
        raise InputError(f"--plan {plan}: is that of {before}; another folder was expected for {command}")
    if before is None and plan.is_dir() and any(plan.iterdir()):
        raise InputError(f"--plan {plan}: holds other files; a folder of its own was expected")
    if before is None or is_other:  # of another that came to nothing, such as for a path that was mistyped
        with write_whole(plan / _NOTE) as file:
            file.write(dumps({**command._asdict(), "made_by": mm2energon.__version__}))


def noted_command(plan: Path) -> PlannedCommand:
    """What was planned in a folder.

    Raises:
        InputError: nothing was.
    """
    found = _read(plan)
    if found is None:
        raise InputError(f"--plan {plan}: holds no plan; mm2energon plan COMMAND ... --plan {plan} makes it")
    return found


def _read(plan: Path) -> PlannedCommand | None:
    """What was planned in a folder; None where nothing was.

    Raises:
        InputError: by another version, or it is damaged.
    """
    about = read_note(plan / _NOTE, "name", "arguments", "folder")
    if about is None:
        return None
    return PlannedCommand(about["name"], tuple(about["arguments"]), about["folder"])


def goes_of(plan: Path) -> list[Go]:
    """The goes of a command so far."""
    try:
        lines = (plan / _GOES).read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [go for line in lines if (go := _go(line)) is not None]


def _go(line: bytes) -> Go | None:
    """What a line says; None of one that was cut off."""
    try:
        return Go(**loads(line)) if line.endswith(b"}\n") else None
    except (ValueError, TypeError):
        return None


def go_on(plan: Path, command: PlannedCommand, progress: ProgressMaker) -> Result:
    """Run a command up to units that have to be run elsewhere first, or to its end.

    Raises:
        UnitsWaitError: it came to such units.
    """
    module: Any = importlib.import_module(f"mm2energon.commands.{COMMANDS[command.name].module}")
    began = time.perf_counter()
    with _in_folder(command.folder):
        arguments = parse(command.name, command.arguments)
        arguments.executor = ArrayExecutor(plan)
        try:
            result: Result = module.run(arguments, progress)
        except UnitsWaitError as wait:
            if wait.is_new:
                _note_go(plan, Go(wait.stage.folder.name, time.perf_counter() - began))
            raise
    _note_go(plan, Go(None, time.perf_counter() - began))
    return result


def _note_go(plan: Path, go: Go) -> None:
    with (plan / _GOES).open("ab") as file:
        file.write(dumps(go._asdict()) + b"\n")


def parse(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """What a command makes of its arguments.

    Raises:
        InputError: they say where the units run, which is for those to say who run them.
    """
    module: Any = importlib.import_module(f"mm2energon.commands.{COMMANDS[name].module}")
    parser = argparse.ArgumentParser(prog=f"mm2energon plan {name}", description=COMMANDS[name].summary)
    module.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    if parsed.executor != "local":
        raise InputError(
            f"--executor {parsed.executor}: was given to mm2energon plan, whose units mm2energon run runs; "
            "leave it out, or leave plan out"
        )
    return parsed


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
