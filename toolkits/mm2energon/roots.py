"""Roots: files of a dataset are read from inside the dataset root, and further roots that the user opened, alone."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from mm2energon.errors import MediaError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|(data):", re.IGNORECASE)
#: What to do about a URL, by its scheme; the rest are downloaded.
_URL_ADVICE = {"data": "write what it holds to a file", "file": "write the path alone"}

#: Last parts of a path that name no file.
_NO_NAMES = frozenset({"", ".", ".."})
_HAS_LINK_FLAG = hasattr(os, "O_NOFOLLOW")  # not on Windows, where each path is looked at in full
#: Nobody waits for the other end of a pipe.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
_OPEN_FLAGS_NO_LINK = _OPEN_FLAGS | getattr(os, "O_NOFOLLOW", 0)
_FOLDERS_REMEMBERED = 4096
#: Characters of the longest path that any system takes; to follow a longer one may take minutes.
_MOST_CHARACTERS = 32_767


def inside_root(root: Path, written: str, *, origin: str, further: Sequence[Path] = ()) -> str:
    """The path that `written` names below `root`: relative, forward slashes, without `.` and `..`.

    Args:
        root: the dataset root, resolved.
        written: the path as the annotation has it; absolute is allowed when it lies inside the root, links followed.
        origin: where the path was found, for the message.
        further: roots, resolved, of which files may be named too, by an absolute path, which is then the result, or by
            a link below `root` that leads there.

    Raises:
        MediaError: `outside-root` when it leaves the roots, also by a link; `media-url` for a URL; `missing-media` for
            an impossible name.
    """
    if found := _URL.match(written):
        advice = _URL_ADVICE.get((found[1] or found[2]).lower(), "download it first and write its path")
        raise MediaError(
            f"{origin}: {_short(written)!r} is a URL; a file below the dataset root was expected; {advice}", "media-url"
        )
    if "\0" in written or not written.strip() or len(written) > _MOST_CHARACTERS:
        raise MediaError(
            f"{origin}: {_short(written)!r} is no file name; a path relative to the dataset root was expected; mend it",
            "missing-media",
        )
    plain = _without_links(str(root), written)
    if plain is not None:
        return plain
    lexical, real = _followed(root, written, origin=origin)
    is_below = lexical.is_relative_to(root)
    roots = [root, *further] if is_below or os.path.isabs(written) else [root]  # noqa: PTH117 (a string)
    if not any(map(real.is_relative_to, roots)):
        by_link = f" by a link to {_short(str(real))}" if is_below else ""
        raise MediaError(
            f"{origin}: {_short(written)!r} leaves the dataset root{by_link}; a file inside of {root} was expected; "
            "move it there, choose a --dataset-root above both, or open its folder with --allow-absolute-media",
            "outside-root",
        )
    # A root may have other names, by links above it: absolute paths may be written with one of those.
    return name_from(root, lexical if any(map(lexical.is_relative_to, roots)) else real)


def is_url(written: str) -> bool:
    """Whether a medium is named by a URL, as some datasets do."""
    return _URL.match(written) is not None


def name_from(root: Path, path: Path) -> str:
    """What a file is called in annotations and plans: relative to the root, or, where it is not below, absolute."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _followed(root: Path, written: str, *, origin: str) -> tuple[Path, Path]:
    """The path as it is written, made absolute, and where it leads once links are followed."""
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
    return lexical, real


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


def media_file(root: Path, relative: str, *, origin: str, further: Sequence[Path] = ()) -> Path:
    """The regular file at `relative` below `root`, or at an absolute path below a further root.

    Raises:
        MediaError: `missing-media` when there is no regular file, `outside-root` as `inside_root`.
    """
    path = root / inside_root(root, relative, origin=origin, further=further)
    try:
        found, there = path.is_file(), path.exists()
    except (OSError, ValueError) as error:
        raise MediaError(
            f"{origin}: {_short(relative)!r} cannot be opened ({getattr(error, 'strerror', error)}); "
            "a file that can be read was expected",
            "missing-media",
        ) from error
    if not found:
        advice = "write it with / in the place of \\" if "\\" in relative else "paths are relative to the dataset root"
        raise MediaError(
            f"{origin}: {_short(relative)!r} {'is not a regular file' if there else 'does not exist'}; "
            f"a file below {root} was expected; {advice}",
            "missing-media",
        )
    return path


def read_regular(path: Path, *, most_bytes: int = 256 << 20) -> bytes:
    """The bytes of a regular file.

    Raises:
        OSError: as of `open_regular`; or it is larger than that.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most_bytes:
            raise OSError(errno.EINVAL, f"larger than {most_bytes} bytes", str(path))
        return file.read(most_bytes)


def open_regular(path: Path) -> IO[bytes]:
    """A regular file, open for reading; nobody waits for a pipe, and nobody reads a device.

    Raises:
        OSError: it is none, or cannot be read.
    """
    descriptor = os.open(path, _OPEN_FLAGS)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "no regular file", str(path))


def open_inside(path: Path, roots: Sequence[Path]) -> IO[bytes]:
    """A regular file below one of the roots, as `open_regular`; that it lies there is looked at once it is open.

    A path that was found to be inside may lead elsewhere by the time that it is opened. Where the system does not say
    what was opened (it does on Linux) it is believed.

    Args:
        roots: resolved.

    Raises:
        OSError: as of `open_regular`; or it lies elsewhere.
    """
    file = open_regular(path)
    try:
        opened = Path(os.readlink(f"/proc/self/fd/{file.fileno()}"))  # noqa: PTH115 (no file is followed here)
    except OSError:
        return file
    if any(map(opened.is_relative_to, roots)):
        return file
    file.close()
    raise OSError(errno.ELOOP, "its path was changed to lead out of the dataset root", str(path))


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
            return os.open(f"{self._root}/{relative}", _OPEN_FLAGS_NO_LINK)
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
