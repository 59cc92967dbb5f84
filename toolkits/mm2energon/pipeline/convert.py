"""Convert: an annotation file of any format to files of others, entry by entry, each written or set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError
from mm2energon.jsonio import Entry, EntryWriter, read_entries
from mm2energon.jsonplaces import Stretch, stretches_of
from mm2energon.pipeline.account import Account, open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.companions import Companions, accompany
from mm2energon.pipeline.convert_entries import HowConverted, write_converted
from mm2energon.pipeline.convert_parts import PART_BYTES, parts_folder, write_parts
from mm2energon.pipeline.convert_stored import entries_shown
from mm2energon.pipeline.ledger import made_by, noted, write_output
from mm2energon.pipeline.loop import Executor, ProgressMaker, silent
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.pipeline.retry import Joining, read_set_aside
from mm2energon.pipeline.rows import are_rows, read_rows
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.pipeline.unshard import are_shards, read_shards


@dataclass(frozen=True)
class ConvertJob:
    """What `mm2energon convert` is asked to do."""

    source: Path
    #: Format -> the file that it is written to; the account is that of the first.
    outputs: Mapping[str, Path]
    #: What the entries are; None: each is told by its keys.
    read_as: str | None
    reshaping: Reshaping
    overwrite: bool = False
    #: The source is a set-aside file; its entries join those of the outputs.
    retry: bool = False
    #: Processes that convert stretches of JSON lines.
    workers: int = 1
    #: What converts them instead of workers of this machine.
    executor: Executor | None = None
    #: The shards that `source` mirrors, where they lie in a store.
    stored: StoredDataset | None = None
    #: What the dataset root of `reshaping` is, where it stands for a folder in a store.
    root_mirror: Mirror | None = None


@dataclass(frozen=True)
class Converted:
    """What `mm2energon convert` did."""

    account: dict[str, Any]
    #: Every byte was there as it would have been written, and nothing was.
    already_done: bool
    companions: Companions


def convert(job: ConvertJob, *, progress: ProgressMaker = silent) -> Converted:
    """Write `source` as other formats: JSON lines where a name ends in `.jsonl`, else an array.

    Raises:
        InputError: the source cannot be read, none of its entries can be written, or an output would replace a file
            that is not ours.
    """
    if not job.source.exists():
        raise InputError(f"{'--retry ' if job.retry else ''}{job.source}: no such file")
    with ExitStack() as locks:
        for output in job.outputs.values():
            locks.enter_context(alone_on(output, option="OUT"))
            _check_output(job, output)
        return _convert(job, progress)


def _convert(job: ConvertJob, progress: ProgressMaker) -> Converted:
    first = next(iter(job.outputs.values()))
    before = {output: standing(output) for output in job.outputs.values()}
    joining = {name: Joining(output, job.source) for name, output in job.outputs.items()} if job.retry else {}
    with (
        open_account(
            first,
            command="convert",
            options=_options(job),
            sources=[] if job.retry or job.source.is_dir() else [job.source],
        ) as account,
        ExitStack() as files,
    ):
        outs = {}
        for name, output in job.outputs.items():
            about = made_by("convert", output, sources=[] if job.source.is_dir() else [job.source])
            about = joining[name].about(about) if joining else about
            outs[name] = files.enter_context(write_output(output, about=about))
        for name, join in joining.items():
            join.copy_earlier(outs[name])
        _write(job, outs, joining, account, progress)
    account.require_written(job.source, earlier=first)
    companions = accompany(job.outputs.items(), root=job.reshaping.root)
    left_alone = all(was_left_alone(output, before[output]) for output in job.outputs.values())
    return Converted(account.as_dict(), left_alone, companions)


def _options(job: ConvertJob) -> dict[str, Any]:
    how = job.reshaping
    return {
        "from": job.read_as,
        "to": list(job.outputs),
        "frames": how.frames,
        "frame_rule": how.frame_rule if how.frames is not None else None,
        "join_frames": how.joins_frames,
        "check_media": how.checks_media,
    }


def _write(
    job: ConvertJob,
    outs: Mapping[str, EntryWriter],
    joining: Mapping[str, Joining],
    account: Account,
    progress: ProgressMaker,
) -> None:
    bar = progress("entries", None)
    how = HowConverted(job.read_as, tuple(job.outputs), job.reshaping)
    read_as: Counter[str] = Counter()
    if parts := _parts(job):
        folder = parts_folder(next(iter(job.outputs.values())))
        for count in write_parts(
            job.source, parts, how, outs, account, read_as, folder=folder, workers=job.workers, executor=job.executor
        ):
            bar.update(count)
    else:
        entries: Iterator[Entry] = chain.from_iterable(map(formats.unwrap, _entries(job)))
        if job.root_mirror is not None:
            entries = entries_shown(entries, job.root_mirror, job.reshaping, read_as=job.read_as)
        for _ in write_converted(entries, how, outs, account, read_as, joining=joining):
            bar.update(1)
    account.facts["formats"] = dict(sorted(read_as.items()))
    bar.close()


def _parts(job: ConvertJob) -> list[Stretch]:
    """Stretches of the source that are converted at the same time; none where it is read as a whole."""
    if job.retry or are_shards(job.source) or are_rows(job.source) or (job.workers < 2 and job.executor is None):
        return []
    if job.root_mirror is not None:  # which is of this process alone
        return []
    return [stretch for stretch, _ in stretches_of(job.source, PART_BYTES) if stretch is not None]


def _entries(job: ConvertJob) -> Iterator[Entry]:
    if job.retry:
        return read_set_aside(job.source)
    if are_shards(job.source):
        holds_frames = all(formats.FORMATS[name].HOLDS.frame_lists for name in job.outputs)
        whole = not holds_frames and job.reshaping.frames is None
        return read_shards(job.source, job.reshaping, whole_videos=whole, stored=job.stored)
    return iter(read_rows(job.source, job.reshaping) if are_rows(job.source) else read_entries(job.source))


def _check_output(job: ConvertJob, output: Path) -> None:
    if not output.exists():
        return
    if not output.is_file():
        raise InputError(f"OUT {output}: is no file; the name of one was expected, such as dataset.json")
    if job.source.exists() and output.samefile(job.source):
        raise InputError(f"OUT {output}: is the input itself; another name was expected")
    if not job.overwrite and noted(output) is None:
        raise InputError(
            f"OUT {output}: exists, and was not written by mm2energon (or was changed since); "
            "choose another name, or --overwrite it"
        )
