"""The ledger of a folder: which of its files mm2energon wrote, so that an output is never taken for an input, nor an
input overwritten.

It lies in `.mm2energon/outputs.json` beside the files: name -> sha256 of what was written, and the files that it was made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mm2energon.jsonio import dumps, loads
from mm2energon.storage import write_whole

STATE_FOLDER = ".mm2energon"
_LEDGER_NAME = "outputs.json"


def read_ledger(folder: Path) -> dict[str, Any]:
    """What the ledger of `folder` holds; empty when there is none, or none that can be read."""
    try:
        ledger = loads((folder / STATE_FOLDER / _LEDGER_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return ledger if isinstance(ledger, dict) else {}


def note(folder: Path, name: str, value: Any) -> None:
    """Write one line of the ledger of `folder`."""
    with write_whole(folder / STATE_FOLDER / _LEDGER_NAME) as file:
        file.write(dumps({**read_ledger(folder), name: value}))


def note_output(path: Path, *, sources: Iterable[Path]) -> None:
    """Note that `path`, as it is now, was written by us from `sources`."""
    made_from = sorted(str(source.resolve()) for source in sources)
    note(path.parent, path.name, {"sha256": _sha256(path), "sources": made_from})


def is_own_output(path: Path) -> bool:
    """Whether `path` is as we wrote it: a file that somebody changed since counts as theirs."""
    return _noted(path) is not None


def is_derived(path: Path, root: Path) -> bool:
    """Whether `path` is as we wrote it from files below `root`: whoever reads those need not read it."""
    noted = _noted(path)
    if noted is None:
        return False
    return all(Path(source).is_relative_to(root.resolve()) for source in noted.get("sources", []))


def _noted(path: Path) -> dict[str, Any] | None:
    noted = read_ledger(path.parent).get(path.name)
    if isinstance(noted, dict) and path.is_file() and noted.get("sha256") == _sha256(path):
        return noted
    return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
