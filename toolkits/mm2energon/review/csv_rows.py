"""The rows of a CSV file one after another, each with where it stands; what is no row costs itself alone.

Python's reader takes what it gets: a quote that is not closed swallows the rows behind it. Here such a line is given up
by itself, and the next one is read as a row of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, NamedTuple

#: Characters of one field: a quote that nobody closes is noticed behind so many.
_LONGEST_FIELD = 1 << 22
_OPEN = "a quote that is not closed"


class Writing(NamedTuple):
    """How rows are written."""

    delimiter: str
    #: Between lines: `\\r\\n`, `\\n` or `\\r`.
    line_end: str
    #: How many fields a row has; 0: that is not known.
    width: int = 0


class Record(NamedTuple):
    """A row as it stands in the file."""

    #: Bytes before it, and up to behind its end; the line it begins on, from 1.
    start: int
    end: int
    line: int
    fields: list[str]
    #: Of what is no row: its text, and why.
    text: str = ""
    fault: str = ""


class _Lines:
    """The lines of a file as text, of which it is known how many bytes were read."""

    def __init__(self, file: IO[bytes], start: int, line_end: str) -> None:
        file.seek(start)
        self._file, self.offset, self.count = file, start, 0
        self._lone_returns = line_end == "\r"
        self._waiting: list[bytes] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._next()
        if not line:
            raise StopIteration
        self.offset += len(line)
        self.count += 1
        return line.decode("utf-8", "surrogateescape")

    def _next(self) -> bytes:
        if not self._lone_returns:
            return self._file.readline()
        if not self._waiting:  # old files, which are small: lines end with a return alone
            self._waiting = self._file.read().splitlines(keepends=True)[::-1]
        return self._waiting.pop() if self._waiting else b""


def records(file: IO[bytes], start: int, line: int, how: Writing) -> Iterator[Record]:
    """The rows of a CSV from a place on; blank lines are passed over, and rows of empty fields, as spreadsheets leave.

    Args:
        line: the number of the one that begins there.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    size = file.seek(0, io.SEEK_END)
    lines, first = _Lines(file, start, how.line_end), line
    reader = csv.reader(lines, delimiter=how.delimiter)
    while True:
        begin, number = lines.offset, first + lines.count
        fields, fault = _next_fields(reader)
        if fields is None and not fault:
            return
        spans = first + lines.count > number + 1
        if not fault and not spans and lines.offset < size and not _is_too_long(fields or [], how):
            if not _is_empty(fields):
                yield Record(begin, lines.offset, number, fields or [])
            continue
        text = _text(file, begin, lines.offset)
        fault = fault or (_OPEN if _is_open(text, how) else "")
        if spans and (fault or _swallowed(text, fields or [], how)):
            lines, first = _Lines(file, begin, how.line_end), number
            reader = csv.reader(lines, delimiter=how.delimiter)
            yield Record(begin, lines.offset, number, [], next(lines), _OPEN)._replace(end=lines.offset)
        elif fault or not _is_empty(fields):
            yield _record(Record(begin, lines.offset, number, fields or [], text, fault), how)


def record_of(text: str, start: int, line: int, length: int, how: Writing) -> Record:
    """A row again, from its text."""
    try:
        found = [fields for fields in _read(text, how) if fields]
    except csv.Error as error:
        return Record(start, start + length, line, [], text, str(error))
    fault = _OPEN if len(found) != 1 or _is_open(text, how) else ""
    return _record(Record(start, start + length, line, found[0] if found else [], text, fault), how)


def _record(record: Record, how: Writing) -> Record:
    """A row, with its text where it has a fault, and its fields where it has none."""
    if not record.fault and _is_too_long(record.fields, how):
        record = record._replace(fault=f"{len(record.fields)} fields, where the header has {how.width}")
    return record._replace(fields=[]) if record.fault else record._replace(text="")


def _is_empty(fields: list[str] | None) -> bool:
    return not any(map(str.strip, fields or []))


def _is_too_long(fields: list[str], how: Writing) -> bool:
    """Whether there is something behind the last column."""
    return how.width > 0 and any(fields[how.width :])


def _next_fields(reader: Iterator[list[str]]) -> tuple[list[str] | None, str]:
    """The next row, or what is wrong with it; neither at the end."""
    try:
        return next(reader, None), ""
    except csv.Error as error:
        return None, str(error)


def _text(file: IO[bytes], start: int, end: int) -> str:
    """What stands in the file; its place stays."""
    place = file.tell()
    file.seek(start)
    data = file.read(end - start)
    file.seek(place)
    return data.decode("utf-8", "surrogateescape")


def _read(text: str, how: Writing, *, strict: bool = False) -> Iterator[list[str]]:
    return csv.reader(_cut(text, how), delimiter=how.delimiter, strict=strict)


def _cut(text: str, how: Writing) -> list[str]:
    """The lines of a text, as those of the file are cut."""
    end = how.line_end[-1]
    *lines, last = text.split(end)
    return [line + end for line in lines] + ([last] if last else [])


def _is_open(text: str, how: Writing) -> bool:
    """Whether a quote of a row is not closed: a line behind it becomes a part of it."""
    try:
        return '"' in text and list(_read(f"{text}{how.line_end}0", how))[-1] != ["0"]
    except csv.Error:
        return True


def _swallowed(text: str, fields: list[str], how: Writing) -> bool:
    """Whether what was read as one row has others inside: odd quotes or fields, and a second line that is one."""
    if len(fields) == how.width and _is_strict(text, how):
        return False
    second = "".join(_cut(text, how)[1:2])
    return _is_strict(second, how) and any(len(found) == how.width for found in _read(second, how))


def _is_strict(text: str, how: Writing) -> bool:
    """Whether quotes stand at the ends of fields alone."""
    try:
        list(_read(text, how, strict=True))
    except csv.Error:
        return False
    return True
