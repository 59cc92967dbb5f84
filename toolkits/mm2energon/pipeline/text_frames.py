"""Text to frames: long texts with questions about them become folders of pictures, and entries that call them videos.

    OUTPUT/pages/NAME/000001.png ...     the text of an entry, in order
    OUTPUT/pages/NAME.json               what the pictures were made of; written last
    OUTPUT/dataset.json                  ShareGPT, a list of frames for each video
    OUTPUT/t2vid_synthetic.json          as T2Vid has it, `video` a folder of pictures

NAME is that of the input file and the number of the entry in it (`longalpaca_00012`). Entries that ask about the same
text share the folder of the first, so that a split never has the text of another. What is in `pages` is all ours: the
ledger of OUTPUT says from which file.
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
from mm2energon.images.text_font import UndrawableText
from mm2energon.images.text_pages import PageStyle, lay_out
from mm2energon.jsonio import Entry, EntryWriter, dumps, read_entries
from mm2energon.pipeline.account import open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import made_by, note, noted, read_ledger, write_output
from mm2energon.pipeline.loop import ProgressMaker, run_each, silent
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.pipeline.text_folders import Pages, digest, finished_pages, sweep, write_pages
from mm2energon.sample import VIDEO_TAG

PAGES, DATASET, T2VID = "pages", "dataset.json", "t2vid_synthetic.json"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_MOST_STEM = 100
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
    """One entry, as far as it is understood."""

    entry: Entry
    #: That of its folder, were it the first with its text.
    name: str
    text: LongText | None = None
    #: The digest of what its pictures are made of.
    made_of: str = ""
    error: SampleError | None = None
    #: An entry before this one has the same text: there is nothing to draw.
    is_drawn_before: bool = False

    def __str__(self) -> str:
        return self.entry.origin


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The pictures of a text, or why there are none."""

    name: str
    origin: str
    pages: Pages | None
    error: SampleError | None


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


def _make(job: TextFramesJob, progress: ProgressMaker) -> TextFrames:
    outputs = {name: job.output / name for name in (DATASET, T2VID)}
    before = {path: standing(path) for path in outputs.values()}
    ours = {"by": _BY, "sources": _sources(job)}
    if read_ledger(job.output).get(PAGES) != ours:
        note(job.output, PAGES, ours)
    drawn: dict[str, _Drawn] = {}
    undrawable: Counter[str] = Counter()
    options = {**job.style.identity(), "max_pages": job.max_pages}
    with (
        open_account(job.output, command=_BY, options=options, sources=[job.source]) as account,
        _writing(outputs[DATASET], job) as dataset,
        _writing(outputs[T2VID], job) as t2vid,
        contextlib.closing(progress("entries", None)) as bar,
    ):
        for unit, pictures in _drawn_each(job, drawn):
            account.read += 1
            count = 0 if pictures.pages is None else pictures.pages.count
            bar.update(1, pages=0 if unit.is_drawn_before else count)
            try:
                sharegpt, folder = _entries(unit, pictures, job)
            except SampleError as error:
                account.set_aside(unit.entry, error)
                undrawable.update(error.scripts if isinstance(error, UndrawableText) else ())
                continue
            dataset.write(sharegpt)
            t2vid.write(folder)
            account.written["entries"] += 1
        there = {one.name: one.pages for one in drawn.values() if one.pages is not None}
        account.facts["pages"] = sum(pages.count for pages in there.values())
        account.facts["undrawable"] = dict(sorted(undrawable.items()))
    account.require_written(job.source, earlier=outputs[DATASET])
    new = sum(pages.count for pages in there.values() if pages.drawn)
    was_swept = sweep(job.output / PAGES, keep=there.keys())
    left_alone = not new and not was_swept and all(was_left_alone(path, was) for path, was in before.items())
    return TextFrames(account.as_dict(), account.facts["pages"], new, account.facts["undrawable"], left_alone)


