"""Files of a dataset: written whole or not at all, and read from inside the dataset root alone."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mm2energon.errors import MediaError

#: Endings of our temporary files; whatever bears it was left by a run that was cut off.
TEMPORARY_SUFFIX = ".mm2energon-tmp"

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://|^data:")


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under `path` when the block ends well, and not at all when it raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=TEMPORARY_SUFFIX)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())  # mkstemp makes files that only the owner reads
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut (POSIX; a no-op where folders cannot be opened)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def inside_root(root: Path, written: str, *, origin: str) -> str:
    """The path that `written` names below `root`: relative, forward slashes, links followed.

    Args:
        root: the dataset root, resolved.
        written: the path as the annotation has it; absolute is allowed when it lies inside the root.
        origin: where the path was found, for the message.

    Raises:
        MediaError: `outside-root` when it leaves the root, `missing-media` for a URL or an impossible name.
    """
    if _URL.match(written):
        raise MediaError(
            f"{origin}: {_short(written)!r} is a URL; a file below the dataset root was expected; "
            "download it first and write its path",
            "missing-media",
        )
    if "\0" in written or not written.strip():
        raise MediaError(f"{origin}: {_short(written)!r} is no file name", "missing-media")
    lexical = Path(os.path.normpath(root / written))
    try:
        real = lexical.resolve()
    except (OSError, RuntimeError) as error:
        raise MediaError(f"{origin}: {_short(written)!r} cannot be followed ({error})", "missing-media") from error
    if not (lexical.is_relative_to(root) and real.is_relative_to(root)):
        raise MediaError(
            f"{origin}: {_short(written)!r} leaves the dataset root {root}; "
            "move the file into it, or choose a --dataset-root above both",
            "outside-root",
        )
    return lexical.relative_to(root).as_posix()


def media_file(root: Path, relative: str, *, origin: str) -> Path:
    """The regular file at `relative` below `root`.

    Raises:
        MediaError: `missing-media` when there is no regular file, `outside-root` as `inside_root`.
    """
    path = root / inside_root(root, relative, origin=origin)
    try:
        found = path.is_file()
    except OSError as error:
        raise MediaError(
            f"{origin}: {_short(relative)!r} cannot be opened ({error.strerror})", "missing-media"
        ) from error
    if not found:
        what = "is not a regular file" if path.exists() else "does not exist"
        raise MediaError(
            f"{origin}: {_short(relative)!r} {what} below {root}; paths are relative to the dataset root",
            "missing-media",
        )
    return path


def _short(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
