"""Databases of SQLite: what it says of a disk is the OSError that it is."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Where SQLite keeps databases without a name: the first of these folders that it may write to
#: (https://www.sqlite.org/tempfiles.html, section 5).
_FOLDERS = ("$SQLITE_TMPDIR", "$TMPDIR", "/var/tmp", "/usr/tmp", "/tmp")  # noqa: S108 - SQLite's choice, not ours


@contextmanager
def faults_of_the_disk(path: Path | None = None) -> Iterator[None]:
    """Let what SQLite says of a disk be an OSError that names the database.

    Args:
        path: None for one without a name, in place of which its folder is named.

    Raises:
        OSError: the disk is full, or fails.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        code = errno.ENOSPC if "full" in str(error) else errno.EIO
        raise OSError(code, os.strerror(code), str(path or _temporary_folder())) from error


def _temporary_folder() -> str:
    folders = map(os.path.expandvars, _FOLDERS)
    return next((folder for folder in folders if Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)), ".")
