"""The ledger of a folder: which of its files mm2energon wrote.

By it an output is never taken for an input, nor an input overwritten. It lies in `.mm2energon/outputs.json` beside the
files: name -> sha256 of what was written, and the files that it was made from, relative to the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mm2energon.jsonio import EntryWriter, dumps, loads, write_entries
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


@contextlib.contextmanager
def write_output(path: Path, *, sources: Iterable[Path]) -> Iterator[EntryWriter]:
    """A writer of entries to `path`, which is noted as ours, made from `sources`.

    Without a single entry nothing is written; a file that is there already and would be the same is left as it is.
    """
    fresh = path.with_name(f".{path.name}{path.suffix}")
    with write_entries(fresh) as out:
        yield out
    if out.count == 0:
        fresh.unlink()
        return
    folder = path.parent.resolve()
    made_from = sorted(Path(os.path.relpath(source.resolve(), folder)).as_posix() for source in sources)
    before, now = _sha256(path), _sha256(fresh)
    noted = read_ledger(path.parent).get(path.name, {})
    if (noted.get("sha256"), noted.get("sources")) != (now, made_from) or now != before:
        # Noted before the file has its name: whenever this is cut off, what stands there is known.
        note(path.parent, path.name, {"sha256": now, "before": before, "sources": made_from})
    if now == before:
        fresh.unlink()
    else:
        fresh.replace(path)


def is_own_output(path: Path) -> bool:
    """Whether `path` is as we wrote it: a file that somebody changed since counts as theirs."""
    return _noted(path) is not None


def was_changed(path: Path) -> bool:
    """Whether we wrote `path`, and somebody changed it since."""
    noted = read_ledger(path.parent).get(path.name)
    return isinstance(noted, dict) and "sha256" in noted and path.is_file() and _noted(path) is None


def is_derived(path: Path, root: Path) -> bool:
    """Whether `path` is as we wrote it from files that are below `root`: whoever reads those need not read it."""
    noted = _noted(path)
    if noted is None:
        return False
    sources = [(path.parent / source).resolve() for source in noted.get("sources", [])]
    return all(source.is_relative_to(root.resolve()) and source.is_file() for source in sources)


def _noted(path: Path) -> dict[str, Any] | None:
    noted = read_ledger(path.parent).get(path.name)
    if isinstance(noted, dict) and "sha256" in noted and path.is_file():
        return noted if _sha256(path) in (noted["sha256"], noted.get("before")) else None
    return None


def _sha256(path: Path) -> str | None:
    """The digest of a file; None when there is none."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        return None
    return digest.hexdigest()
