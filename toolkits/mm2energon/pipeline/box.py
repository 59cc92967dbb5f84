"""Box: a folder into which files from outside are put, and out of which no name and no link leads.

Every folder on the way is opened through the one above it and never by its path, so that a link that takes the place of
a folder while we work leads nowhere (where the system can: not on Windows, where each is looked at first).
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from mm2energon.locks import lock
from mm2energon.pipeline.archive_member import MemberError
from mm2energon.storage import TEMPORARY_SUFFIX

_MAX_NAME_BYTES = 255
#: What the system is asked for at most in one path, and folders in one another that anybody needs.
_MAX_PATH_BYTES, _MAX_DEPTH = 4096, 64
_DRIVE = re.compile(r"[A-Za-z]:")
#: Beginnings of names that mean something to us or to a reader of shards, and that nobody else may give to a file.
_OUR_NAMES = (".mm2energon", ".nv-meta")
_HAS_DESCRIPTORS = os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY")
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | _NO_LINK | _BINARY | getattr(os, "O_NONBLOCK", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY
_FOLDER = os.O_RDONLY | _NO_LINK | getattr(os, "O_DIRECTORY", 0)
_IN_THE_WAY = (errno.ENOTDIR, errno.ELOOP)
#: What a file system says to a name that it cannot have, be it fine elsewhere.
_NO_SUCH_NAMES = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)


def safe_parts(name: str) -> tuple[str, ...]:
    """The folders and the file that a name from outside means, below whatever folder.

    Raises:
        MemberError: it leads out, or is no name that a file may have.
    """
    if "\0" in name:
        raise MemberError("no file name: it holds a NUL byte")
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0].startswith("/") or _DRIVE.match(parts[0]):
        raise MemberError("leaves its folder, or is no file name")
    if os.name == "nt" and any(":" in part for part in parts):
        raise MemberError("no file name here: it holds a colon")
    encoded = [part.encode("utf-8", "surrogateescape") for part in parts]
    if max(map(len, encoded)) > _MAX_NAME_BYTES or sum(map(len, encoded)) + len(parts) > _MAX_PATH_BYTES // 2:
        raise MemberError(f"too long a name; {_MAX_NAME_BYTES} bytes are the limit of each part")
    if len(parts) > _MAX_DEPTH:
        raise MemberError(f"lies in {len(parts) - 1} folders; {_MAX_DEPTH} are the limit")
    if any(part.casefold().startswith(_OUR_NAMES) or part.endswith(TEMPORARY_SUFFIX) for part in parts):
        raise MemberError("a name that mm2energon keeps for itself")
    return parts


class Box:
    """One such folder; open until `close`."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder)
        self._descriptor = os.open(folder, _FOLDER & ~_NO_LINK) if _HAS_DESCRIPTORS else None

    def close(self) -> None:
        """Let go of the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def put(self, parts: Sequence[str], size: int, blocks: Iterator[bytes]) -> bool:
        """Write a file of so many bytes, whole or not at all; False when the very same is there already.

        Raises:
            MemberError: something else has its name, or that of one of its folders.
        """
        with _named(os.path.join(self._path, *parts)), self._folder(parts[:-1]) as folder:  # noqa: PTH118
            found = folder.stat(parts[-1])
            if found is None:
                folder.write(parts[-1], size, blocks)
                return True
            if not stat.S_ISREG(found.st_mode) or found.st_size != size or not folder.holds(parts[-1], blocks):
                raise MemberError("another file of that name is there; remove it to have the one in the archive")
            return False

    def remove(self, parts: Sequence[str]) -> None:
        """Take a file away that was put here."""
        with suppress(MemberError), self._folder(parts[:-1]) as folder:
            folder.remove(parts[-1])

    @contextmanager
    def _folder(self, parts: Sequence[str]) -> Iterator[_Folder]:
        folder = _Folder(self._path, None if self._descriptor is None else os.dup(self._descriptor))
        try:
            for part in parts:
                inner = folder.enter(part)
                folder.close()
                folder = inner
            yield folder
        finally:
            folder.close()


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Let an OSError name the whole path, and refuse a name that the disk does not take."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SUCH_NAMES:
            raise MemberError(f"no file name on this disk ({error.strerror})") from error
        if error.errno is not None and not os.path.isabs(error.filename or ""):  # noqa: PTH117 (a string)
            error.filename = path
        raise


class _Folder:
    """A folder, by its descriptor where the system has any."""

    def __init__(self, path: str, descriptor: int | None) -> None:
        self._path, self._descriptor = path, descriptor

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _at(self, name: str) -> str:
        return name if self._descriptor is not None else os.path.join(self._path, name)  # noqa: PTH118

    def enter(self, name: str) -> _Folder:
        """The folder of that name in this one, which is made where it is not there.

        Raises:
            MemberError: a file or a link has the name.
        """
        with suppress(FileExistsError):
            os.mkdir(self._at(name), dir_fd=self._descriptor)
        path = os.path.join(self._path, name)  # noqa: PTH118
        if self._descriptor is None:
            found = self.stat(name)
            if found is None or not stat.S_ISDIR(found.st_mode):
                raise MemberError("a file or a link has the name of its folder")
            return _Folder(path, None)
        try:
            return _Folder(path, os.open(name, _FOLDER, dir_fd=self._descriptor))
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            raise MemberError("a file or a link has the name of its folder") from error

    def stat(self, name: str) -> os.stat_result | None:
        """What has the name here, be it a link; None when nothing has."""
        try:
            return os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._at(name), dir_fd=self._descriptor)

    def write(self, name: str, size: int, blocks: Iterator[bytes]) -> None:
        """Write a file under a temporary name, locked as that of a live run, and then under its own."""
        temporary = f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
        descriptor = os.open(self._at(temporary), _WRITE, 0o666, dir_fd=self._descriptor)
        try:
            with os.fdopen(descriptor, "wb") as file:
                lock(file.fileno(), wait=True)
                _copy(blocks, file, size)
                file.flush()
                os.fsync(file.fileno())
                self._rename(temporary, name)
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                self.remove(temporary)
            raise
        if self._descriptor is not None:
            with suppress(OSError):  # some file systems cannot
                os.fsync(self._descriptor)

    def _rename(self, temporary: str, name: str) -> None:
        old, new, at = self._at(temporary), self._at(name), self._descriptor
        os.replace(old, new, src_dir_fd=at, dst_dir_fd=at)  # noqa: PTH105 (by descriptor)

    def holds(self, name: str, blocks: Iterator[bytes]) -> bool:
        """Whether a file has that content."""
        descriptor = os.open(self._at(name), _READ, dir_fd=self._descriptor)
        with os.fdopen(descriptor, "rb") as file:
            return all(file.read(len(block)) == block for block in blocks) and not file.read(1)


def _copy(blocks: Iterator[bytes], file: IO[bytes], size: int) -> None:
    copied = 0
    for block in blocks:
        copied += file.write(block)
    if copied != size:
        raise MemberError(f"has {copied} bytes; the archive says {size}")
