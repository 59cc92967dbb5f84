"""Convert in parts: stretches of JSON lines, each converted by a worker into files of its own, and joined in order."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mm2energon import formats
from mm2energon.errors import ToolkitError
from mm2energon.jsonio import EntryWriter
from mm2energon.jsonplaces import Stretch, read_stretch
from mm2energon.pipeline.account import Account
from mm2energon.pipeline.convert_entries import HowConverted, write_converted
from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.pipeline.loop import Executor, run_each

#: Bytes of annotations that one worker converts at a time: some seconds of work.
PART_BYTES = 16 << 20
_SET_ASIDE = "set_aside.jsonl"


@dataclass(frozen=True, slots=True)
class ConvertPart:
    """A stretch of an annotation file: a unit of work."""

    number: int
    source: Path
    #: Bytes of the source and the time of its last change, by which it is noticed that it is another one.
    state: tuple[int, int]
    stretch: Stretch
    how: HowConverted
    #: Where what is made of it goes.
    folder: Path

    def __str__(self) -> str:
        return f"part {self.number} of {self.source.name}"


@dataclass(frozen=True, slots=True)
class PartConverted:
    """What became of the entries of a part."""

    read: int
    written: int
    reasons: Mapping[str, int]
    lost_behind: tuple[str, ...]
    #: Format that entries were read as -> how many.
    formats: Mapping[str, int]


def convert_part(part: ConvertPart) -> PartConverted:
    """Convert the entries of a part into its folder.

    Raises:
        InputError: the source cannot be read.
    """
    shutil.rmtree(part.folder, ignore_errors=True)
    part.folder.mkdir(parents=True)
    read_as: Counter[str] = Counter()
    with ExitStack() as files:
        outs = {name: _writer(part.folder / f"{name}.jsonl", files) for name in part.how.names}
        account = Account(_writer(part.folder / _SET_ASIDE, files), part.folder / _SET_ASIDE)
        packed = read_stretch(part.source, part.stretch)
        for _ in write_converted(chain.from_iterable(map(formats.unwrap, packed)), part.how, outs, account, read_as):
            pass
    lost = tuple(account.lost_behind)
    return PartConverted(account.read, account.written["entries"], dict(account.reasons), lost, dict(read_as))


def _writer(path: Path, files: ExitStack) -> EntryWriter:
    return EntryWriter(files.enter_context(path.open("wb")), lines=True)


def parts_folder(output: Path) -> Path:
    """Where the parts of an output lie until they are joined; all machines that convert them see it."""
    return output.parent / STATE_FOLDER / f"convert.{output.name}"


def write_parts(
    source: Path,
    stretches: Sequence[Stretch],
    how: HowConverted,
    outs: Mapping[str, EntryWriter],
    account: Account,
    read_as: Counter[str],
    *,
    folder: Path,
    workers: int,
    executor: Executor | None = None,
) -> Iterator[int]:
    """Convert stretches of a source at the same time, and join them; how many entries were read of each.

    Raises:
        ToolkitError: a worker did not come to the end of its part.
    """
    found = source.stat()
    state = (found.st_size, found.st_mtime_ns)
    parts = (
        ConvertPart(number, source.absolute(), state, stretch, how, folder / f"{number:06d}")
        for number, stretch in enumerate(stretches)
    )
    for outcome in run_each(convert_part, parts, workers=workers, executor=executor):
        done, here = outcome.result, outcome.item.folder
        if done is None:
            raise ToolkitError(f"{outcome.error}; run the same command again")
        for name, out in outs.items():
            out.copy_from(here / f"{name}.jsonl")
        account.add(done.read, done.reasons, done.lost_behind, here / _SET_ASIDE)
        account.written["entries"] += done.written
        read_as.update(done.formats)
        yield done.read
    shutil.rmtree(folder)
