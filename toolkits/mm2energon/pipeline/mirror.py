"""Mirror: a folder of this machine that stands for one in a store, for everything that knows files alone.

What is *shown* is a file of the right size without content (sparse: it takes no room), which answers who asks what is
there, and how large. What is *fetched* has its bytes, up to so many of all of them together; the longest unused goes
first, and is shown again. What is *published* lies in the store, under its name, when all of it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mm2energon.pipeline.mirror_copies import Copies
from mm2energon.pipeline.mirror_listing import Listing
from mm2energon.remote import Remote
from mm2energon.terminal import call

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
        self._copies = Copies(folder, of.most_bytes)
        self._listing = Listing(self.remote)

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

    def show_file(self, name: str, size: int) -> None:
        """Show one file, unless it is there already."""
        self._copies.show(name, size)

    def beside(self, name: str) -> dict[str, int]:
        """A file, and those of its folder that have the same name but for the ending (in any case); name -> bytes.

        Raises:
            OSError: the store does not say.
        """
        return self._listing.beside(name)

    def size_of(self, name: str) -> int | None:
        """Bytes of a file; None when there is none, here or in the store, whose folder is listed once.

        Raises:
            OSError: the store does not say.
        """
        return (self.folder / name).stat().st_size if self.has(name) else self._listing.size_of(name)

    def look_again(self, names: Iterable[str]) -> None:
        """Learn of files that came into the store since their folder was listed.

        Raises:
            OSError: the store does not say.
        """
        self._listing.look_again(names)

    def date(self, name: str) -> None:
        """Let a file that is shown have the time of the one in the store.

        Raises:
            OSError: the store does not say.
        """
        self._copies.date(name, (self.remote / name).modified_ns())

    def fetch(self, names: Iterable[str], *, keep: int = 0) -> None:
        """Bring the bytes of files, as far as there are such, and let others go to make room.

        What was shown, and is gone from the store, is gone here, too: else it would read as zeros.

        Args:
            keep: files besides them that stay, whatever room they take.

        Raises:
            OSError: the store does not give them, or the disk does not take them.
        """
        wanted = dict.fromkeys(names)
        lacking = self._copies.lacking(wanted)
        brought = self.remote.fetch(lacking, self.folder)
        self._copies.note_fetched(brought, keep=len(wanted) + keep)
        self._copies.note_missing(name for name in lacking if name not in brought)

    def fill(self, name: str, stretches: Iterable[tuple[int, int]]) -> None:
        """Bring some stretches of a file that is shown, in place of those that were brought of it before.

        What is not brought reads as zeros. Stretches that nearly touch come in one request.

        Raises:
            OSError: the store does not give them, or the disk does not take them.
        """
        if self._copies.has_bytes(name):
            return
        path = self.folder / name
        size = path.stat().st_size
        with path.open("r+b", buffering=0) as file:  # the same file for who has it open already
            file.truncate(0)
            file.truncate(size)
            for begin, data in (self.remote / name).read_parts(_joined(stretches)):
                file.seek(begin)
                file.write(data)
        self._copies.note_same([name])

    def let_go(self, names: Iterable[str]) -> None:
        """Only show files from now on whose bytes nobody needs any more."""
        self._copies.let_go(names)

    def forget(self, names: Iterable[str]) -> None:
        """Take away files that are here; the store keeps them."""
        self._copies.forget(names, unlink=True)

    def bring(self, names: Iterable[str]) -> None:
        """Bring small files, which stay, as they are in the store now.

        Raises:
            OSError: as `fetch`.
        """
        self._copies.note_same(self.remote.fetch(list(names), self.folder))

    def publish(self, names: Iterable[str], *, keeps: bool = False) -> None:
        """Send files to the store, at the same time; here they are only shown from then on.

        Args:
            keeps: their bytes stay here, too.

        Raises:
            OSError: the store does not take them.
        """
        names = list(names)
        self.remote.send(names, self.folder)
        if keeps:
            self._copies.note_same(names)
        else:
            self._copies.only_show(names)

    def sync(self, order: Callable[[str], int | None]) -> None:
        """Publish what was made or changed here.

        Args:
            order: of files with the same number all are there before any of a higher one; None: it stays here.

        Raises:
            OSError: the store does not take it.
        """
        changed: dict[int, list[str]] = {}
        for name in sorted(self._copies.here()):
            if self.is_new(name) and (number := order(name)) is not None:
                changed.setdefault(number, []).append(name)
        for number in sorted(changed):
            self.publish(changed[number])

    def remove_gone(self, *, but: str | None = None) -> None:
        """Remove in the store what was shown, fetched or published, and then removed here.

        Args:
            but: what begins like this stays there.

        Raises:
            OSError: the store does not let go of it.
        """
        self.remove(name for name in self._copies.gone() if but is None or not name.startswith(but))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files in the store.

        Raises:
            OSError: as `remove_gone`.
        """
        names = list(names)
        self.remote.remove(names)
        self._copies.forget(names, unlink=False)

    def name_of(self, path: Path) -> str:
        """What a file of the mirror is called in the store, below the remote folder."""
        return self._copies.name_of(path)

    def remote_of(self, folder: Path) -> Remote:
        """The remote folder that one of the mirror stands for."""
        name = self.name_of(folder)
        return self.remote if name == "." else self.remote / name

    def clear(self) -> None:
        """Take away all that is here; the store keeps it."""
        self._copies.clear()
        self._listing.clear()

    def has(self, name: str) -> bool:
        """Whether a file is here, by its bytes or by its size."""
        return self._copies.has(name)

    def is_new(self, name: str) -> bool:
        """Whether a file was made or changed here, so that the store does not hold it yet."""
        return self._copies.is_new(name)


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
