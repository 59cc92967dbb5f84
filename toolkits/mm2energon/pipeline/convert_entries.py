"""Convert entries: each is loaded as one format, reshaped, and dumped as others; or set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.formats.legacy_parts import SYSTEM
from mm2energon.jsonio import Entry, EntryWriter, dumps
from mm2energon.pipeline.account import Account, write_entry
from mm2energon.pipeline.convert_media import reshape
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.pipeline.retry import Joining
from mm2energon.sample import Sample


@dataclass(frozen=True)
class HowConverted:
    """What becomes of entries; a few words, so that any executor can carry it."""

    #: What they are; None: each is told by its keys.
    read_as: str | None
    #: The formats that they become.
    names: tuple[str, ...]
    reshaping: Reshaping


def write_converted(
    entries: Iterable[Entry],
    how: HowConverted,
    outs: Mapping[str, EntryWriter],
    account: Account,
    read_as: Counter[str],
    *,
    joining: Mapping[str, Joining] | None = None,
) -> Iterator[None]:
    """Write entries to the outputs of their formats; nothing is yielded, once for each.

    Args:
        read_as: counts the formats that entries were read as.
        joining: which entries joined the outputs before, of each format.
    """
    joining = joining or {}
    for entry in entries:
        account.read += 1
        try:
            if entry.error is not None:
                raise entry.error
            form = how.read_as or formats.detect(entry.value, origin=entry.origin)
            values = {name: _dumped(entry, form, name, how) for name in outs}  # all of them, or none
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
        yield


def _dumped(entry: Entry, read_as: str, name: str, how: HowConverted) -> dict[str, Any]:
    """An entry of the format `read_as` as one of the format `name`."""
    loaded = formats.FORMATS[read_as].load(entry.value, origin=entry.origin)
    return dump_as(reshape(loaded, read_as, how.reshaping), name)


def dump_as(sample: Sample, name: str) -> dict[str, Any]:
    """A sample as an entry of the format `name`, which can be written as JSON.

    Raises:
        SampleError: `cannot-hold`, `broken-json`.
    """
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
