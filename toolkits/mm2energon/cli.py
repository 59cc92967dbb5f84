"""The command line: one table of commands; expected errors are caught here, once.

Exit status: 0 all written; 1 the run failed; 2 the command line is wrong; 3 finished, with samples set aside.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
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
    try:
        result: Result = command.run(parsed, _bar)
    except ToolkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    print("\n".join(_shown(line) for line in result.lines))
    return result.status


def _bar(what: str, total: int | None) -> Any:
    """A progress bar on a terminal, a line a minute elsewhere."""
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES
    return tqdm(total=total, desc=what, unit="", mininterval=interval, dynamic_ncols=True, leave=False)


def _shown(line: str) -> str:
    """A line without the control characters that a file name may hold."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


if __name__ == "__main__":
    sys.exit(main())
