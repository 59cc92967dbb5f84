"""Convert: an annotation file of any format to files of others, entry by entry, each written or set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError, SampleError
from mm2energon.formats.legacy_parts import SYSTEM
from mm2energon.jsonio import Entry, EntryWriter, dumps, read_entries
from mm2energon.pipeline.account import Account, open_account, write_entry
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.companions import Companions, accompany
from mm2energon.pipeline.convert_media import reshape
from mm2energon.pipeline.ledger import made_by, noted, write_output
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.pipeline.retry import Joining, read_set_aside
from mm2energon.pipeline.rows import are_rows, read_rows
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.pipeline.unshard import are_shards, read_shards
from mm2energon.sample import Sample


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
    companions = accompany(job.outputs, root=job.reshaping.root)
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
    read_as: Counter[str] = Counter()
    for entry in chain.from_iterable(map(formats.unwrap, _entries(job))):
        account.read += 1
        bar.update(1)
        try:
            if entry.error is not None:
                raise entry.error
            form = job.read_as or formats.detect(entry.value, origin=entry.origin)
            values = {name: _dumped(entry, form, name, job) for name in job.outputs}  # all of them, or none
            for name, out in outs.items():
                if not joining or not joining[name].has(account.read):
                    write_entry(out, values[name], origin=entry.origin)
        except SampleError as error:
            account.set_aside(entry, error)
        else:
            account.written["entries"] += 1
            read_as[form] += 1
            for join in joining.values():
                join.note(account.read)
    account.facts["formats"] = dict(sorted(read_as.items()))
    bar.close()


def _entries(job: ConvertJob) -> Iterator[Entry]:
    if job.retry:
        return read_set_aside(job.source)
    if are_shards(job.source):
        holds_frames = all(formats.FORMATS[name].HOLDS.frame_lists for name in job.outputs)
        whole = not holds_frames and job.reshaping.frames is None
        return read_shards(job.source, job.reshaping, whole_videos=whole)
    return iter(read_rows(job.source, job.reshaping) if are_rows(job.source) else read_entries(job.source))


def _dumped(entry: Entry, read_as: str, name: str, job: ConvertJob) -> dict[str, Any]:
    """An entry of the format `read_as` as one of the format `name`."""
    loaded = formats.FORMATS[read_as].load(entry.value, origin=entry.origin)
    sample = reshape(loaded, read_as, job.reshaping)
    value = _dump(sample, name)
    _require_sayable(value, sample)
    return value


def _dump(sample: Sample, name: str) -> dict[str, Any]:
    """A sample as an entry; where that has no system turn, one that says what every template says is left out."""
    try:
        return formats.FORMATS[name].dump(sample)
    except SampleError:
        if sample.turns[0] != SYSTEM or len(sample.turns) == 1:
            raise
        return formats.FORMATS[name].dump(replace(sample, turns=sample.turns[1:]))


def _require_sayable(value: Mapping[str, Any], sample: Sample) -> None:
    """Refuse what cannot be written as JSON before any of several files has it."""
    try:
        dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleError(f"{sample.origin}: cannot be written as JSON again ({error})", "broken-json") from error


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
