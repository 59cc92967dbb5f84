"""Files of a dataset: written whole or not at all, and read from inside the dataset root alone."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mm2energon.errors import MediaError

#: Endings of our temporary files; whatever bears it was left by a run that was cut off.
TEMPORARY_SUFFIX = ".mm2energon-tmp"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|data:", re.IGNORECASE)


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under `path` when the block ends well, and not at all when it raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    try:
        with temporary.open("xb") as file:  # with the mode that the umask says, which tempfile would not give
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
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
    """The path that `written` names below `root`: relative, forward slashes, without `.` and `..`.

    Args:
        root: the dataset root, resolved.
        written: the path as the annotation has it; absolute is allowed when it lies inside the root, links followed.
        origin: where the path was found, for the message.

    Raises:
        MediaError: `outside-root` when it leaves the root, also by a link; `missing-media` for a URL or an
            impossible name.
    """
    if _URL.match(written):
        raise MediaError(
            f"{origin}: {_short(written)!r} is a URL; a file below the dataset root was expected; "
            "download it first and write its path",
            "missing-media",
        )
    if "\0" in written or not written.strip():
        raise MediaError(
            f"{origin}: {_short(written)!r} is no file name; a path relative to the dataset root was expected; mend it",
            "missing-media",
        )
    lexical = Path(os.path.normpath(root / written))
    try:
        real = lexical.resolve()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            lexical.stat()
    except (OSError, RuntimeError, ValueError) as error:  # too long; a loop of links; half of a surrogate pair
        raise MediaError(
            f"{origin}: {_short(written)!r} cannot be followed ({getattr(error, 'strerror', error)}); "
            "the path of a file was expected; mend it",
            "missing-media",
        ) from error
    if not real.is_relative_to(root):
        by_link = f" by a link to {_short(str(real))}" if lexical.is_relative_to(root) else ""
        raise MediaError(
            f"{origin}: {_short(written)!r} leaves the dataset root{by_link}; a file inside of {root} was expected; "
            "move it there, or choose a --dataset-root above both",
            "outside-root",
        )
    # A root may have other names, by links above it: absolute paths may be written with one of those.
    inside = lexical if lexical.is_relative_to(root) else real
    return inside.relative_to(root).as_posix()


def media_file(root: Path, relative: str, *, origin: str) -> Path:
    """The regular file at `relative` below `root`.

    Raises:
        MediaError: `missing-media` when there is no regular file, `outside-root` as `inside_root`.
    """
    path = root / inside_root(root, relative, origin=origin)
    try:
        found, there = path.is_file(), path.exists()
    except (OSError, ValueError) as error:
        raise MediaError(
            f"{origin}: {_short(relative)!r} cannot be opened ({getattr(error, 'strerror', error)}); "
            "a file that can be read was expected",
            "missing-media",
        ) from error
    if not found:
        raise MediaError(
            f"{origin}: {_short(relative)!r} {'is not a regular file' if there else 'does not exist'}; "
            f"a file below {root} was expected; paths are relative to the dataset root",
            "missing-media",
        )
    return path


def _short(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[:limit] + "..."
