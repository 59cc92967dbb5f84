"""Retry: entries that were set aside, read again from the account of the run, once they or their media are mended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mm2energon.errors import InputError, SampleError
from mm2energon.jsonio import Entry, EntryWriter, broken_entry, loads, read_entries
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.pipeline.ledger import noted, sha256_of

#: What an origin says behind the name of its file: `[12]`, `:13`, or several of them.
_BROKEN = "broken-json"
_PLACE = re.compile(r"(\[\d+\]|:\d+)+$")


def read_set_aside(path: Path) -> Iterator[Entry]:
    """The entries of a set-aside file, under the origins that they had at first.

    Where an entry was no valid JSON its text stands in the file; it is read again, for it may have been mended there.

    Raises:
        InputError: the file cannot be read, or is no such file.
    """
    for line in read_entries(path, max_depth=MAX_DEPTH_AROUND):
        value = line.value
        if line.error is not None or not isinstance(value, dict) or not {"origin", "entry"} <= value.keys():
            raise InputError(
                f"--retry {path}: {line.origin} is no line of a set-aside file; "
                "origin, reason, message and entry were expected"
            )
        yield _entry(value)


def _entry(line: dict[str, Any]) -> Entry:
    origin, value = str(line["origin"]), line["entry"]
    if line.get("reason", _BROKEN) == _BROKEN and value is None:  # nothing is known but where it stood
        return Entry(origin, value, SampleError(str(line.get("message", origin)), _BROKEN))
    if line.get("reason", _BROKEN) == _BROKEN and isinstance(value, str):
        try:
            return Entry(origin, loads(value))
        except ValueError as error:
            return broken_entry(origin, str(error), text=value)
    return Entry(origin, value)


def folder_of(origin: str) -> str:
    """The folder of the file that an origin names, relative to the dataset root; empty for the root itself."""
    folder = PurePosixPath(_PLACE.sub("", origin)).parent.as_posix()
    return "" if folder == "." else folder


class Joining:
    """What joins an output of before: its entries go first, and each of those of one set-aside file joins once only.

    The ledger says which entries of a file have joined, by their places in it: `"retried": {digest: [[1, 4], ...]}`.
    What came too late for one run, a video that was not there yet, may join with the next one from the same file.
    """

    def __init__(self, output: Path, retry: Path) -> None:
        """
        Raises:
            InputError: there is no such file.
        """
        if not retry.is_file():
            raise InputError(f"--retry {retry}: no such file; the set_aside.jsonl of an earlier run was expected")
        self._output = output
        self._earlier = noted(output) or {}
        # A run that was killed before its output had its name has noted what joined in vain.
        is_named = self._earlier.get("sha256") == sha256_of(output)
        retried = self._earlier.get("retried" if is_named else "retried_before")
        self._retried = retried if isinstance(retried, dict) else {}
        self._digest = str(sha256_of(retry))
        self._stretches = [list(stretch) for stretch in self._retried.get(self._digest, [])]
        self._had = {place for first, end in self._stretches for place in range(first, end)}

    def has(self, place: int) -> bool:
        """Whether the entry at that place of the set-aside file has joined in a run of before."""
        return place in self._had

    def note(self, place: int) -> None:
        """Say of an entry that it has joined; places are told in their order."""
        if self.has(place):
            return
        if self._stretches and self._stretches[-1][1] == place:
            self._stretches[-1][1] += 1
        else:
            self._stretches.append([place, place + 1])

    def about(self, fresh: dict[str, Any]) -> dict[str, Any]:
        """What the ledger says of the output then; `fresh` where it has said nothing yet. It grows by what is noted."""
        kept = {name: value for name, value in self._earlier.items() if name not in ("sha256", "before")}
        retried = {**self._retried, self._digest: self._stretches}
        return {**(kept or fresh), "retried": retried, "retried_before": self._retried}

    def copy_earlier(self, out: EntryWriter) -> None:
        """Write the entries of before."""
        if self._output.is_file():
            for entry in read_entries(self._output):
                out.write(entry.value)
