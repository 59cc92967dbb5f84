"""Indexing: a process of its own goes through a source and fills its columns, while what there is can be shown."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mm2energon.errors import ToolkitError
from mm2energon.locks import LockFile
from mm2energon.review.columns import About, Batch, ColumnWriter, read_about
from mm2energon.review.csv_source import CsvSource
from mm2energon.review.facets import Facetting
from mm2energon.review.shards_source import ShardsSource
from mm2energon.review.sources import Found, JsonSource, Source
from mm2energon.storage import remove_leftovers
from mm2energon.targets import target_named
from mm2energon.terminal import told

#: Entries before the first ones are shown, and before more are: at most so many, or a share of those that are.
_FIRST, _SHARE, _MOST_ROWS = 100, 0.08, 4096
#: Seconds after which those that there are, are shown at the latest.
_SOON_SECONDS = 2.0
_CSV_SUFFIXES = (".csv", ".tsv")


@dataclass(frozen=True)
class IndexJob:
    """What is indexed, and how; a few words, for a process of its own."""

    path: Path
    #: Of the columns.
    folder: Path
    root: Path
    category_key: str
    read_as: str | None
    target: str

    def source(self) -> Source:
        """The source.

        Raises:
            InputError: it cannot be reviewed.
        """
        return source_at(self.path, read_as=self.read_as)

    def facetting(self, source: Source) -> Facetting:
        """What finds the facets of its entries."""
        rules = target_named(self.target).rules
        return Facetting(source, root=self.root, rules=rules, category_key=self.category_key)


def source_at(path: Path, *, read_as: str | None = None) -> Source:
    """What lies at a path, as a source.

    Raises:
        InputError: nothing that can be reviewed.
    """
    if path.is_dir():
        return ShardsSource(path)
    if path.suffix.lower() in _CSV_SUFFIXES:
        return CsvSource(path)
    return JsonSource(path, read_as=read_as)


def start_indexing(job: IndexJob) -> multiprocessing.process.BaseProcess:
    """Start the process; it ends with this one.

    Raises:
        OSError: there can be none.
    """
    process = multiprocessing.get_context("spawn").Process(target=_index_or_say, args=(job,), daemon=True)
    process.start()
    return process


def _index_or_say(job: IndexJob) -> None:
    """Index; what goes wrong stands where those read it who wait."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started us
    with suppress(OSError, AttributeError):
        os.nice(5)  # whoever looks at the page comes first
    try:
        index(job)
    except OSError:  # the disk is full: there is no place to say so, but this status
        os._exit(errno.ENOSPC)


def _die_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def index(job: IndexJob) -> None:
    """Fill the columns of a source, from where they end; one process at a time does."""
    lock = LockFile.enter(job.folder / "building.lock")
    try:
        remove_leftovers(job.folder)
        about = read_about(job.folder) or About()
        about.problem = ""
        if about.is_complete:
            return
        try:
            _fill(job, about)
        except (ToolkitError, OSError) as error:
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise
            _say(job, f"{error}" if isinstance(error, ToolkitError) else f"{job.path}: {told(error)}")
    finally:
        lock.leave()


def _say(job: IndexJob, problem: str) -> None:
    about = read_about(job.folder) or About()
    about.problem = problem
    with ColumnWriter(job.folder, about) as writer:
        writer.commit()


def _fill(job: IndexJob, about: About) -> None:
    source = job.source()
    about.stamp, about.size = source.stamp(), source.size
    facetting = job.facetting(source)
    with ColumnWriter(job.folder, about) as writer:
        writer.commit()
        fill(writer, facetting, islice(source.found(), about.count, None), source)
        about.is_complete, about.reached = True, about.size
        writer.commit()


def fill(writer: ColumnWriter, facetting: Facetting, entries: Iterable[Found], source: Source) -> None:
    """Add entries to the columns, some at a time; more and more of them, so that each look at all costs little."""
    about = writer.about
    batch, committed, last = Batch(about.words, about.text_bytes), about.count, time.monotonic()
    place = None
    for found in entries:
        place = found.place
        batch.add(place, facetting.of(found))
        count = about.count + len(batch)
        is_due = count - committed >= max(_FIRST, _SHARE * committed)
        if len(batch) >= _MOST_ROWS or is_due:
            writer.append(batch)
            batch = Batch(about.words, about.text_bytes)
            if is_due or time.monotonic() - last > _SOON_SECONDS:
                about.reached = source.reached(place)
                writer.commit()
                committed, last = about.count, time.monotonic()
    writer.append(batch)
