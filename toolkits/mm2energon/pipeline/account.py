"""The account of a run: every entry read is written once or set aside with its reason, and the numbers add up."""

from __future__ import annotations

import contextlib
import filecmp
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, SampleError
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

    def require_written(self, source: Path) -> None:
        """Refuse a run that wrote nothing at all.

        Raises:
            InputError: it did.
        """
        if sum(self.written.values()):
            return
        if not self.read:
            raise InputError(f"{source}: holds no entries; conversations were expected")
        reasons = ", ".join(f"{code} {count}" for code, count in self.reasons.most_common(3))
        raise InputError(
            f"{source}: none of its {self.read} entries can be written ({reasons}); {SET_ASIDE_NAME} beside the output "
            "says why of each"
        )

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
    """An account whose `set_aside.jsonl` appears in `folder` at the end, and only when something was set aside.

    One that is there already and would be the same is left as it is.
    """
    path = folder / SET_ASIDE_NAME
    fresh = folder / f".{SET_ASIDE_NAME}"
    with write_entries(fresh) as lines:
        account = Account(lines)
        yield account
    if account.set_aside_count == 0:
        path.unlink(missing_ok=True)
    if account.set_aside_count == 0 or (path.is_file() and filecmp.cmp(path, fresh, shallow=False)):
        fresh.unlink()
    else:
        fresh.replace(path)


def write_entry(out: EntryWriter, value: Any, *, origin: str) -> None:
    """Write an entry.

    Raises:
        SampleError: `broken-json`, when it cannot be written as JSON again.
    """
    try:
        out.write(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleError(f"{origin}: cannot be written as JSON again ({error})", "broken-json") from error
