"""Standing: what an earlier run wrote for an output; by it a run tells that all was there and it wrote nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mm2energon.pipeline.account import is_account_name
from mm2energon.pipeline.ledger import ledger_path

#: Path -> inode, bytes, time of the last change: what is written anew has others.
Standing = Mapping[Path, tuple[int, int, int]]


def standing(output: Path) -> Standing:
    """The output, and the accounts, reports and notes that lie beside it."""
    accounts = (path for path in output.parent.glob("set_aside*.jsonl") if is_account_name(path.name))
    found = {}
    for path in (output, ledger_path(output.parent), *accounts, *output.parent.glob("report*.json")):
        with suppress(FileNotFoundError):
            stat = path.stat()
            found[path] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return found


def was_left_alone(output: Path, before: Standing) -> bool:
    """Whether the output was there before, and nothing that belongs to it has been written since."""
    return output in before and standing(output) == before
