"""The files of a mirror: which are shown by their size alone, which have their bytes, and which are new here."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path

from mm2energon.storage import TEMPORARY_SUFFIX


class Copies:
    """Copies of files of a store, in a folder of this machine; it knows nothing of the store."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """
        Args:
            most_bytes: of those that were fetched, all together.
        """
        self.folder = folder
        self._most_bytes = most_bytes
        #: What has its bytes, the longest unused first: name -> how many.
        self._fetched: OrderedDict[str, int] = OrderedDict()
        self._fetched_bytes = 0
        #: Name -> what tells that nobody has changed the file here since it was shown or fetched.
        self._marks: dict[str, tuple[int, int, int]] = {}
        self._lock = threading.Lock()

    def show(self, name: str, size: int) -> None:
        """Show one file, unless it is there already."""
        with self._lock:
            if name not in self._marks:
                self._show(name, size)

    def date(self, name: str, when_ns: int) -> None:
        """Let a file that is shown have a time of change."""
        with self._lock:
            os.utime(self.folder / name, ns=(when_ns, when_ns))
            self._mark(name)

    def lacking(self, names: Iterable[str]) -> list[str]:
        """Those of them that have no bytes here; the others count as used last."""
        with self._lock:
            names = list(names)
            for name in names:
                if name in self._fetched:
                    self._fetched.move_to_end(name)
            return [name for name in names if name not in self._fetched]

    def has_bytes(self, name: str) -> bool:
        """Whether a file was fetched, and is here still."""
        return name in self._fetched

    def note_fetched(self, sizes: Mapping[str, int], *, keep: int) -> None:
        """Files have come; others, but for so many, go to make room."""
        with self._lock:
            for name, size in sizes.items():
                self._let_go(name)  # two may have brought it at the same time
                self._fetched[name] = size
                self._fetched_bytes += size
                self._mark(name)
            while self._fetched_bytes > self._most_bytes and len(self._fetched) > keep:
                name = next(iter(self._fetched))
                self._show(name, self._let_go(name))

    def note_missing(self, names: Iterable[str]) -> None:
        """The store has no such files any more: what is shown of them is taken away; what was made here stays."""
        with self._lock:
            for name in names:
                if name in self._marks and not self.is_new(name):
                    del self._marks[name]
                    (self.folder / name).unlink(missing_ok=True)

    def note_same(self, names: Iterable[str]) -> None:
        """Files that stay are here as they are in the store."""
        with self._lock:
            for name in names:
                self._let_go(name)
                self._mark(name)

    def only_show(self, names: Iterable[str]) -> None:
        """Files that lie in the store are shown from now on, without bytes."""
        with self._lock:
            for name in names:
                self._let_go(name)
                self._show(name, (self.folder / name).stat().st_size)

    def let_go(self, names: Iterable[str]) -> None:
        """Only show those that were fetched."""
        with self._lock:
            for name in names:
                if name in self._fetched:
                    self._show(name, self._let_go(name))

    def forget(self, names: Iterable[str], *, unlink: bool) -> None:
        """Know nothing more of files, which are taken away, or are gone already."""
        with self._lock:
            for name in names:
                self._let_go(name)
                self._marks.pop(name, None)
                if unlink:
                    (self.folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Take away all that is here."""
        with self._lock:
            self._fetched.clear()
            self._fetched_bytes = 0
            self._marks.clear()
            for path in self.folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()

    def name_of(self, path: Path) -> str:
        """What a file is called below the folder."""
        return path.relative_to(self.folder).as_posix()

    def here(self) -> set[str]:
        """The names of all files."""
        return {self.name_of(path) for path in self.folder.rglob("*") if path.is_file()}

    def gone(self) -> list[str]:
        """What was shown, fetched or sent, and then removed."""
        return sorted(set(self._marks) - self.here())

    def has(self, name: str) -> bool:
        """Whether a file is here, by its bytes or by its size."""
        return (self.folder / name).is_file()

    def is_new(self, name: str) -> bool:
        """Whether a file was made or changed here."""
        if not self.has(name):
            return False
        if name.endswith((TEMPORARY_SUFFIX, ".lock")):
            return False
        return self._marks.get(name) != _mark_of(self.folder / name)

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


def _mark_of(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
