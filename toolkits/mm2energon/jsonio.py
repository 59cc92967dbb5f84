"""JSON arrays and JSON lines: streamed in, one entry at a time, and written whole or not at all.

What a file holds is told from its content, not its name: an array (of objects, or of lists of objects), one JSON value
a line, or values one after another over several lines. A byte order mark, blank lines and CRLF are passed over.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from mm2energon.errors import InputError, SampleError
from mm2energon.jsonscan import scan
from mm2energon.jsonvalue import MAX_DEPTH, UNSURE, Decoder, Faulty, quick_value
from mm2energon.remote import Place
from mm2energon.storage import write_whole

_BOM = b"\xef\xbb\xbf"
#: Bytes, and lines of them, looked at to tell lines from values that are spread over lines.
_HEAD_BYTES = 1 << 20
_HEAD_LINES = 64
_BUFFER_BYTES = 1 << 18


class Entry(NamedTuple):
    """One entry of an annotation file: its value, or why it has none."""

    #: `train.json[12]` (array position from 0) or `train.jsonl:13` (line from 1).
    origin: str
    #: Of an entry that is not valid JSON: its text, or None where that has no known end.
    value: Any
    error: SampleError | None = None
    #: The file is broken here: what stands behind the entry cannot be read.
    breaks_off: bool = False


def read_entries(path: Place, *, name: str | None = None, max_depth: int = MAX_DEPTH) -> Iterator[Entry]:
    """The entries of an annotation file, in order, with flat memory.

    An entry that is not valid JSON is yielded with its error. After a fault that leaves the end of an entry unknown,
    nothing more can be found in an array: the last entry yielded says so.

    Args:
        path: in a store it is read as a stream.
        name: what to call the file in origins; its own name by default.
        max_depth: levels of lists and objects above which an entry is not read.

    Raises:
        InputError: the file cannot be opened, or is not text in UTF-8.
    """
    name = name or path.name
    with open_entries(path) as (file, by_lines):
        if by_lines:
            yield from entries_of_lines(file, name, Decoder(max_depth=max_depth))
        else:
            yield from entries_of_array(file, name, max_depth)


def goes_by_lines(path: Place) -> bool:
    """Whether a file holds one value a line; else an array, or values over several lines.

    Raises:
        InputError: as `read_entries`.
    """
    with open_entries(path) as (_, by_lines):
        return by_lines


@contextlib.contextmanager
def open_entries(path: Place) -> Iterator[tuple[IO[bytes], bool]]:
    """An annotation file, open at its first value, and whether it holds one value a line.

    Raises:
        InputError: as `read_entries`.
    """
    with opened(path) as file:
        yield file, _goes_by_lines(file, path)


@contextlib.contextmanager
def opened(path: Place) -> Iterator[IO[bytes]]:
    """A file, open at its beginning.

    Raises:
        InputError: it cannot be opened or read.
    """
    try:
        with path.open("rb", buffering=_BUFFER_BYTES) as file:
            yield file
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _goes_by_lines(file: IO[bytes], path: Place) -> bool:
    """Whether a file holds one value a line; it stands at its first value then.

    Raises:
        InputError: it is not text in UTF-8.
    """
    head = file.read(_HEAD_BYTES)
    if head[:2] == b"\x1f\x8b" or head[:4] in (b"PK\3\4", b"\x28\xb5\x2f\xfd"):
        raise InputError(f"{path}: is compressed; JSON was expected; unpack it first")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head[:4]:
        raise InputError(
            f"{path}: UTF-16, UTF-32 or no text at all; UTF-8 was expected; convert it with: iconv -t utf-8"
        )
    start = len(_BOM) if head.startswith(_BOM) else 0
    file.seek(start)
    return _is_lines(head[start:])


def _is_lines(head: bytes) -> bool:
    """Whether a file holds one value a line, some of them broken perhaps, from its first bytes."""
    lines = head.split(b"\n")
    if len(head) == _HEAD_BYTES:
        lines.pop()  # it may go on
    lines = [line.strip() for line in lines if line.strip()][:_HEAD_LINES]
    first = (lines[0] if lines else head.lstrip())[:1]
    if first not in (b"[", b"{") or len(lines) < 2:
        return first != b"["
    if lines[0] == first:
        return False
    decoder = Decoder()
    texts = (line.decode("utf-8", "surrogateescape") for line in lines)
    whole = sum(not isinstance(decoder.whole(text), Faulty) for text in texts)
    return 2 * whole >= len(lines) or (first == b"{" and not _is_spread(lines[0], lines[1]))


def _is_spread(first: bytes, second: bytes) -> bool:
    """Whether an object goes on from its first line to the second (`{"id": 1,` and `"images": [`)."""
    if second.startswith((b",", b"}", b"]")):
        return True
    return first.endswith((b"[", b":")) or (first.endswith((b"{", b",")) and not second.startswith(b"{"))


def entries_of_array(file: IO[bytes], name: str, max_depth: int, *, first: int = 0) -> Iterator[Entry]:
    """The entries of an array, or of values over several lines, up to where it breaks off."""
    index = first
    try:
        for values in scan(file, max_depth=max_depth):
            yield from entries_of_values(values, name, index)
            index += len(values)
    except ValueError as error:
        yield broken_off(name, index, error)


def entries_of_values(values: Iterable[Any], name: str, first: int) -> list[Entry]:
    """Values that were scanned, or what is Faulty in their place, as entries; the first has the number `first`."""
    return [
        broken_entry(f"{name}[{index}]", value.fault, text=value.text)
        if isinstance(value, Faulty)
        else Entry(f"{name}[{index}]", value)
        for index, value in enumerate(values, start=first)
    ]


def broken_off(name: str, index: int, error: ValueError) -> Entry:
    """The last entry of a file whose rest cannot be read."""
    advice = "mend it, for it and all behind it cannot be read"
    return broken_entry(f"{name}[{index}]", str(error), advice=advice)._replace(breaks_off=True)


def entries_of_lines(lines: Iterable[bytes], name: str, decoder: Decoder, *, first: int = 1) -> Iterator[Entry]:
    """The entries of lines, the first of which has the number `first`; blank lines have none."""
    for number, line in enumerate(lines, start=first):
        origin = f"{name}:{number}"
        try:
            value = quick_value(line)
        except UNSURE:
            text = line.removeprefix(_BOM).decode("utf-8", "surrogateescape")
            if not text.strip():
                continue
            value = decoder.whole(text)
            if isinstance(value, Faulty):
                yield broken_entry(origin, value.fault, text=value.text)
                continue
        yield Entry(origin, value)


def broken_entry(origin: str, fault: str, *, text: str | None = None, advice: str = "mend it") -> Entry:
    """An entry without a value; its text stands in the place, as far as it is known."""
    message = f"{origin}: not valid JSON ({fault}); one JSON value was expected; {advice}"
    return Entry(origin, text, SampleError(message, "broken-json"))


def loads(text: bytes | str, *, max_depth: int = MAX_DEPTH) -> Any:
    """One JSON value; integers beyond 64 bits and lone surrogates are read too.

    Args:
        max_depth: levels of lists and objects above which it is not read.

    Raises:
        ValueError: not valid JSON (NaN and Infinity are not).
    """
    if isinstance(text, bytes):
        with contextlib.suppress(*UNSURE):
            return quick_value(text)
        text = text.decode("utf-8", "surrogateescape")
    value = Decoder(max_depth=max_depth).whole(text)
    if isinstance(value, Faulty):
        raise ValueError(value.fault)
    return value


def dumps(value: Any) -> bytes:
    """A value as JSON on one line, in UTF-8 (a value that UTF-8 or 64 bits cannot hold is written with escapes).

    Raises:
        TypeError, ValueError: the value holds what JSON cannot say.
    """
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        pass
    try:
        return json.dumps(value, default=_plain, allow_nan=False).encode("ascii")
    except RecursionError as error:
        raise ValueError("nested too deep for JSON") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def type_name(value: Any) -> str:
    """What JSON calls a value, with its article, for messages."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    names = ((str, "a string"), (int | float, "a number"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in names if isinstance(value, kind)), f"a {type(value).__name__}")


class EntryWriter:
    """Writes entries one by one: JSON lines, or an array with one entry a line."""

    def __init__(self, file: IO[bytes], *, lines: bool) -> None:
        self._file = file
        self._lines = lines
        self.count = 0

    def write(self, value: Any) -> None:
        """Append one entry."""
        self._write_text(dumps(value))

    def _write_text(self, text: bytes) -> None:
        if self._lines:
            self._file.write(text + b"\n")
        else:
            self._file.write((b",\n" if self.count else b"[\n") + text)
        self.count += 1

    def copy_to(self, path: Path) -> None:
        """Copy the lines that were written so far."""
        self._file.flush()
        with write_whole(path) as copy, Path(self._file.name).open("rb") as lines:
            shutil.copyfileobj(lines, copy)

    def copy_from(self, path: Path) -> None:
        """Append the entries of JSON lines that another one wrote."""
        with path.open("rb") as lines:
            for line in lines:
                self._write_text(line.rstrip(b"\n"))

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
