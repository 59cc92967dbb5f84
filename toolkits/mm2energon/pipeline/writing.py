"""Writing: entries one by one, each made into what is written, once, or set aside with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry, EntryWriter
from mm2energon.pipeline.account import Account, write_entry
from mm2energon.pipeline.retry import Joining


def write_each(
    entries: Iterable[Entry],
    make: Callable[[Entry], Mapping[str, Any]],
    out: EntryWriter,
    account: Account,
    joining: Joining | None,
) -> Iterator[tuple[Entry, bool]]:
    """Write entries, behind those of before where they join an output; each, and whether it is in the output now.

    Args:
        make: what is written of an entry that could be read; it raises the SampleError with which one is set aside.
    """
    if joining is not None:
        joining.copy_earlier(out)
    for entry in entries:
        account.read += 1
        try:
            if entry.error is not None:
                raise entry.error
            value = make(entry)
            if joining is None or not joining.has(account.read):
                write_entry(out, value, origin=entry.origin)
        except SampleError as error:
            account.set_aside(entry, error)
            yield entry, False
        else:
            account.written["entries"] += 1
            if joining is not None:
                joining.note(account.read)
            yield entry, True
