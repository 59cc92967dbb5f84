"""The account of a run: every entry read is written once or set aside with its reason, and the numbers add up."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count, zip_longest
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, SampleError
from mm2energon.jsonio import Entry, EntryWriter, dumps, loads
from mm2energon.locks import LockFile
from mm2energon.pipeline.ledger import forget, noted, read_ledger, write_output
from mm2energon.pipeline.report import report_place, write_report
from mm2energon.remote import Place, Remote
from mm2energon.storage import write_whole
from mm2energon.terminal import shown

#: What the file is called where nothing stands in its way, and what it may be called elsewhere.
SET_ASIDE_NAME = "set_aside.jsonl"
#: What an account is called that a later run takes over.
KEPT_NAMES = _KEPT, _KEPT_LINES = ("account.json", "set_aside.jsonl")
_SET_ASIDE = re.compile(r"set_aside(\..+)?\.jsonl")


class Account:
    """Counts entries, and writes those that are set aside to `path`."""

    def __init__(self, lines: EntryWriter, path: Path, sources: Iterable[Place] = ()) -> None:
        self._lines = lines
        self._sources = list(sources)
        #: Where entries that are set aside are written.
        self.path = path
        self.read = 0
        self.written: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        #: What else the report tells: number of shards, of frames, ...
        self.facts: dict[str, Any] = {}
        #: What the summary tells of what was done so far; kept for a later run that goes on from there.
        self.notes: dict[str, Any] = {}
        #: Origins of entries behind which their file cannot be read.
        self.lost_behind: list[str] = []

    def set_aside(self, entry: Entry, error: SampleError) -> None:
        """Note that an entry is left out, and why."""
        self.reasons[error.code] += 1
        if entry.breaks_off:
            self.lost_behind.append(entry.origin)
        line = {"origin": entry.origin, "reason": error.code, "message": shown(str(error)), "entry": entry.value}
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
            "set_aside_file": str(self.path),
            "lost_behind": list(self.lost_behind),
        }

    def require_written(self, *sources: Place, earlier: Path | None = None) -> None:
        """Refuse a run that wrote nothing at all.

        Args:
            earlier: the output, which is still that of an earlier run where it exists.

        Raises:
            InputError: it did.
        """
        if sum(self.written.values()):
            return
        left = earlier is not None and earlier.is_file()
        what = f"nothing was written, {earlier.name} is as it was before" if left and earlier else "nothing was written"
        shown_sources = str(sources[0]) + (f" and {len(sources) - 1} more" if len(sources) > 1 else "")
        if not self.read:
            raise InputError(f"{shown_sources}: holds no entries; conversations were expected; {what}")
        reasons = ", ".join(f"{code} {number}" for code, number in self.reasons.most_common(3))
        raise InputError(
            f"{shown_sources}: none of its {self.read} entries can be written ({reasons}); "
            f"{self.path} says why of each; {what}"
        )

    def keep(self, folder: Path) -> None:
        """Put what was counted so far into a folder, for a later run that goes on from there."""
        self._lines.copy_to(folder / _KEPT_LINES)
        with write_whole(folder / _KEPT) as file:
            counts = {"read": self.read, "reasons": self.reasons, "lost_behind": self.lost_behind, "notes": self.notes}
            file.write(dumps({**counts, "sources": [_state_of(path) for path in self._sources]}))

    def take_over(self, folder: Path) -> None:
        """Go on from what an earlier run kept in a folder.

        Raises:
            InputError: what was read for it has changed since.
        """
        kept = loads((folder / _KEPT).read_bytes())
        now = [_state_of(path) for path in self._sources]
        for before, after in zip_longest(kept["sources"], now):
            if before != after:
                raise InputError(
                    f"{(after or before)[0]}: has changed since the plan was made; the same file was expected until "
                    "the end; put it back as it was, or plan again, with --restart and into another folder"
                )
        self.notes = kept.get("notes", {})
        self.add(kept["read"], kept["reasons"], kept["lost_behind"], folder / _KEPT_LINES)

    def add(self, read: int, reasons: Mapping[str, int], lost_behind: Iterable[str], lines: Path) -> None:
        """Add what was counted elsewhere, and the lines of what was set aside there."""
        self.read += read
        self.reasons.update(reasons)
        self.lost_behind += lost_behind
        self._lines.copy_from(lines)

    @property
    def set_aside_count(self) -> int:
        """Entries set aside so far."""
        return sum(self.reasons.values())


@contextlib.contextmanager
def open_account(
    output: Path, *, command: str, options: Mapping[str, Any] | None = None, sources: Iterable[Place] = ()
) -> Iterator[Account]:
    """The account of what is written to `output`; at the end its file appears when something was set aside, then the
    report.

    The file of an earlier run for the same output is replaced, or removed when nothing was set aside; any other file
    is left alone.

    Args:
        output: a file, beside which the account lies, or a folder, in which it lies.
        command, options: what the report says of the run.
        sources: files that are read meanwhile.
    """
    sources = list(sources)
    paths = [source for source in sources if isinstance(source, Path)]
    report_place(output, paths)  # what stands in its way is told now, not when all is done
    with (
        _reserved(output, [*paths, output]) as path,
        write_output(path, about={"by": "account", "of": _of(output)}) as lines,
    ):
        account = Account(lines, path, sources)
        yield account
    if account.set_aside_count == 0:
        remove_account(output)
    if not account.read:
        return
    about = {"command": command, "options": dict(options or {}), **account.as_dict(), **account.facts}
    about["set_aside_file"] = account.path.name if account.set_aside_count else None
    write_report(output, about, taken=paths)


def is_kept(folder: Path) -> bool:
    """Whether an account was kept in a folder."""
    return (folder / _KEPT).is_file()


def _state_of(path: Place) -> list[Any]:
    """By what it is noticed that a file has changed, without reading it."""
    if isinstance(path, Remote):
        return [str(path), path.size(), None]
    try:
        state = path.stat()
    except OSError:
        return [str(path), None, None]
    return [str(path), state.st_size, state.st_mtime_ns]


def remove_account(output: Path) -> None:
    """Take away the file that an earlier run for the same output left."""
    for path in _ours(output):
        path.unlink()
        forget(path.parent, path.name)


def is_account_name(name: str) -> bool:
    """Whether an account may have that name."""
    return _SET_ASIDE.fullmatch(name) is not None


def is_account(about: Any) -> bool:
    """Whether a line of a ledger is about the file of an account."""
    return isinstance(about, dict) and about.get("by") == "account"


def write_entry(out: EntryWriter, value: Any, *, origin: str) -> None:
    """Write an entry.

    Raises:
        SampleError: `broken-json`, when it cannot be written as JSON again.
    """
    try:
        out.write(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleError(f"{origin}: cannot be written as JSON again ({error})", "broken-json") from error


@contextlib.contextmanager
def _reserved(output: Path, taken: Iterable[Path]) -> Iterator[Path]:
    """The file of an earlier run for the same output, else the first name that is free; other runs, which write other
    files of the folder, choose another one meanwhile."""
    others = {path.resolve() for path in taken}
    stem = f"set_aside.{output.stem}"
    names = chain([SET_ASIDE_NAME, f"{stem}.jsonl"], (f"{stem}.{number}.jsonl" for number in count(2)))
    ours = _ours(output)
    for path in chain(ours, (_folder(output) / name for name in names)):
        if path.resolve() in others or (path not in ours and path.exists()):
            continue
        try:
            lock = LockFile.enter(path.with_name(f".{path.name}.lock"), wait=False)
        except BlockingIOError:
            continue
        try:
            if path in ours or not path.exists():  # nor did the run before us just write it
                yield path
                return
        finally:
            lock.leave()


def _ours(output: Path) -> list[Path]:
    folder = _folder(output)
    lines = read_ledger(folder).items()
    names = sorted(name for name, about in lines if is_account(about) and about.get("of") == _of(output))
    return [folder / name for name in names if noted(folder / name) is not None]


def _folder(output: Path) -> Path:
    return output if output.is_dir() else output.parent


def _of(output: Path) -> str:
    return "." if output.is_dir() else output.name
