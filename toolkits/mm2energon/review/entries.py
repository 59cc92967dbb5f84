"""Entries: those of the source, as far as they are indexed, and behind them the samples that were kept from answers."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import InputError
from mm2energon.review.columns import COLUMNS, About, Batch, ColumnFiles, Words, read_about
from mm2energon.review.facets import MEDIA_CODES, Facetting, digest_of
from mm2energon.review.identities import Identities
from mm2energon.review.indexing import IndexJob, index, start_indexing
from mm2energon.review.model import Kind
from mm2energon.review.sources import Found, JsonSource, Loaded, Place, Source, changed
from mm2energon.review.texts import Texts
from mm2energon.sample import Sample

#: Columns that are held in memory: a few bytes for each entry.
_HELD = ("digest", "category", "status", "warnings", "images", "videos", "audios")
_HELD_TYPES = {"images": "|u1", "videos": "|u1", "audios": "|u1"}
#: Kind of source -> size (bytes; samples) up to which there is no process for it.
_SMALL: dict[Kind, int] = {"json": 1 << 20, "csv": 1 << 20, "shards": 500}
#: Seconds between two looks at how far the index is.
_LOOK_SECONDS = 0.15
#: Seconds that are spent on media that were missing, and between two times; entries that are read together for it.
_AGAIN_SECONDS, _BETWEEN_SECONDS, _TOGETHER = 0.25, 5.0, 64


class Read(NamedTuple):
    """An entry, read again."""

    found: Found
    loaded: Loaded
    #: Of itself.
    category: str
    #: Why its media cannot be used now, whatever was so when it was indexed.
    missing: tuple[str, ...]


class Entries:
    """What is known of entries; it grows until all are indexed. Calls are made by one thread at a time."""

    def __init__(self, job: IndexJob, source: Source, kept_path: Path) -> None:
        """
        Raises:
            OSError: there can be no process that indexes.
        """
        self.source, self._stamp = source, source.stamp()
        self._facetting = job.facetting(source)
        self._job, self._kept = job, _Kept(kept_path, job)
        self._files: ColumnFiles | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.about = About()
        self.held = {name: np.zeros(0, _HELD_TYPES.get(name, COLUMNS[name])) for name in _HELD}
        self.identities = Identities(self.held["digest"])
        self._looked_at, self._has_ended = 0.0, False
        self._again_at, self._again_from = 0.0, 0
        self._reading = threading.Lock()
        self.refresh()
        if not self.is_complete and source.size <= _SMALL[source.kind]:
            index(job)  # sooner than a process starts
            self._looked_at = 0.0
            self.refresh()
        elif not self.is_complete:
            self._process = start_indexing(job)

    def close(self) -> None:
        """End the process, and let go of the files."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()
        if self._files is not None:
            self._files.close()

    @property
    def count(self) -> int:
        """Those that can be shown."""
        return len(self.held["digest"])

    @property
    def is_complete(self) -> bool:
        """Whether all of the source are known."""
        return self.about.is_complete

    @property
    def total(self) -> int | None:
        """All; None until that is known."""
        return self.count if self.is_complete else None

    @property
    def progress(self) -> float:
        """How far the index is, 0 to 1."""
        return 1.0 if self.is_complete else min(1.0, self.about.reached / max(1, self.about.size))

    @property
    def problem(self) -> str:
        """Why not all can be shown; empty."""
        if self.about.problem:
            return self.about.problem
        if not self.is_complete and self._has_ended:
            return (
                f"{self.source.path}: indexing ended before all was read; see that the disk has room, and open it again"
            )
        if self._has_changed():
            return str(changed(self.source.path))
        if self.is_complete and not self.count:
            return f"{self.source.path}: holds no entries"
        return ""

    def _has_changed(self) -> bool:
        try:
            return self.source.stamp() != self._stamp
        except InputError:
            return True

    @property
    def words(self) -> Words:
        """What the numbers in columns stand for."""
        return self.about.words

    def refresh(self) -> bool:
        """Take up what was indexed, or kept, since; whether there is anything new."""
        before, now = self.count, time.monotonic()
        ended = self._process is not None and self._process.poll() is not None
        if not self.is_complete and (ended or now - self._looked_at > _LOOK_SECONDS):
            self._looked_at = now
            if (about := read_about(self._job.folder)) is not None and about.count >= self.about.count:
                self._take_up(about)
            self._has_ended = ended
        if self.is_complete and (more := self._kept.more(self.words)) is not None:
            self._extend({name: more[name] for name in _HELD})
        return self.count != before

    def _take_up(self, about: About) -> None:
        if self._files is None:
            self._files = ColumnFiles(self._job.folder)
        start, self.about = self.about.count, about
        self._extend({name: self._files.column(name, start, about.count) for name in _HELD})

    def _extend(self, more: dict[str, NDArray[Any]]) -> None:
        if not len(more["digest"]):
            return
        for name, values in more.items():
            held = self.held[name]
            if name in _HELD_TYPES:
                values = np.minimum(values, 255)
            self.held[name] = np.concatenate([held, values.astype(held.dtype)])
        self.identities = Identities(self.held["digest"])

    def column(self, name: str) -> NDArray[Any]:
        """A column of all."""
        if name in self.held:
            return self.held[name]
        files = self._files
        mine = np.zeros(0, COLUMNS[name]) if files is None else files.column(name, 0, self.about.count)
        return np.concatenate([mine, self._kept.column(name)])

    def texts(self) -> Texts:
        """The texts of those that can be shown now; they may be looked through while others are added."""
        kept = tuple(self._kept.texts) if self.is_complete else ()
        return Texts(self._files, self.about.count, kept)

    def read(self, numbers: Sequence[int]) -> list[Read]:
        """Entries again, from where they stand.

        Raises:
            InputError: the source has changed, or cannot be read.
        """
        own = [number for number in numbers if number < self.about.count]
        found: dict[int, Read] = {}
        with self._reading:
            places = [self._place(number) for number in own]
            for number, one in zip(own, self.source.read(places) if own else [], strict=True):
                found[number] = self._checked(number, one, self.source, self._facetting)
            for number in numbers:
                if number >= self.about.count:
                    one = self._kept.read(number - self.about.count)
                    found[number] = self._checked(number, one, self._kept.source, self._kept.facetting)
        return [found[number] for number in numbers]

    def searched(self, number: int, edited: Sample | None) -> str:
        """What an entry is looked for by, where it says something else than in its source.

        Raises:
            InputError: the source has changed, or cannot be read.
        """
        read = self.read([number])[0]
        facetting = self._kept.facetting if self.is_kept(number) else self._facetting
        return facetting.searched(read.found, edited or read.loaded.sample, read.category)

    def look_again(self) -> None:
        """See whether media are there now that were missing, of as many entries as can be read in a moment."""
        now = time.monotonic()
        if not self.is_complete or now - self._again_at < _BETWEEN_SECONDS:
            return
        lacking = np.flatnonzero(self.held["warnings"] & np.uint64(self.words.known_bits(MEDIA_CODES)))
        lacking = np.roll(lacking, -int(np.searchsorted(lacking, self._again_from)))  # go on where it ended
        with suppress(InputError):  # the source has changed, which others say
            for begin in range(0, len(lacking), _TOGETHER):
                if time.monotonic() - now > _AGAIN_SECONDS:
                    self._again_from = int(lacking[begin])
                    break
                self.read(lacking[begin : begin + _TOGETHER].tolist())
        self._again_at = time.monotonic()

    def place(self, number: int) -> Place:
        """Where an entry of the source stands."""
        return self._place(number)

    def is_kept(self, number: int) -> bool:
        """Whether an entry is one that was kept, and none of the source."""
        return number >= self.about.count

    def _place(self, number: int) -> Place:
        if self._files is None:
            raise changed(self.source.path)
        return self._files.places(number, number + 1)[0]

    def _checked(self, number: int, found: Found, source: Source, facetting: Facetting) -> Read:
        if digest_of(source.content(found)) != int(self.held["digest"][number]):
            raise changed(source.path)
        loaded = source.load(found)
        missing = () if loaded.sample is None else facetting.missing_now(loaded.sample)
        if self.is_complete:
            kept = int(self.held["warnings"][number]) & ~self.words.known_bits(MEDIA_CODES)
            self.held["warnings"][number] = kept | self.words.bits(missing)
        return Read(found, loaded, facetting.category(found, loaded.sample), missing)


