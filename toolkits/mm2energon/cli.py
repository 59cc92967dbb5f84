"""The command line: one table of commands; expected errors are caught here, once.

Exit status: 0 all written; 1 the run failed; 2 the command line is wrong; 3 finished, with samples set aside.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import mm2energon
from mm2energon.commands import COMMANDS, Result
from mm2energon.errors import DependencyError, ToolkitError
from mm2energon.progress import make_bar
from mm2energon.storage import TEMPORARY_SUFFIX
from mm2energon.terminal import shown

#: What to do where the disk refuses.
_ADVICE = {
    errno.EACCES: "; change its mode or owner, or work on a copy",
    errno.EPERM: "; change its mode or owner, or work on a copy",
    errno.EROFS: "; work on a copy that may be written to",
    errno.ENOSPC: "; make room, and run the same command again to go on",
    errno.EDQUOT: "; make room, and run the same command again to go on",
    errno.EFBIG: "; raise the limit on the size of files (ulimit -f), and run the same command again to go on",
}

#: Something else stands in the place of a file or folder of ours, which is then named itself.
_IN_THE_WAY = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
_ADVICE.update(dict.fromkeys(_IN_THE_WAY, "; something else is in its place: move it away, or choose another name"))


#: A URL that was taken for a path, which loses one of its slashes.
_OF_A_STORE = re.compile(r"(s3|gs|hf|msc):/")


class _Parser(argparse.ArgumentParser):
    """A parser that shows what it was given without the control characters in it."""

    def error(self, message: str) -> NoReturn:
        super().error(shown(message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given and given[0] in COMMANDS else None
    parser = _Parser(prog="mm2energon", description="Multimodal chat data to Megatron-Energon shards.")
    parser.add_argument("--version", action="version", version=f"mm2energon {mm2energon.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for row, command in COMMANDS.items():
        commands.add_parser(row, help=command.summary, add_help=False)
    if name is None:
        parser.parse_args(given)
    return _run(str(name), f"mm2energon {name}", given[1:], is_process=arguments is None)


def run_script(name: str) -> None:
    """What a script of the toolkit is: one command, under the script's own name."""
    sys.exit(_run(name, None, sys.argv[1:], is_process=True))


def _run(name: str, prog: str | None, arguments: Sequence[str], *, is_process: bool) -> int:
    # numpy starts as many threads as there are cores for algebra that we do not do: a third of its start, each time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no error
    named = _as_scripts if prog is None else str
    with contextlib.ExitStack() as bars, _stops_once(for_good=is_process):

        def run() -> Result:
            with _missing_is_told():
                with _signals_wait():
                    command: Any = importlib.import_module(f"mm2energon.commands.{COMMANDS[name].module}")
                parser = _Parser(prog=prog, description=_sentence(COMMANDS[name].summary))
                command.add_arguments(parser)
                result: Result = command.run(_parsed(parser, arguments), partial(make_bar, bars))
                return result

        return _report(run, named, bars)


def _parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments; options may stand between IN and OUT, unless a command passes on all that follows it."""
    try:
        # What follows a "--" are names, also those that begin with a dash: that is lost where the two are intermixed.
        parsed = (parser.parse_args if "--" in arguments else parser.parse_intermixed_args)(arguments)
    except TypeError:  # argparse refuses to do so for such a command, before it has read anything
        parsed = parser.parse_args(arguments)
    for value in vars(parsed).values():
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path) and (found := _OF_A_STORE.match(str(path))):
                url = f"{found[0]}/{str(path)[found.end() :]}"
                parser.error(f"{url}: lies in an object store; a path of this machine was expected here; copy it")
    return parsed


@contextlib.contextmanager
def _missing_is_told() -> Iterator[None]:
    """Say how to install what is missing.

    Raises:
        DependencyError: a package that every installation has is missing, as it is where only the files were copied.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing == "mm2energon":
            raise
        checkout = Path(__file__).resolve().parents[2]
        source = shlex.quote(str(checkout)) if (checkout / "setup.py").exists() else "mm2energon"
        raise DependencyError(f"{missing} is not installed for {sys.executable}; run: pip install {source}") from error


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


class _Stopped(BaseException):
    """SIGTERM: raised where the command is, so that it cleans up after itself as after Ctrl-C."""


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Let signals come when the block ends: numpy takes one that comes while it is imported for a fault of its own."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _stops_once(*, for_good: bool) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C stop the command, whose cleaning up no second one cuts short: it takes seconds at most.

    Args:
        for_good: neither does one at the end of the process, when all has been said.
    """
    before: dict[int, Any] = {}
    stopped = False

    def stop(number: int, _frame: object) -> NoReturn:
        nonlocal stopped
        stopped = True
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else _Stopped

    with contextlib.suppress(ValueError):  # not in the main thread
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, stop)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where a shell put us in the background
            before[signal.SIGINT] = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        if not (stopped and for_good):
            for number, handler in before.items():
                signal.signal(number, handler)


def _report(run: Callable[[], Result], named: Callable[[str], str], bars: contextlib.ExitStack) -> int:
    """Run a command and say what came of it, on a line of its own; the exit status."""
    try:
        result = run()
    except ToolkitError as error:
        bars.close()
        return _failed(named(str(error)))
    except OSError as error:
        bars.close()
        where = _place(error)
        advice = "" if "://" in where else _ADVICE.get(error.errno or 0, "")  # a store has no modes
        return _failed(f"{where}: {error.strerror or error}{advice}")
    except (KeyboardInterrupt, _Stopped) as stop:
        bars.close()
        how, status = ("interrupted", 130) if isinstance(stop, KeyboardInterrupt) else ("stopped", 143)
        print(f"{how}; run the same command again to go on", file=sys.stderr)
        return status
    with contextlib.suppress(BrokenPipeError):  # such as `| head`
        print("\n".join(shown(named(line)) for line in result.lines), flush=True)
    return result.status


def _failed(message: str) -> int:
    print(f"error: {shown(message)}", file=sys.stderr)
    return 1


def _place(error: OSError) -> str:
    """The file or folder that a fault is about; of one of our temporary files, the folder that it lies in."""
    if not error.filename:
        return "a file"
    if "://" in str(error.filename):
        return str(error.filename)
    path = Path(os.fsdecode(error.filename))
    if error.errno in _IN_THE_WAY:
        return str(path)
    ours = [TEMPORARY_SUFFIX, ".partial", ".mm2energon"]
    while path.name.startswith(".") and any(mark in path.name for mark in ours):
        path = path.parent
    return str(path)


def _as_scripts(line: str) -> str:
    """A line that names commands, for somebody who runs the scripts of a checkout."""

    def script(match: re.Match[str]) -> str:
        path = str(Path(__file__).resolve().parents[1] / COMMANDS[match[1]].script)
        return f"python {shlex.quote(min(os.path.relpath(path), path, key=len))}"

    return re.sub(rf"\bmm2energon ({'|'.join(COMMANDS)})\b", script, line)


if __name__ == "__main__":
    sys.exit(main())