def _writing(path: Path, job: TextFramesJob) -> contextlib.AbstractContextManager[EntryWriter]:
    about = made_by(_BY, path, sources=[job.source], root=job.root)
    if path.name == T2VID:  # so that who looks for annotations takes one of the two
        about["sources"][DATASET] = None
    return write_output(path, about=about)


def _drawn_each(job: TextFramesJob, drawn: dict[str, _Drawn]) -> Iterator[tuple[_Unit, _Drawn]]:
    """Each entry with the pictures of its text.

    Args:
        drawn: digest -> the pictures, of all texts so far.
    """
    workers = job.workers if job.workers > 1 else 0
    for outcome in run_each(partial(_draw, job=job), _units(job), workers=workers):
        unit = outcome.item
        pictures = _Drawn(unit.name, unit.entry.origin, outcome.result, outcome.error)
        if unit.text is not None:
            pictures = drawn.setdefault(unit.made_of, pictures)
        yield unit, pictures


def _units(job: TextFramesJob) -> Iterator[_Unit]:
    stem = _UNSAFE.sub("-", job.source.stem).strip("-")[:_MOST_STEM] or "text"
    entries = (entry for packed in read_entries(job.source) for entry in formats.unwrap(packed))
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        name = f"{stem}_{number:05d}"
        try:
            if entry.error is not None:
                raise entry.error
            text = read_long_text(entry.value, origin=entry.origin)
        except SampleError as error:
            yield _Unit(entry, name, error=error)
            continue
        made_of = digest(text.context, job.style)
        yield _Unit(entry, name, text, made_of, is_drawn_before=made_of in seen)
        seen.add(made_of)


def _draw(unit: _Unit, *, job: TextFramesJob) -> Pages | None:
    """The step of one entry.

    Raises:
        SampleError: it is no long text with a question, or its text cannot be drawn.
    """
    if unit.error is not None:
        raise unit.error
    if unit.text is None or unit.is_drawn_before:
        return None
    origin, folder = unit.entry.origin, job.output / PAGES / unit.name
    pages = finished_pages(folder, unit.made_of)
    if pages is not None:
        _check_count(pages.count, job, origin)
        return pages
    laid_out = lay_out(unit.text.context, job.style, origin=origin)
    _check_count(len(laid_out), job, origin)
    return write_pages(folder, laid_out, job.style, unit.made_of)


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


def _entries(unit: _Unit, pictures: _Drawn, job: TextFramesJob) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entry in ShareGPT and as T2Vid has it; the question stands behind the tag.

    Raises:
        SampleError: that of the entry, or of the text; `broken-json` when the rest cannot be written as JSON again.
    """
    origin, text = unit.entry.origin, unit.text
    if pictures.error is not None:
        raise pictures.error if pictures.origin == origin else _same_text(pictures.error, pictures.origin, origin)
    if text is None or pictures.pages is None:
        raise SampleError(f"{origin}: nothing came of it; pictures were expected; run it again", "worker-died")
    folder = (job.output / PAGES / pictures.name).relative_to(job.root).as_posix()
    turns = [{"from": "human", "value": f"{VIDEO_TAG}\n{text.question}"}, {"from": "gpt", "value": text.answer}]
    own_id = text.rest.get("id")
    head = {"id": unit.name if own_id is None else own_id, "conversations": turns}
    rest = {key: value for key, value in text.rest.items() if key not in head}
    try:
        dumps({**head, **rest})
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleError(f"{origin}: cannot be written as JSON again ({error})", "broken-json") from error
    frames = [f"{folder}/{name}" for name in pictures.pages.names]
    return {**head, "videos": [frames], **rest}, {**head, "video": folder, **rest}


def _same_text(error: SampleError, first: str, origin: str) -> SampleError:
    message = f"{origin}: has the text of {first}, which cannot be used: {error}"
    return (
        UndrawableText(message, error.scripts)
        if isinstance(error, UndrawableText)
        else SampleError(message, error.code)
    )
