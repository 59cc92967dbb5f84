"""Indexing: a process of its own goes through a source and fills its columns, while what there is can be shown."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, ToolkitError
from mm2energon.locks import LockFile
from mm2energon.pipeline.rows import are_rows
from mm2energon.review.columns import About, Batch, ColumnWriter, read_about
from mm2energon.review.csv_source import CsvSource
from mm2energon.review.facets import Facetting
from mm2energon.review.shards_source import ShardsSource
from mm2energon.review.sources import Found, JsonSource, Source, opened
from mm2energon.shards.metadata import FOLDER
from mm2energon.storage import remove_leftovers
from mm2energon.targets import target_named
from mm2energon.terminal import told

#: Entries before the first ones are shown, and before more are: at most so many, or a share of those that are.
_FIRST, _SHARE, _MOST_ROWS = 100, 0.08, 4096
#: Seconds after which those that there are, are shown at the latest.
_SOON_SECONDS = 2.0
#: Files by which a dataset is known that was saved, and what can be done with it.
_OF_SAVED = ("state.json", "dataset_dict.json")
_TO_LINES = "JSON lines, a JSON array or a CSV was expected; make them of it with: mm2energon convert"
_CSV_SUFFIXES = (".csv", ".tsv", ".tab")
_HEAD_BYTES = 1024


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
        _require_shards(path)
        return ShardsSource(path)
    if are_rows(path):
        raise InputError(f"{path}: is Parquet or Arrow; {_TO_LINES}")
    if _is_csv(path):
        return CsvSource(path)
    return JsonSource(path, read_as=read_as)


def _is_csv(path: Path) -> bool:
    """Whether a file is a CSV by its name; a text, by how it begins."""
    if path.suffix.lower() != ".txt":
        return path.suffix.lower() in _CSV_SUFFIXES
    with opened(path) as file:
        return file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"{", b"[", b"")


def _require_shards(folder: Path) -> None:
    if (folder / FOLDER).exists():
        return
    if any((folder / name).exists() for name in _OF_SAVED):
        raise InputError(f"{folder}: is a dataset that `datasets` saved; {_TO_LINES}")
    raise InputError(
        f"{folder}: is a folder, and holds no metadata of finished shards ({FOLDER}); shards, or the name of an "
        "annotation file or of a CSV, were expected"
    )


def start_indexing(job: IndexJob) -> subprocess.Popen[bytes]:
    """Start the process; it ends when its input does, which is when this one ends, however that is.

    Raises:
        OSError: there can be none.
    """
    process = subprocess.Popen([sys.executable, "-I", "-c", _BEGIN], stdin=subprocess.PIPE)
    words = {field.name: getattr(job, field.name) for field in fields(job)}
    asked = json.dumps({"path": sys.path, "job": words}, default=str)  # names of files may be no UTF-8
    if process.stdin is not None:
        process.stdin.write(asked.encode("ascii") + b"\n")
        process.stdin.flush()
    return process


#: What the process does first: it finds modules where this one does.
_BEGIN = """
import json, sys
asked = json.loads(sys.stdin.readline())
sys.path[:] = asked["path"]
from mm2energon.review.indexing import serve
serve(asked["job"])
"""


def serve(words: Mapping[str, Any]) -> None:
    """Index what another process asks for."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started us
    with suppress(OSError, AttributeError):
        os.nice(5)  # whoever looks at the page comes first
    paths = {name: Path(words[name]) for name in ("path", "folder", "root")}
    try:
        index(IndexJob(**{**words, **paths}))
    except OSError:  # the disk is full: there is no place to say so, but this status
        os._exit(errno.ENOSPC)


def _die_with_parent() -> None:
    while os.read(0, 1):  # not by way of sys.stdin, whose lock this thread would hold when the interpreter ends
        pass
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
