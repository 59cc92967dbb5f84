"""Mix: several annotation files as one, so many entries of each, chosen and shuffled by seed.

Entries wait as lines of a file without a name of its own; what is kept of each in memory is where its line begins.
"""

from __future__ import annotations

import os
import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mm2energon import formats
from mm2energon.errors import InputError, SampleError
from mm2energon.formats.media import PLURALS
from mm2energon.jsonio import Entry, EntryWriter, dumps, loads, read_entries
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.pipeline.account import Account, open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import made_by, noted, write_output
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.pipeline.mix_choice import add_to, choose
from mm2energon.pipeline.mix_shares import MixInput, count_of
from mm2energon.pipeline.prepare import GroupBy
from mm2energon.pipeline.rows import are_rows
from mm2energon.pipeline.splits import Groups
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.pipeline.unshard import are_shards
from mm2energon.storage import temporary_file

#: Keys that say something of their own in an entry, if not in each.
_OF_THE_FORMAT = frozenset({*PLURALS, *PLURALS.values(), "id", "messages", "system"})


@dataclass(frozen=True)
class MixJob:
    """What `mm2energon mix` is asked to do."""

    output: Path
    inputs: Sequence[MixInput]
    #: Entries of the mix, of which shares in percent then are; None: they are of what each file holds.
    total: int | None = None
    seed: int = 42
    shuffle: bool = False
    #: What keeps entries together: a medium or, without one, what they say; their ids; nothing.
    group_by: GroupBy = "media"
    #: Key under which each entry says which file it is of; None: nowhere.
    source_key: str | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Taken:
    """What became of one input."""

    name: str
    #: Entries that were asked for, that were taken, and that could have been.
    asked: int
    taken: int
    usable: int


@dataclass(frozen=True)
class Mixed:
    """What `mm2energon mix` did."""

    #: Read, written by input, set aside by reason; `left_out` by input makes up the rest of what was read.
    account: dict[str, Any]
    inputs: list[Taken]
    #: Every byte was there as it would have been written, and nothing was.
    already_done: bool


@dataclass
class _Waiting:
    """Entries of all inputs, one a line."""

    file: IO[bytes]
    #: Where each line begins.
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    end: int = 0
    #: Input -> why the first of its entries that do not wait does not.
    faults: dict[str, SampleError] = field(default_factory=dict)

    def add(self, line: bytes) -> None:
        self.file.write(line + b"\n")
        self.offsets.append(self.end)
        self.end += len(line) + 1

    def values(self, numbers: Sequence[int]) -> Iterator[Any]:
        self.file.flush()
        with Path(self.file.name).open("rb") as file:
            for number in numbers:
                file.seek(self.offsets[number])
                yield loads(file.readline(), max_depth=MAX_DEPTH_AROUND)


def mix(job: MixJob, *, progress: ProgressMaker = silent) -> Mixed:
    """Write entries of the inputs as ShareGPT to `job.output`: JSON lines when that ends in `.jsonl`, else an array.

    Raises:
        InputError: an input cannot be read, or has fewer entries than are asked for, or the output would replace a
            file that is not ours.
    """
    _check_inputs(job)
    with alone_on(job.output, option="OUT"):
        _check_output(job)
        return _mix(job, progress)


def _mix(job: MixJob, progress: ProgressMaker) -> Mixed:
    sources = [one.path for one in job.inputs]
    names = [Path(os.path.relpath(path, job.output.parent)).as_posix() for path in sources]
    before = standing(job.output)
    about = made_by("mix", job.output, sources=sources)
    bar = progress("entries", None)
    with (
        open_account(job.output, command="mix", options=_options(job, names), sources=sources) as account,
        temporary_file(job.output.parent) as file,
        write_output(job.output, about=about) as out,
    ):
        waiting = _Waiting(file)
        chosen, inputs = array("Q"), []
        for number, (one, name) in enumerate(zip(job.inputs, names, strict=True)):
            first = len(waiting.offsets)
            groups = _read(one.path, name, job, waiting, account, bar)
            usable = len(waiting.offsets) - first
            asked = count_of(job.inputs, number, usable, total=job.total)
            numbers = choose(groups, asked)
            chosen.extend(first + place for place in numbers)
            inputs.append(Taken(name, asked, len(numbers), usable))
            account.written[name] = len(numbers)
        if waiting.offsets:
            _require_usable(inputs, waiting)
        if waiting.offsets and not chosen:
            raise InputError(f"OUT {job.output}: the shares take nothing of any input; more were expected")
        if job.shuffle:
            random.Random(job.seed).shuffle(chosen)
        _write(out, waiting, chosen)
        account.facts["left_out"] = {one.name: one.usable - one.taken for one in inputs}
    bar.close()
    account.require_written(Path(", ".join(names)), earlier=job.output)
    return Mixed({**account.as_dict(), **account.facts}, inputs, was_left_alone(job.output, before))


