"""Copies of a CSV, with the time in their names, from before it is updated; none is ever replaced."""

from __future__ import annotations

import os
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from mm2energon.storage import sync_folder, temporary_file

_BLOCK_BYTES = 1 << 20


def back_up(path: Path, *, at: datetime, changes: bool) -> Path:
    """Copy a CSV to `{name}_backup_{YYYYMMDD_HHMMSS}.csv` beside it, where no earlier copy does; the copy.

    Of two in one second the later one has the next second in its name.

    Args:
        changes: the CSV is about to change; otherwise one copy, of whatever time, is enough.
    """
    for earlier in sorted((one for one in path.parent.iterdir() if _is_backup(one.name, path)), reverse=True):
        if not changes or _are_same(earlier, path):
            return earlier
    with path.open("rb") as file, temporary_file(path.parent) as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        os.fsync(copy.fileno())
        shutil.copymode(path, copy.name)
        while True:
            backup = path.with_name(f"{path.stem}_backup_{at:%Y%m%d_%H%M%S}{path.suffix}")
            if _named(Path(copy.name), backup):
                sync_folder(path.parent)
                return backup
            at += timedelta(seconds=1)


def _named(copy: Path, backup: Path) -> bool:
    """Give a file a name, unless something has it; False then."""
    try:
        os.link(copy, backup)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links; we are alone on the CSV
        if os.path.lexists(backup):
            return False
        copy.rename(backup)
    return True


def _is_backup(name: str, path: Path) -> bool:
    return re.fullmatch(rf"{re.escape(path.stem)}_backup_\d{{8}}_\d{{6}}{re.escape(path.suffix)}", name) is not None


def _are_same(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            a, b = left.read(_BLOCK_BYTES), right.read(_BLOCK_BYTES)
            if a != b:
                return False
            if not a:
                return True
