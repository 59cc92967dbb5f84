"""Text to frames: long texts with questions about them become folders of pictures, and entries that call them videos.

    OUTPUT/pages/NAME/000001.png ...     the text of one entry, in order
    OUTPUT/pages/NAME.json               what the pictures were made of; written last
    OUTPUT/dataset.json                  ShareGPT, a list of frames for each video
    OUTPUT/t2vid_synthetic.json          as T2Vid has it, `video` a folder of pictures

NAME is that of the input file and the number of the entry in it (`longalpaca_00012`). What is in `pages` is all ours:
the ledger of OUTPUT says from which file.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError, SampleError
from mm2energon.formats.long_text import LongText, read_long_text
from mm2energon.images.text_pages import PageStyle, UndrawableText, lay_out
from mm2energon.jsonio import Entry, EntryWriter, dumps, read_entries
from mm2energon.pipeline.account import Account, open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import made_by, note, noted, read_ledger, write_output
from mm2energon.pipeline.loop import ProgressMaker, run_each, silent
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.pipeline.text_folders import Pages, digest, finished_pages, sweep, write_pages
from mm2energon.sample import VIDEO_TAG

PAGES, DATASET, T2VID = "pages", "dataset.json", "t2vid_synthetic.json"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_BY = "text-to-frames"


@dataclass(frozen=True)
class TextFramesJob:
    """What to do; folders resolved."""

    source: Path
    #: Folder of the pictures and their annotations.
    output: Path
    #: Paths in the annotations are relative to it; the output lies inside.
    root: Path
    style: PageStyle = field(default_factory=PageStyle)
    workers: int = 1
    #: A text that takes more is set aside.
    max_pages: int | None = None
    #: Replace what was made from another file, and annotations that are not ours.
    overwrite: bool = False


@dataclass(frozen=True)
class TextFrames:
    """What `mm2energon text-to-frames` did."""

    #: Read, written, set aside by reason.
    account: dict[str, Any]
    #: Pictures of all entries, and those of them that this run drew.
    pages: int
    drawn: int
    #: Script -> entries that were set aside for it.
    undrawable: dict[str, int]
    #: Every byte was there as it would have been written, and nothing was.
    already_done: bool


@dataclass(frozen=True, slots=True)
class _Unit:
    """One entry, and the name of its folder."""

    entry: Entry
    name: str

    def __str__(self) -> str:
        return self.entry.origin


@dataclass(frozen=True, slots=True)
class _Made:
    """An entry in both formats, and its pictures."""

    sharegpt: dict[str, Any]
    t2vid: dict[str, Any]
    pages: Pages


def text_to_frames(job: TextFramesJob, *, progress: ProgressMaker = silent) -> TextFrames:
    """Draw the texts of `job.source`, and write the annotations of the pictures.

    Raises:
        InputError: the source cannot be read, the style cannot be used, none of the entries can be written, or
            something would be replaced that is not ours.
    """
    if not job.source.is_file():
        raise InputError(f"{job.source}: no such file; a JSON file of long texts and questions was expected")
    if not job.output.is_relative_to(job.root):
        raise InputError(f"{job.output}: is not inside the --dataset-root {job.root}; a folder below it was expected")
    job.style.check()
    if job.output.exists() and not job.output.is_dir():
        raise InputError(f"{job.output}: is no folder; the name of one was expected")
    with alone_on(job.output / DATASET, option="OUTDIR"):
        _check_output(job)
        return _make(job, progress)


def _check_output(job: TextFramesJob) -> None:
    """Refuse to replace what is not ours, or was made from another file.

    Raises:
        InputError: it would be.
    """
    for name in (DATASET, T2VID):
        path = job.output / name
        if path.exists() and path.samefile(job.source):
            raise InputError(f"{job.source}: would be replaced by the output; choose another OUTDIR")
        if path.exists() and noted(path) is None and not job.overwrite:
            raise InputError(
                f"{path}: exists, and was not written by mm2energon (or was changed since); "
                "choose another OUTDIR, or --overwrite it"
            )
    about, folder = read_ledger(job.output).get(PAGES), job.output / PAGES
    if not isinstance(about, dict) or about.get("by") != _BY:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder}: is there, and was not made by this command; choose another OUTDIR")
        return
    if about.get("sources") != _sources(job) and not job.overwrite:
        made_from = ", ".join(map(str, about.get("sources", []))) or "another file"
        raise InputError(f"{job.output}: holds the pictures of {made_from}; choose another OUTDIR, or --overwrite them")


def _sources(job: TextFramesJob) -> list[str]:
    return list(made_by(_BY, job.output / DATASET, sources=[job.source])["sources"])


@dataclass
class _Done:
    """What has come of the entries so far."""

    names: set[str] = field(default_factory=set)
    pages: int = 0
    drawn: int = 0
    undrawable: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, pages: Pages) -> None:
        self.names.add(name)
        self.pages += len(pages.names)
        self.drawn += len(pages.names) if pages.drawn else 0

    def set_aside(self, entry: Entry, error: SampleError, account: Account) -> None:
        account.set_aside(entry, error)
        if isinstance(error, UndrawableText):
            self.undrawable.update(error.scripts)


def _make(job: TextFramesJob, progress: ProgressMaker) -> TextFrames:
    outputs = {name: job.output / name for name in (DATASET, T2VID)}
    before = {path: standing(path) for path in outputs.values()}
    ours = {"by": _BY, "sources": _sources(job)}
    if read_ledger(job.output).get(PAGES) != ours:
        note(job.output, PAGES, ours)
    done, options = _Done(), {**job.style.identity(), "max_pages": job.max_pages}
    with (
        open_account(job.output, command=_BY, options=options, sources=[job.source]) as account,
        _writing(outputs[DATASET], job) as dataset,
        _writing(outputs[T2VID], job) as t2vid,
        contextlib.closing(progress("entries", None)) as bar,
    ):
        for outcome in run_each(partial(_draw, job=job), _units(job), workers=job.workers if job.workers > 1 else 0):
            unit, made, error = outcome.item, outcome.result, outcome.error
            account.read += 1
            bar.update(1, pages=0 if made is None else len(made.pages.names))
            if error is not None:
                done.set_aside(unit.entry, error, account)
            if made is None:
                continue
            dataset.write(made.sharegpt)
            t2vid.write(made.t2vid)
            account.written["entries"] += 1
            done.add(unit.name, made.pages)
        account.facts.update(pages=done.pages, undrawable=dict(sorted(done.undrawable.items())))
    account.require_written(job.source, earlier=outputs[DATASET])
    swept = sweep(job.output / PAGES, keep=done.names)
    left_alone = not swept and not done.drawn and all(was_left_alone(path, was) for path, was in before.items())
    return TextFrames(account.as_dict(), done.pages, done.drawn, dict(sorted(done.undrawable.items())), left_alone)


def _writing(path: Path, job: TextFramesJob) -> contextlib.AbstractContextManager[EntryWriter]:
    return write_output(path, about=made_by(_BY, path, sources=[job.source], root=job.root))


def _units(job: TextFramesJob) -> Iterator[_Unit]:
    stem = _UNSAFE.sub("-", job.source.stem).strip("-")[:100] or "text"
    entries = (entry for packed in read_entries(job.source) for entry in formats.unwrap(packed))
    for number, entry in enumerate(entries):
        yield _Unit(entry, f"{stem}_{number:05d}")


def _draw(unit: _Unit, *, job: TextFramesJob) -> _Made:
    """The step of one entry.

    Raises:
        SampleError: it is no long text with a question, or its text cannot be drawn.
    """
    entry = unit.entry
    if entry.error is not None:
        raise entry.error
    text = read_long_text(entry.value, origin=entry.origin)
    folder = job.output / PAGES / unit.name
    made_of = digest(text.context, job.style)
    pages = finished_pages(folder, made_of)
    if pages is None:
        laid_out = lay_out(text.context, job.style, origin=entry.origin)
        _check_count(len(laid_out), job, entry.origin)
        pages = write_pages(folder, laid_out, job.style, made_of)
    else:
        _check_count(len(pages.names), job, entry.origin)
    return _made(text, pages, unit, folder.relative_to(job.root).as_posix())


def _check_count(count: int, job: TextFramesJob, origin: str) -> None:
    if not count:
        raise SampleError(
            f"{origin}: the context holds nothing that can be seen; a text was expected; mend it", "no-context"
        )
    if job.max_pages is not None and count > job.max_pages:
        raise SampleError(
            f"{origin}: takes {count} pictures; --max-pages {job.max_pages} or fewer were expected; "
            "allow more, or make the text shorter",
            "too-many-frames",
        )


def _made(text: LongText, pages: Pages, unit: _Unit, folder: str) -> _Made:
    """The two entries; the question follows the tag as in T2Vid's data.

    Raises:
        SampleError: `broken-json`, when the rest of the entry cannot be written as JSON again.
    """
    turns = [{"from": "human", "value": f"{VIDEO_TAG}\n{text.question}"}, {"from": "gpt", "value": text.answer}]
    head = {"id": unit.name, **{key: value for key, value in text.rest.items() if key == "id" and value is not None}}
    rest = {key: value for key, value in text.rest.items() if key not in ("id", "conversations")}
    try:
        dumps(rest)
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleError(f"{unit}: cannot be written as JSON again ({error})", "broken-json") from error
    frames = [f"{folder}/{name}" for name in pages.names]
    return _Made(
        sharegpt={**head, "conversations": turns, "videos": [frames], **rest},
        t2vid={**head, "video": folder, "conversations": turns, **rest},
        pages=pages,
    )
