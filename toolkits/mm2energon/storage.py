"""Files of a dataset: written whole or not at all, and read from inside the dataset root alone."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mm2energon.errors import MediaError
from mm2energon.locks import ABANDONED_SECONDS, lock

#: Ending of our temporary files, each locked while it is written; one that is not was left by a run that was cut off.
TEMPORARY_SUFFIX = ".mm2energon-tmp"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|data:", re.IGNORECASE)

#: What a write fails with where there is no room for it.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

#: Last parts of a path that name no file.
_NO_NAMES = frozenset({"", ".", ".."})
_HAS_LINK_FLAG = hasattr(os, "O_NOFOLLOW")  # not on Windows, where each path is looked at in full
#: A link in the last place is refused, and nobody waits for the other end of a pipe.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDERS_REMEMBERED = 4096


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under `path` when the block ends well, and not at all when it raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary_file(path.parent) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            file.close()
            Path(file.name).replace(path)
    except OSError as error:
        if error.errno in _NO_ROOM and error.filename is None:
            error.filename = str(path)  # Python names the file where it opens one, not where it writes
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def temporary_file(folder: Path) -> Iterator[IO[bytes]]:
    """A new file for writing, known as that of a live run; removed in the end, unless it has another name by then."""
    file, claim = _new_file(folder)
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            file.close()
        with contextlib.suppress(OSError):
            Path(file.name).unlink()
        os.close(claim)


def _new_file(folder: Path) -> tuple[IO[bytes], int]:
    """A new file, and a descriptor that holds its lock, also once the file is closed."""
    while True:
        # With the mode that the umask says, which tempfile would not give.
        file = (folder / f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}").open("xb")
        claim = os.dup(file.fileno())
        lock(claim, wait=True)
        if os.fstat(claim).st_nlink:
            return file, claim
        file.close()  # it was taken for a leftover in the moment before it was locked
        os.close(claim)


def remove_leftovers(folder: Path, *, deep: bool = False) -> None:
    """Take away what runs that were killed left half written in a folder, or everywhere below it."""
    pattern = f".*{TEMPORARY_SUFFIX}"
    for path in folder.rglob(pattern) if deep else folder.glob(pattern):
        with contextlib.suppress(OSError):  # it is written to, or not ours to remove
            _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    descriptor = os.open(path, _OPEN_FLAGS | os.O_RDWR)
    try:
        if lock(descriptor, wait=False) or time.time() - os.fstat(descriptor).st_mtime > ABANDONED_SECONDS:
            path.unlink()
    finally:
        os.close(descriptor)


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
    plain = _without_links(str(root), written)
    if plain is not None:
        return plain
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


def _without_links(root: str, written: str) -> str | None:
    """What `inside_root` says of a path below the root that goes through no link, in a third of the time; else None."""
    path, begin = os.path.normpath(os.path.join(root, written)), os.path.join(root, "")  # noqa: PTH118
    if not path.startswith(begin):
        return None
    relative = path[len(begin) :].replace(os.sep, "/")
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(path)  # fails at once where the whole is too long
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return None if _has_link(root, relative) else relative
    except (OSError, ValueError):
        return None
    return relative


def _has_link(root: str, relative: str) -> bool:
    """Whether a part of a path below the root is a link, down to the first that is not there, which raises an OSError.

    The root is resolved, so that only these parts need a look: a fifth of the time of `os.path.realpath`.
    """
    path = root
    for part in relative.split("/"):
        path = f"{path}/{part}"
        if stat.S_ISLNK(os.lstat(path).st_mode):
            return True
    return False


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


class PlainFiles:
    """Opens files below one root whose paths are plain: relative, normal, and through no link.

    These are nearly all of a dataset, and cost one system call each, where `media_file` follows every part of a path
    (60 us). Whatever is not plain, or cannot be opened, is answered with None: `media_file` says what it is.
    """

    def __init__(self, root: Path) -> None:
        """
        Args:
            root: the dataset root, resolved.
        """
        self._root = str(root)
        #: Folder -> whether its path is plain; each is followed once.
        self._plain: dict[str, bool] = {}

    def open(self, relative: str) -> int | None:
        """A descriptor of what lies at a plain path, for reading; a folder or a pipe fails, or is empty, when read."""
        folder, _, name = relative.rpartition("/")
        if relative.startswith("/") or ":" in relative or name in _NO_NAMES or name.isspace():
            return None
        if not self._is_plain(folder):
            return None
        try:
            return os.open(f"{self._root}/{relative}", _OPEN_FLAGS)
        except (OSError, ValueError):
            return None

    def read(self, relative: str, size: int) -> bytes | None:
        """The bytes of the file at a plain path, when they are `size` bytes."""
        descriptor = self.open(relative)
        if descriptor is None:
            return None
        try:
            data = os.read(descriptor, size + 1)  # one more than there should be: then a longer file is noticed
            while 0 < len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
                data += more
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return data if len(data) == size else None

    def _is_plain(self, folder: str) -> bool:
        known = self._plain.get(folder)
        if known is None:
            if len(self._plain) >= _FOLDERS_REMEMBERED:
                self._plain.clear()
            known = self._plain[folder] = self._follow(folder)
        return known

    def _follow(self, folder: str) -> bool:
        """Whether a path below the root leads, part by part, to the folder that it names."""
        if not folder:
            return _HAS_LINK_FLAG
        try:
            is_normal = _NO_NAMES.isdisjoint(folder.split("/"))
            return _HAS_LINK_FLAG and is_normal and not _has_link(self._root, folder)
        except (OSError, ValueError):
            return False


def _short(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[:limit] + "..."