class _Kept:
    """Samples that were kept from answers: few, and so in memory."""

    def __init__(self, path: Path, job: IndexJob) -> None:
        self.path, self._job = path, job
        self._batch: Batch | None = None
        self._found: list[Found] = []
        self._size = 0
        self.texts: list[bytes] = []
        self._columns = {name: np.zeros(0, dtype) for name, dtype in COLUMNS.items()}

    @property
    def source(self) -> JsonSource:
        """The file, as it is now."""
        return JsonSource(self.path)

    @property
    def facetting(self) -> Facetting:
        """What finds the facets of its entries."""
        return self._job.facetting(self.source)

    def column(self, name: str) -> NDArray[Any]:
        """A column of all that were taken up."""
        return self._columns[name]

    def more(self, words: Words) -> dict[str, NDArray[Any]] | None:
        """Take up those that were kept since."""
        with suppress(OSError):
            size = self.path.stat().st_size
            if size == self._size or not _ends_with_line(self.path):
                return None
            found = list(islice(self._all(), len(self._found), None))
            facetting, batch = self.facetting, Batch(words, 0)
            for one in found:
                batch.add(one.place, facetting.of(one))
            self._size = size
            self._found += found
            self.texts += batch.texts().splitlines(keepends=True)
            arrays = batch.arrays()
            for name, values in arrays.items():
                self._columns[name] = np.concatenate([self._columns[name], values])
            return arrays
        return None

    def _all(self) -> Iterator[Found]:
        return self.source.found()

    def read(self, place: int) -> Found:
        """One of them."""
        return self.source.read([self._found[place].place])[0]


def _ends_with_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
