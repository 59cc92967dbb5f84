"""What earlier runs said of a dataset: the accounts beside the shards, and beside the annotations above them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.jsonio import loads, read_entries
from mm2energon.pipeline.account import is_account_name
from mm2energon.pipeline.report import is_report
from mm2energon.roots import open_regular, read_regular
from mm2energon.terminal import known, told

_REPORT = re.compile(r"report(\..+)?\.json")
_MOST_REPORTS = 20
#: Lines of an account that are looked at for examples, examples of a reason, and letters of each.
_MOST_LINES, _EXAMPLES, _LETTERS = 2000, 3, 400
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class RunAccount:
    """What one run said."""

    #: `shard`, and the name of what it wrote.
    command: str
    of: str
    read: int
    written: int
    #: Reason code -> entries.
    set_aside: Mapping[str, int]
    #: Reason code -> some of the messages.
    examples: Mapping[str, list[str]]
    #: Where all of them stand; empty where nothing was set aside.
    file: str = ""
    #: Annotation format that entries were read as -> entries that were written.
    formats: Mapping[str, int] = field(default_factory=dict)


def name_of(folder: Path) -> str:
    """The last part of what a folder is called."""
    return known(str(folder.resolve())).rpartition("/")[2]


def accounts_of(root: Path, *, above: Path | None = None) -> tuple[list[RunAccount], list[tuple[Path, str]]]:
    """The accounts that lie in the folder of the shards and in the one above it; and those that cannot be read.

    Args:
        above: what that one is where `root` is a mirror.
    """
    found, unread = [], []
    for folder in (root, above or root.absolute().parent):
        paths = sorted(path for path in folder.glob("report*.json") if _REPORT.fullmatch(path.name))
        for path in paths[:_MOST_REPORTS]:
            try:
                account = _read(path)
            except OSError as error:
                unread.append((path, told(error)))
                continue
            found += [account] if account is not None else []
    return found, unread


def _read(path: Path) -> RunAccount | None:
    """What a report of ours says; None where the file is another's.

    Raises:
        OSError: it cannot be read.
    """
    open_regular(path).close()
    try:
        about = loads(read_regular(path)) if is_report(path) else None
    except ValueError:
        return None
    if not isinstance(about, dict) or not _count(about.get("read")):
        return None
    refused = counts_in(about.get("set_aside"))
    name = about.get("set_aside_file")
    lies_there = isinstance(name, str) and is_account_name(name) and (path.parent / name).is_file()
    return RunAccount(
        command=str(about.get("command", ""))[:_LETTERS],
        of=str(about["of"])[:_LETTERS] if about["of"] != "." else name_of(path.parent),
        read=_count(about["read"]),
        written=sum(counts_in(about.get("written")).values()),
        set_aside=refused,
        examples=_examples(path.parent / str(name)) if refused and lies_there else {},
        file=str(name) if refused and lies_there else "",
        formats=counts_in(about.get("formats")),
    )


def _examples(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for reason, message in _lines(path):
        some = found.setdefault(reason, [])
        if len(some) < _EXAMPLES:
            some.append(message[:_LETTERS])
    return found


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    if path.stat().st_size > _MOST_BYTES:
        return  # a line of it may be of any length
    with contextlib.suppress(InputError):  # it is not what it was
        for entry in islice(read_entries(path), _MOST_LINES):
            if isinstance(entry.value, dict):
                yield str(entry.value.get("reason", ""))[:_LETTERS], str(entry.value.get("message", ""))


def counts_in(value: Any) -> dict[str, int]:
    """Names and counts, as far as a value of a stranger has some."""
    return {name[:_LETTERS]: _count(number) for name, number in value.items()} if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
