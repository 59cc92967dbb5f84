"""The report of a run, for programs: `report.json` beside an output file, or in an output folder.

It holds the account of the run and what it was asked to do, and nothing that another run of the same command would say
otherwise (no times, no paths of this machine), so that it is the same bytes as often as the command is run.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

import mm2energon
from mm2energon.jsonio import dumps, loads
from mm2energon.roots import open_regular, read_regular
from mm2energon.storage import write_whole

_REPORT_NAME = "report.json"
_REPORT = re.compile(r"report(\..+)?\.json")
_BY = "mm2energon"
#: Bytes that a report takes at most; a larger file is another's.
_MOST_BYTES = 1 << 20


def write_report(output: Path, about: Mapping[str, Any], *, taken: Iterable[Path] = ()) -> Path:
    """Write the report of what was written to `output`; the one of an earlier run for the same output is replaced.

    Args:
        output: a file, beside which the report lies, or a folder, in which it lies.
        taken: files that must not be replaced.
    """
    path = report_place(output, taken)
    if not path.parent.is_dir():  # it would be made anew
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    data = dumps({"by": _BY, "version": mm2energon.__version__, "of": _of(output), **about}) + b"\n"
    if not path.is_file() or path.read_bytes() != data:  # a finished run that is started again changes no file
        with write_whole(path) as file:
            file.write(data)
    return path


def remove_report(output: Path) -> None:
    """Take away the report of an earlier run for the same output, which is no longer true."""
    for path in _ours(output):
        path.unlink(missing_ok=True)


def is_report_name(name: str) -> bool:
    """Whether a report may have that name."""
    return _REPORT.fullmatch(name) is not None


def is_report(path: Path) -> bool:
    """Whether a file is a report of ours."""
    return _read(path) is not None


def _read(path: Path) -> Mapping[str, Any] | None:
    if not _REPORT.fullmatch(path.name):
        return None
    try:
        value = loads(read_regular(path, most_bytes=_MOST_BYTES))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and value.get("by") == _BY and "of" in value else None


def report_place(output: Path, taken: Iterable[Path]) -> Path:
    """Where the report of a run goes: the file of an earlier run for the same output, else the first name that is free.

    Raises:
        PermissionError: we may not read one that may be ours.
    """
    others = {path.resolve() for path in (*taken, output)}
    stem = f"report.{output.stem}"
    names = chain([_REPORT_NAME, f"{stem}.json"], (f"{stem}.{number}.json" for number in count(2)))
    free = (path for name in names if not (path := _folder(output) / name).exists())
    return next(path for path in chain(_ours(output), free) if path.resolve() not in others)


def _ours(output: Path) -> list[Path]:
    """The reports of earlier runs for the same output.

    Raises:
        PermissionError: one may be ours, and we may not read it.
    """
    paths = sorted(_folder(output).glob("report*.json"))
    for path in paths:
        if _REPORT.fullmatch(path.name) and path.is_file():
            open_regular(path).close()
    return [path for path in paths if (about := _read(path)) is not None and about["of"] == _of(output)]


def _folder(output: Path) -> Path:
    return output if output.is_dir() else output.parent


def _of(output: Path) -> str:
    return "." if output.is_dir() else output.name
