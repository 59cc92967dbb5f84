"""The command line: one table of commands; expected errors are caught here, once.

Exit status: 0 all written; 1 the run failed; 2 the command line is wrong; 3 finished, with samples set aside.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mm2energon
from mm2energon.commands import COMMANDS, Result
from mm2energon.errors import ToolkitError

_SECONDS_BETWEEN_LINES = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given and given[0] in COMMANDS else None
    parser = argparse.ArgumentParser(prog="mm2energon", description="Multimodal chat data to Megatron-Energon shards.")
    parser.add_argument("--version", action="version", version=f"mm2energon {mm2energon.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for row, command in COMMANDS.items():
        commands.add_parser(row, help=command.summary, add_help=False)
    if name is None:
        parser.parse_args(given)
    return _run(str(name), f"mm2energon {name}", given[1:])


def run_script(name: str) -> None:
    """What a script of the toolkit is: one command, under the script's own name."""
    sys.exit(_run(name, None, sys.argv[1:]))


def _run(name: str, prog: str | None, arguments: Sequence[str]) -> int:
    command: Any = importlib.import_module(f"mm2energon.commands.{COMMANDS[name].module}")
    parser = argparse.ArgumentParser(prog=prog, description=COMMANDS[name].summary.capitalize() + ".")
    command.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    named = _as_scripts if prog is None else str
    with contextlib.ExitStack() as bars:
        return _report(lambda: command.run(parsed, partial(_bar, bars)), named, bars)


def _report(run: Callable[[], Result], named: Callable[[str], str], bars: contextlib.ExitStack) -> int:
    """Run a command and say what came of it, on a line of its own; the exit status."""
    try:
        result = run()
    except ToolkitError as error:
        bars.close()
        return _failed(named(str(error)))
    except OSError as error:
        bars.close()
        return _failed(f"{error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        bars.close()
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    with contextlib.suppress(BrokenPipeError):  # such as `| head`
        print("\n".join(_shown(named(line)) for line in result.lines), flush=True)
    return result.status


def _failed(message: str) -> int:
    print(f"error: {_shown(message)}", file=sys.stderr)
    return 1


def _as_scripts(line: str) -> str:
    """A line that names commands, for somebody who runs the scripts of a checkout."""

    def script(match: re.Match[str]) -> str:
        path = str(Path(__file__).resolve().parents[1] / COMMANDS[match[1]].script)
        return f"python {shlex.quote(min(os.path.relpath(path), path, key=len))}"

    return re.sub(rf"\bmm2energon ({'|'.join(COMMANDS)})\b", script, line)


def _bar(bars: contextlib.ExitStack, what: str, total: int | None) -> Any:
    """A progress bar on a terminal, a line a minute elsewhere; one that an error left open is closed by `bars`."""
    if not sys.stderr.isatty():
        return _LinesOfProgress(what, total)
    from tqdm import tqdm

    bar = tqdm(total=total, desc=what, unit="", dynamic_ncols=True, leave=False)
    bars.callback(bar.close)
    return bar


class _LinesOfProgress:
    """Says how far a step is once a minute; nothing of a step that is over sooner."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._of = "" if total is None else f" of {total}"
        self._done = 0
        self._said = time.monotonic()

    def update(self, count: int, /) -> None:
        self._done += count
        if time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            print(f"{self._what}: {self._done}{self._of}", file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


def _shown(line: str) -> str:
    """A line without the control characters that a file name may hold."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


if __name__ == "__main__":
    sys.exit(main())