def _read(path: Path, name: str, job: MixJob, waiting: _Waiting, account: Account, bar: Any) -> Groups:
    """Let the entries of an input wait; what joins them."""
    groups = Groups(seed=job.seed)
    for packed in read_entries(path, name=name):
        for entry in formats.unwrap(packed):
            account.read += 1
            bar.update(1)
            try:
                value = _value(entry, name, job.source_key)
                line = _line(value, entry.origin)
            except SampleError as error:
                waiting.faults.setdefault(name, error)
                account.set_aside(entry, error)
            else:
                waiting.add(line)
                add_to(groups, value, job.group_by)
    return groups


def _require_usable(inputs: Sequence[Taken], waiting: _Waiting) -> None:
    """Refuse a mix that would lack one of its files."""
    for name in (one.name for one in inputs if not one.usable):
        fault = waiting.faults.get(name)
        why = f"none of its entries can be written (the first: {fault})" if fault else "holds no entries"
        raise InputError(f"{name}: {why}; leave it out of the mix, or mend it; nothing was written")


def _value(entry: Entry, name: str, source_key: str | None) -> dict[str, Any]:
    if entry.error is not None:
        raise entry.error
    value = formats.to_sharegpt(entry.value, origin=entry.origin)
    if source_key is None:
        return value
    if source_key in value:
        raise InputError(f"--source-key {source_key}: {entry.origin} has that key already; another was expected")
    return {**value, source_key: name}


def _line(value: dict[str, Any], origin: str) -> bytes:
    try:
        return dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleError(f"{origin}: cannot be written as JSON again ({error})", "broken-json") from error


def _write(out: EntryWriter, waiting: _Waiting, numbers: Sequence[int]) -> None:
    for value in waiting.values(numbers):
        out.write(value)


def _options(job: MixJob, names: Sequence[str]) -> dict[str, Any]:
    shares = {name: str(one) for name, one in zip(names, job.inputs, strict=True)}
    return {
        "shares": shares,
        "total": job.total,
        "seed": job.seed,
        "shuffle": job.shuffle,
        "group_by": job.group_by,
        "source_key": job.source_key,
    }


def _check_inputs(job: MixJob) -> None:
    inputs = job.inputs
    if not inputs:
        raise InputError("no inputs; at least one annotation file was expected")
    if job.source_key is not None and (not job.source_key or job.source_key in _OF_THE_FORMAT):
        raise InputError(f"--source-key {job.source_key}: means something else in an entry; another was expected")
    seen: set[Path] = set()
    for one in inputs:
        if are_shards(one.path) or are_rows(one.path):
            raise InputError(f"{one.path}: is no JSON; mm2energon convert makes an annotation file of it")
        if not one.path.is_file():
            raise InputError(f"{one.path}: no such file")
        if one.path.resolve() in seen:
            raise InputError(f"{one.path}: is given twice; once was expected, with the sum of both shares")
        seen.add(one.path.resolve())


def _check_output(job: MixJob) -> None:
    output = job.output
    if not output.exists():
        return
    if not output.is_file():
        raise InputError(f"OUT {output}: is no file; the name of one was expected, such as mix.json")
    if any(output.samefile(one.path) for one in job.inputs):
        raise InputError(f"OUT {output}: is one of the inputs; another name was expected")
    if not job.overwrite and noted(output) is None:
        raise InputError(
            f"OUT {output}: exists, and was not written by mm2energon (or was changed since); "
            "choose another name, or --overwrite it"
        )
