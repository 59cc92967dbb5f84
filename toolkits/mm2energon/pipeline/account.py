"""The account of a run: every entry read is written once or set aside with its reason, and the numbers add up."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry, EntryWriter, write_entries

SET_ASIDE_NAME = "set_aside.jsonl"


class Account:
    """Counts entries, and writes those that are set aside to `set_aside.jsonl`."""

    def __init__(self, lines: EntryWriter) -> None:
        self._lines = lines
        self.read = 0
        self.written: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def set_aside(self, entry: Entry, error: SampleError) -> None:
        """Note that an entry is left out, and why."""
        self.reasons[error.code] += 1
        line = {"origin": entry.origin, "reason": error.code, "message": str(error), "entry": entry.value}
        try:
            self._lines.write(line)
        except (TypeError, ValueError, RecursionError):  # an entry that cannot be written as JSON again
            self._lines.write({**line, "entry": None})

    def as_dict(self) -> dict[str, Any]:
        """The figures: `read` = the sum of `written` + the sum of `set_aside`."""
        return {
            "read": self.read,
            "written": dict(self.written),
            "set_aside": dict(sorted(self.reasons.items())),
        }

    @property
    def set_aside_count(self) -> int:
        """Entries set aside so far."""
        return sum(self.reasons.values())

    @property
    def adds_up(self) -> bool:
        """Whether every entry read was written or set aside."""
        return self.read == sum(self.written.values()) + self.set_aside_count


@contextlib.contextmanager
def open_account(folder: Path) -> Iterator[Account]:
    """An account whose `set_aside.jsonl` appears in `folder` at the end, and only when something was set aside."""
    path = folder / SET_ASIDE_NAME
    with write_entries(path) as lines:
        account = Account(lines)
        yield account
    if account.set_aside_count == 0:
        path.unlink()
