"""Every entry of an annotation file, read and counted; each function imports, and returns the work."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.baselines.video import Work
from benchmarks.measure import Unfit


def ours(*, path: str) -> Work:
    """mm2energon's reader: array or lines, told from the content."""
    from mm2energon.jsonio import read_entries

    return lambda: _counted(entry.value for entry in read_entries(Path(path)))


def json_load(*, path: str) -> Work:
    """The standard library: an array at once, lines one by one."""

    def work() -> dict[str, Any]:
        with Path(path).open("rb") as file:
            return _counted(json.load(file) if path.endswith(".json") else map(json.loads, file))

    return work


def ijson(*, path: str) -> Work:
    """ijson on yajl, streaming."""
    try:
        import ijson.backends.yajl2_c as parser
    except ImportError as error:
        raise Unfit("ijson is not installed, or without its C backend") from error

    def work() -> dict[str, Any]:
        with Path(path).open("rb") as file:
            if path.endswith(".json"):
                return _counted(parser.items(file, "item", use_float=True))
            return _counted(parser.items(file, "", use_float=True, multiple_values=True))

    return work


def orjson(*, path: str) -> Work:
    """orjson: an array at once, lines one by one."""
    import orjson as parser

    def work() -> dict[str, Any]:
        if path.endswith(".json"):
            return _counted(parser.loads(Path(path).read_bytes()))
        with Path(path).open("rb") as file:
            return _counted(map(parser.loads, file))

    return work


def _counted(entries: Iterable[Any]) -> dict[str, Any]:
    count = turns = 0
    for entry in entries:
        count += 1
        turns += len(entry["conversations"])
    return {"entries": count, "turns": turns}
