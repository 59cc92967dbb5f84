"""Mirror: a folder of this machine that stands for one in a store, for everything that knows files alone.

What is *shown* is a file of the right size without content (sparse: it takes no room), which answers who asks what is
there, and how large. What is *fetched* has its bytes, up to so many of all of them together; the longest unused goes
first, and is shown again. What is *published* lies in the store, under its name, when all of it is there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mm2energon.remote import Remote


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """Where copies of remote files lie, and how many bytes they may take."""

    folder: Path | None = None
    most_bytes: int = 20 << 30


class Mirror:
    """A folder that stands for a remote one; it is of one process alone, and goes with it."""

    def __init__(self, remote: Remote, folder: Path, *, most_bytes: int) -> None:
        self.remote = remote
        #: Absolute, links followed.
        self.folder = folder
        self._most_bytes = most_bytes
        #: What has its bytes, the longest unused first: name -> how many.
        self._fetched: OrderedDict[str, int] = OrderedDict()

    def show(self, below: str = "", *, deep: bool = False) -> list[str]:
        """Show the files of a folder; their names.

        Raises:
            OSError: the store does not say.
        """
        names = []
        for name, size in (self.remote / below if below else self.remote).files(deep=deep):
            name = f"{below}/{name}" if below else name  # noqa: PLW2901
            names.append(name)
            if name not in self._fetched:
                self._show(name, size)
        return names

    def fetch(self, names: Iterable[str]) -> None:
        """Bring the bytes of files, as far as there are such, and let others go to make room.

        Raises:
            OSError: the store does not give them, or the disk does not take them.
        """
        wanted = dict.fromkeys(names)
        for name in wanted:
            if name in self._fetched:
                self._fetched.move_to_end(name)
        lacking = [name for name in wanted if name not in self._fetched]
        self._fetched.update(self.remote.fetch(lacking, self.folder))
        self._make_room(keep=len(wanted))

    def publish(self, names: Iterable[str]) -> None:
        """Send files to the store, at the same time; here they are only shown from then on.

        Raises:
            OSError: the store does not take them.
        """
        names = list(names)
        self.remote.send(names, self.folder)
        for name in names:
            self._fetched.pop(name, None)
            self._show(name, (self.folder / name).stat().st_size)

    def forget(self, names: Iterable[str]) -> None:
        """Only show files from now on, whose bytes nobody needs."""
        for name in names:
            size = self._fetched.pop(name, None)
            if size is not None:
                self._show(name, size)

    def _make_room(self, *, keep: int) -> None:
        room = self._most_bytes - sum(self._fetched.values())
        while room < 0 and len(self._fetched) > keep:
            name, size = self._fetched.popitem(last=False)
            self._show(name, size)
            room += size

    def _show(self, name: str, size: int) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        with path.open("xb") as file:
            os.truncate(file.fileno(), size)


@contextlib.contextmanager
def mirror_of(remote: Remote, options: CacheOptions) -> Iterator[Mirror]:
    """A mirror of a remote folder, at first empty, which is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mm2energon-", dir=options.folder)).resolve()
    try:
        yield Mirror(remote, folder, most_bytes=options.most_bytes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
