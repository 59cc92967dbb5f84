"""Where entries stand in an annotation file: they are read again from there, or a stretch of lines by each worker."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from itertools import islice
from typing import IO, NamedTuple

from mm2energon.jsonio import (
    Entry,
    broken_off,
    entries_of_array,
    entries_of_lines,
    entries_of_values,
    open_entries,
    opened,
    read_entries,
)
from mm2energon.jsonscan import scan_stretches
from mm2energon.jsonvalue import MAX_DEPTH, UNSURE, Decoder, quick_item
from mm2energon.remote import Place

_BLOCK_BYTES = 1 << 20


class Placed(NamedTuple):
    """Entries that stand together in a file, and where: one line, or some items of an array."""

    #: Bytes before the first of them, and up to behind the last one.
    start: int
    end: int
    #: What the first of them is called in its origin: its line from 1, or its place in the array from 0.
    number: int
    by_lines: bool
    entries: list[Entry]


def read_placed(path: Place, *, name: str | None = None, max_depth: int = MAX_DEPTH) -> Iterator[Placed]:
    """As `read_entries`, with where they stand, by which `read_again` finds them.

    An entry that breaks off has no end, and is not read again.

    Raises:
        InputError: as `read_entries`.
    """
    name = name or path.name
    with open_entries(path) as (file, by_lines):
        yield from (_placed_lines if by_lines else _placed_values)(file, name, max_depth)


def _placed_lines(file: IO[bytes], name: str, max_depth: int) -> Iterator[Placed]:
    end, decoder = file.tell(), Decoder(max_depth=max_depth)
    for number, line in enumerate(file, start=1):
        start, end = end, end + len(line)
        if entries := list(entries_of_lines((line,), name, decoder, first=number)):
            yield Placed(start, end, number, True, entries)


def _placed_values(file: IO[bytes], name: str, max_depth: int) -> Iterator[Placed]:
    index, end = 0, file.tell()
    try:
        for start, end, values in scan_stretches(file, max_depth=max_depth):  # noqa: B007 (asked for behind the loop)
            yield Placed(start, end, index, False, entries_of_values(values, name, index))
            index += len(values)
    except ValueError as error:
        yield Placed(end, end, index, False, [broken_off(name, index, error)])


def read_again(
    data: bytes, where: Placed, *, name: str, only: int | None = None, max_depth: int = MAX_DEPTH
) -> list[Entry]:
    """The entries of a stretch of a file, from its bytes.

    Args:
        where: what `read_placed` said of it; its entries are not asked for.
        only: which of several is wanted alone; the others cost next to nothing then.
    """
    if only is not None and not where.by_lines:
        with contextlib.suppress(*UNSURE, IndexError):
            return [Entry(f"{name}[{where.number + only}]", quick_item(data, only))]
        return read_again(data, where, name=name, max_depth=max_depth)[only : only + 1]
    if where.by_lines:
        return list(entries_of_lines((data,), name, Decoder(max_depth=max_depth), first=where.number))
    return list(entries_of_array(io.BytesIO(b"[%b]" % data), name, max_depth, first=where.number))


class Stretch(NamedTuple):
    """Lines of a file of JSON lines that stand together."""

    #: Bytes before the first of them, and its number in the file, from 1.
    start: int
    number: int
    #: How many they are; None: all to the end.
    lines: int | None


def stretches_of(path: Place, about_bytes: int) -> Iterator[tuple[Stretch | None, int]]:
    """An annotation file cut into stretches of about so many bytes, with the bytes of each; None for all of a file that
    cannot be cut, such as an array, or is not larger.

    Raises:
        InputError: the file cannot be opened, or is not text in UTF-8.
    """
    with open_entries(path) as (file, by_lines):
        start, number = file.tell(), 1
        size = file.seek(0, os.SEEK_END)
        if not by_lines or size <= about_bytes:
            yield None, size
            return
        file.seek(start)
        while start < size:
            lines = _skip_lines(file, about_bytes)
            end = size if lines is None else file.tell()
            yield Stretch(start, number, lines), end - start
            start, number = end, number + (lines or 0)


def read_stretch(path: Place, stretch: Stretch | None, *, name: str | None = None) -> Iterator[Entry]:
    """As `read_entries`, what stands in a stretch alone; None: in all of the file.

    Raises:
        InputError: as `read_entries`.
    """
    name = name or path.name
    if stretch is None:
        yield from read_entries(path, name=name)
        return
    with opened(path) as file:
        file.seek(stretch.start)
        lines = file if stretch.lines is None else islice(file, stretch.lines)
        yield from entries_of_lines(lines, name, Decoder(), first=stretch.number)


def _skip_lines(file: IO[bytes], about_bytes: int) -> int | None:
    """Read so many bytes, and to the end of the line; how many lines that were, or None where nothing is left."""
    lines = 0
    while about_bytes > 0:
        block = file.read(min(about_bytes, _BLOCK_BYTES))
        if not block:
            return None
        lines += block.count(b"\n")
        about_bytes -= len(block)
    return lines + 1 if file.readline().endswith(b"\n") else None
