"""JSON arrays and JSON lines: streamed in, one entry at a time, and written whole or not at all.

What a file holds is told from its content, not its name: an array (of objects, or of lists of objects), one JSON value
a line, or values one after another over several lines. A byte order mark, blank lines and CRLF are passed over.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import ijson
import orjson

from mm2energon.errors import InputError, SampleError
from mm2energon.storage import write_whole

_BOM = b"\xef\xbb\xbf"
#: Bytes looked at to tell lines from an array; a first line longer than this is taken for an array.
_HEAD_BYTES = 1 << 20


class Entry(NamedTuple):
    """One entry of an annotation file: its value, or why it has none."""

    #: `train.json[12]` (array position from 0) or `train.jsonl:13` (line from 1).
    origin: str
    value: Any
    error: SampleError | None = None


def read_entries(path: Path, *, name: str | None = None) -> Iterator[Entry]:
    """The entries of an annotation file, in order, with flat memory.

    An entry that is not valid JSON is yielded with its error. After a fault in an array nothing more can be found:
    the last entry yielded says so.

    Args:
        name: what to call the file in origins; its own name by default.

    Raises:
        InputError: the file cannot be opened, or is not text in UTF-8.
    """
    name = name or path.name
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            start = len(_BOM) if head.startswith(_BOM) else 0
            if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise InputError(f"{name}: UTF-16 text; UTF-8 was expected; convert it with: iconv -f utf-16 -t utf-8")
            file.seek(start)
            shape = _shape(head[start:])
            if shape == "array":
                yield from _read_array(file, name)
            elif shape == "lines":
                yield from _read_lines(file, name)
            else:
                yield from _read_values(file, name)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _shape(head: bytes) -> str:
    """`array`, `lines` or `values`, from the first bytes of a file."""
    text = head.lstrip()
    first, newline, rest = text.partition(b"\n")
    first_is_whole = bool(newline) and _is_json(first)
    if text.startswith(b"["):
        return "lines" if first_is_whole and rest.strip() else "array"
    return "values" if text.startswith(b"{") and not first_is_whole and _looks_spread(text) else "lines"


def _looks_spread(text: bytes) -> bool:
    """Whether an object is spread over lines: its first line ends inside it (`{` or `{"id": 1,`)."""
    first, newline, _ = text.partition(b"\n")
    return bool(newline) and first.rstrip()[-1:] in b"{,[:"


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def _read_array(file: IO[bytes], name: str) -> Iterator[Entry]:
    index = -1
    try:
        for index, value in enumerate(ijson.items(file, "item")):
            yield Entry(f"{name}[{index}]", value)
    except (ijson.JSONError, UnicodeDecodeError, OverflowError, RecursionError) as error:
        yield _broken(f"{name}[{index + 1}]", error, "; this entry and all behind it cannot be read")


def _read_values(file: IO[bytes], name: str) -> Iterator[Entry]:
    index = -1
    try:
        for index, value in enumerate(ijson.items(file, "", multiple_values=True)):
            yield Entry(f"{name}[{index}]", value)
    except (ijson.JSONError, UnicodeDecodeError, OverflowError, RecursionError) as error:
        yield _broken(f"{name}[{index + 1}]", error, "; this entry and all behind it cannot be read")


def _read_lines(file: IO[bytes], name: str) -> Iterator[Entry]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        origin = f"{name}:{number}"
        try:
            yield Entry(origin, loads(line))
        except (ValueError, RecursionError) as error:
            yield _broken(origin, error)


def _broken(origin: str, error: Exception, consequence: str = "") -> Entry:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return Entry(origin, None, SampleError(f"{origin}: not valid JSON ({reason}){consequence}", "broken-json"))


def loads(text: bytes | str) -> Any:
    """One JSON value; numbers beyond 64 bits and lone surrogates, which orjson refuses, are read too.

    Raises:
        ValueError: not valid JSON (NaN and Infinity are not).
    """
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text, parse_constant=_no_constant)


def dumps(value: Any) -> bytes:
    """A value as JSON on one line, in UTF-8 (a value that UTF-8 cannot hold is written with escapes)."""
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        return json.dumps(value, default=_plain, allow_nan=False).encode("ascii")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _plain(value: Any) -> Any:
    """ijson gives numbers with a point as Decimal."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


class EntryWriter:
    """Writes entries one by one: JSON lines, or an array with one entry a line."""

    def __init__(self, file: IO[bytes], *, lines: bool) -> None:
        self._file = file
        self._lines = lines
        self.count = 0

    def write(self, value: Any) -> None:
        """Append one entry."""
        text = dumps(value)
        if self._lines:
            self._file.write(text + b"\n")
        else:
            self._file.write((b",\n" if self.count else b"[\n") + text)
        self.count += 1

    def _close(self) -> None:
        if not self._lines:
            self._file.write(b"\n]\n" if self.count else b"[]\n")


@contextlib.contextmanager
def write_entries(path: Path) -> Iterator[EntryWriter]:
    """A writer of entries to `path`: JSON lines when it ends in `.jsonl`, else an array; all of it, or no file."""
    with write_whole(path) as file:
        writer = EntryWriter(file, lines=path.suffix == ".jsonl")
        yield writer
        writer._close()
