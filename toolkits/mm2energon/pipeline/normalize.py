"""Normalize: any annotation file to ShareGPT, entry by entry (`image` -> `images`, `video` -> `videos`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError
from mm2energon.jsonio import Entry, read_entries
from mm2energon.pipeline.account import open_account
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import made_by, noted, write_output
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.pipeline.retry import Joining, read_set_aside
from mm2energon.pipeline.standing import standing, was_left_alone
from mm2energon.pipeline.writing import write_each


@dataclass(frozen=True)
class Normalized:
    """What `mm2energon normalize` did."""

    #: Read, written, set aside by reason.
    account: dict[str, Any]
    #: Every byte was there as it would have been written, and nothing was.
    already_done: bool


def normalize(
    source: Path, output: Path, *, overwrite: bool = False, retry: bool = False, progress: ProgressMaker = silent
) -> Normalized:
    """Write `source` as ShareGPT to `output`: JSON lines when that ends in `.jsonl`, else an array.

    Args:
        retry: the source is a set-aside file; its entries join those that are in the output already.

    Raises:
        InputError: the source cannot be read, none of its entries can be written, or the output would replace a file
            that is not ours.
    """
    if not source.is_file():
        raise InputError(f"{'--retry' if retry else '--input-file'} {source}: no such file")
    with alone_on(output, option="--output-file"):
        _check_output(source, output, overwrite=overwrite)
        return _normalize(source, output, Joining(output, source) if retry else None, progress)


def _normalize(source: Path, output: Path, joining: Joining | None, progress: ProgressMaker) -> Normalized:
    before = standing(output)
    bar = progress("entries", None)
    about = made_by("normalize", output, sources=[source])
    about = joining.about(about) if joining is not None else about
    read = read_set_aside if joining is not None else read_entries
    sources = [] if joining is not None else [source]  # the account of before may be replaced
    with (
        open_account(output, command="normalize", sources=sources) as account,
        write_output(output, about=about) as out,
    ):
        read_as: Counter[str] = Counter()
        entries = chain.from_iterable(map(formats.unwrap, read(source)))
        for entry, is_written in write_each(entries, _as_sharegpt, out, account, joining):
            bar.update(1)
            if is_written:
                read_as[formats.detect(entry.value, origin=entry.origin)] += 1
        account.facts["formats"] = dict(sorted(read_as.items()))
    bar.close()
    account.require_written(source, earlier=output)
    return Normalized(account.as_dict(), was_left_alone(output, before))


def _as_sharegpt(entry: Entry) -> dict[str, Any]:
    return formats.to_sharegpt(entry.value, origin=entry.origin)


def _check_output(source: Path, output: Path, *, overwrite: bool) -> None:
    if not output.exists():
        return
    if not output.is_file():
        raise InputError(f"--output-file {output}: is no file; the name of one was expected, such as dataset.json")
    if output.samefile(source):
        raise InputError(f"--output-file {output}: is the input itself; another name was expected")
    if not overwrite and noted(output) is None:
        raise InputError(
            f"--output-file {output}: exists, and was not written by mm2energon (or was changed since); "
            "choose another name, or --overwrite it"
        )
