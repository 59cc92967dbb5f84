"""Mirror: a folder of this machine that stands for one in a store, for everything that knows files alone.

What is *shown* is a file of the right size without content (sparse: it takes no room), which answers who asks what is
there, and how large. What is *fetched* has its bytes, up to so many of all of them together; the longest unused goes
first, and is shown again. What is *published* lies in the store, under its name, when all of it is there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mm2energon.remote import Remote
from mm2energon.storage import TEMPORARY_SUFFIX
from mm2energon.terminal import call

_FOLDERS_REMEMBERED = 16
#: Bytes that come in the time of a request.
_GAP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A remote folder, and how much of it may lie here at a time; a few words, so that any executor can carry it."""

    url: str
    #: Where copies lie; None: where temporary files do.
    cache: Path | None = None
    most_bytes: int = 20 << 30

    @property
    def remote(self) -> Remote:
        """The folder."""
        return Remote(self.url)


class Mirror:
    """A folder that stands for a remote one; it is of one process alone, and goes with it."""

    def __init__(self, of: Mirrored, folder: Path) -> None:
        self.of = of
        self.remote = of.remote
        #: Absolute, links followed.
        self.folder = folder
        call(str(folder), of.url)
        #: What has its bytes, the longest unused first: name -> how many.
        self._fetched: OrderedDict[str, int] = OrderedDict()
        self._fetched_bytes = 0
        #: Name -> what tells that nobody has changed the file here since it was shown or fetched.
        self._marks: dict[str, tuple[int, int, int]] = {}
        #: Folder -> beginning of a name -> files and their bytes; asked for once.
        self._listed: dict[str, dict[str, dict[str, int]]] = {}
        self._lock = threading.Lock()

    def show(self, below: str = "", *, deep: bool = False) -> list[str]:
        """Show the files of a folder; their names.

        Raises:
            OSError: the store does not say.
        """
        names = []
        for inner, size in (self.remote / below if below else self.remote).files(deep=deep):
            name = f"{below}/{inner}" if below else inner
            names.append(name)
            self.show_file(name, size)
        return names

    def beside(self, name: str) -> dict[str, int]:
        """A file, and those of its folder that have the same name but for the ending (in any case); name -> bytes.

        Raises:
            OSError: the store does not say.
        """
        folder, _, last = name.rpartition("/")
        with self._lock:
            alike = self._listing(folder).get(_beginning(last), {})
        stem = _fold(last.rpartition(".")[0] or last)
        found = {one: size for one, size in alike.items() if one == last or _fold(one).startswith(f"{stem}.")}
        return {f"{folder}/{one}" if folder else one: size for one, size in found.items()}

    def size_of(self, name: str) -> int | None:
        """Bytes of a file; None when there is none, here or in the store, whose folder is listed once.

        Raises:
            OSError: the store does not say.
        """
        if self.has(name):
            return (self.folder / name).stat().st_size
        folder, _, last = name.rpartition("/")
        with self._lock:
            return self._listing(folder).get(_beginning(last), {}).get(last)

    def look_again(self, names: Iterable[str]) -> None:
        """Learn of files that came into the store since their folder was listed.

        Raises:
            OSError: the store does not say.
        """
        for name in names:
            folder, _, last = name.rpartition("/")
            if (size := (self.remote / name).size()) is not None:
                with self._lock:
                    self._listing(folder).setdefault(_beginning(last), {})[last] = size

    def _listing(self, folder: str) -> dict[str, dict[str, int]]:
        if folder not in self._listed:
            if len(self._listed) >= _FOLDERS_REMEMBERED:
                self._listed.clear()
            listed = self._listed[folder] = {}
            for name, size in (self.remote / folder if folder else self.remote).files():
                listed.setdefault(_beginning(name), {})[name] = size
        return self._listed[folder]

    def show_file(self, name: str, size: int) -> None:
        """Show one file, unless it is there already."""
        with self._lock:
            if name not in self._marks:
                self._show(name, size)

    def date(self, name: str) -> None:
        """Let a file that is shown have the time of the one in the store.

        Raises:
            OSError: the store does not say.
        """
        when = (self.remote / name).modified_ns()
        with self._lock:
            os.utime(self.folder / name, ns=(when, when))
            self._mark(name)

    def fetch(self, names: Iterable[str], *, keep: int = 0) -> None:
        """Bring the bytes of files, as far as there are such, and let others go to make room.

        Args:
            keep: files besides them that stay, whatever room they take.

        Raises:
            OSError: the store does not give them, or the disk does not take them.
        """
        wanted = dict.fromkeys(names)
        with self._lock:
            for name in wanted:
                if name in self._fetched:
                    self._fetched.move_to_end(name)
            lacking = [name for name in wanted if name not in self._fetched]
        brought = self.remote.fetch(lacking, self.folder)
        with self._lock:
            for name, size in brought.items():
                self._fetched[name] = size
                self._fetched_bytes += size
                self._mark(name)
            self._make_room(keep=len(wanted) + keep)

    def let_go(self, names: Iterable[str]) -> None:
        """Only show files from now on whose bytes nobody needs any more."""
        with self._lock:
            for name in names:
                if name in self._fetched:
                    self._show(name, self._let_go(name))

    def fill(self, name: str, stretches: Iterable[tuple[int, int]]) -> None:
        """Bring some stretches of a file that is shown, in place of those that were brought of it before.

        What is not brought reads as zeros. Stretches that nearly touch come in one request.

        Raises:
            OSError: the store does not give them, or the disk does not take them.
        """
        if name in self._fetched:
            return
        path = self.folder / name
        size = path.stat().st_size
        with path.open("r+b", buffering=0) as file:  # the same file for who has it open already
            file.truncate(0)
            file.truncate(size)
            for begin, data in (self.remote / name).read_parts(_joined(stretches)):
                file.seek(begin)
                file.write(data)
        with self._lock:
            self._mark(name)

    def forget(self, names: Iterable[str]) -> None:
        """Take away files that are here; the store keeps them."""
        with self._lock:
            for name in names:
                self._let_go(name)
                self._marks.pop(name, None)
                (self.folder / name).unlink(missing_ok=True)

    def bring(self, names: Iterable[str]) -> None:
        """Bring small files, which stay, as they are in the store now.

        Raises:
            OSError: as `fetch`.
        """
        brought = self.remote.fetch(list(names), self.folder)
        with self._lock:
            for name in brought:
                self._let_go(name)
                self._mark(name)

    def publish(self, names: Iterable[str], *, keeps: bool = False) -> None:
        """Send files to the store, at the same time; here they are only shown from then on.

        Args:
            keeps: their bytes stay here, too.

        Raises:
            OSError: the store does not take them.
        """
        names = list(names)
        self.remote.send(names, self.folder)
        with self._lock:
            for name in names:
                self._let_go(name)
                if keeps:
                    self._mark(name)
                else:
                    self._show(name, (self.folder / name).stat().st_size)

    def sync(self, order: Callable[[str], int | None]) -> None:
        """Publish what was made or changed here.

        Args:
            order: of files with the same number all are there before any of a higher one; None: it stays here.

        Raises:
            OSError: the store does not take it.
        """
        changed: dict[int, list[str]] = {}
        for name in sorted(self._here()):
            if self.is_new(name) and (number := order(name)) is not None:
                changed.setdefault(number, []).append(name)
        for number in sorted(changed):
            self.publish(changed[number])

    def name_of(self, path: Path) -> str:
        """What a file of the mirror is called in the store, below the remote folder."""
        return path.relative_to(self.folder).as_posix()

    def remote_of(self, folder: Path) -> Remote:
        """The remote folder that one of the mirror stands for."""
        name = self.name_of(folder)
        return self.remote if name == "." else self.remote / name

    def clear(self) -> None:
        """Take away all that is here; the store keeps it."""
        with self._lock:
            self._fetched.clear()
            self._fetched_bytes = 0
            self._marks.clear()
            self._listed.clear()
            for path in self.folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()

    def remove_gone(self, *, but: str | None = None) -> None:
        """Remove in the store what was shown, fetched or published, and then removed here.

        Args:
            but: what begins like this stays there.

        Raises:
            OSError: the store does not let go of it.
        """
        gone = sorted(set(self._marks) - self._here())
        self.remove(name for name in gone if but is None or not name.startswith(but))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files in the store.

        Raises:
            OSError: as `remove_gone`.
        """
        names = list(names)
        self.remote.remove(names)
        with self._lock:
            for name in names:
                self._let_go(name)
                self._marks.pop(name, None)

    def _here(self) -> set[str]:
        return {self.name_of(path) for path in self.folder.rglob("*") if path.is_file()}

    def has(self, name: str) -> bool:
        """Whether a file is here, by its bytes or by its size."""
        return (self.folder / name).is_file()

    def is_new(self, name: str) -> bool:
        """Whether a file was made or changed here, so that the store does not hold it yet."""
        if not self.has(name):
            return False
        if name.endswith((TEMPORARY_SUFFIX, ".lock")):
            return False
        return self._marks.get(name) != _mark_of(self.folder / name)

    def _make_room(self, *, keep: int) -> None:
        while self._fetched_bytes > self.of.most_bytes and len(self._fetched) > keep:
            name = next(iter(self._fetched))
            self._show(name, self._let_go(name))

    def _let_go(self, name: str) -> int:
        size = self._fetched.pop(name, 0)
        self._fetched_bytes -= size
        return size

    def _show(self, name: str, size: int) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        with path.open("xb") as file:
            os.truncate(file.fileno(), size)
        self._mark(name)

    def _mark(self, name: str) -> None:
        self._marks[name] = _mark_of(self.folder / name)


def _joined(stretches: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Stretches in order, as one where what lies between two of them costs less than another request."""
    last: tuple[int, int] | None = None
    for begin, end in sorted(stretches):
        if last is not None and begin - last[1] <= _GAP_BYTES:
            last = last[0], max(last[1], end)
            continue
        if last is not None:
            yield last
        last = begin, end
    if last is not None:
        yield last


def _beginning(name: str) -> str:
    """A name up to its first dot, as a file system has it that tells neither cases nor forms of Unicode apart."""
    return _fold(name.partition(".")[0])


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _mark_of(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
