"""A CSV is brought up to what was decided: status, and edited texts; all else stays byte for byte.

Cells that change are exchanged in the text of their row, so that delimiter, quotes, line ends, further columns and all
rows that nobody decided on are as they were. What was written is read back and compared before it takes the place of
the file, of which a copy with the time in its name stays.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import zip_longest
from pathlib import Path
from typing import IO

from mm2energon.errors import InputError
from mm2energon.formats.pairs import pair, without_tag
from mm2energon.jsonio import dumps, loads
from mm2energon.pipeline.numbers import unnamed_file
from mm2energon.review.csv_source import STATUS_WORDS, CsvSource, Shape
from mm2energon.review.facets import category_of_value, digest_of
from mm2energon.review.model import DISPUTED, PENDING, Reviewed
from mm2energon.review.sources import Found, changed, stamp_of
from mm2energon.sample import VIDEO_TAG
from mm2energon.storage import naming, sync_folder, temporary_file

#: What the column is called that is added where a CSV has none for the status.
_STATUS = "status"
_DIGEST_BYTES = 16
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@dataclass
class CsvChanges:
    """What rows of a CSV should say from now on, in lines of a file without a name."""

    source: CsvSource
    file: IO[bytes] = field(default_factory=lambda: unnamed_file(None))
    #: Rows that change.
    rows: int = 0
    #: Rows whose status is a decision, and becomes another one.
    turned: int = 0
    #: Origins of rows whose edited turns are more than a question and an answer.
    not_held: list[str] = field(default_factory=list)
    #: Number of a row that says something else, beside its status -> by what it is known from then on.
    digests: dict[int, int] = field(default_factory=dict)
    #: Size and time of the CSV from which the updated one was made.
    stamp: tuple[int, int] | None = None

    def add(self, one: Reviewed) -> None:
        """Note what becomes of a row; one that has its decision already, or none, stays as it is."""
        if not one.fields:
            return
        cells, is_held = _cells(one, self.source)
        if not is_held:
            self.not_held.append(one.origin)
        if cells:
            self.file.write(dumps([one.number, _digest(one.fields).hex(), cells]) + b"\n")
            self.rows += 1
            if _STATUS in cells and self._written(one) in STATUS_WORDS:
                self.turned += 1

    def _written(self, one: Reviewed) -> str:
        return self.source.value(one.fields, _STATUS).strip().casefold()

    @property
    def adds_column(self) -> bool:
        """Whether the CSV has no column for the status, and needs one."""
        return self.rows > 0 and self.source.shape is not None and _STATUS not in self.source.shape.places

    def __iter__(self) -> Iterator[tuple[Found, dict[str, str] | None]]:
        """Each row of the CSV, and what its cells become: what a column is for -> text.

        Raises:
            InputError: a row is not what it was.
        """
        self.file.flush()
        self.file.seek(0)
        lines = map(loads, self.file)
        number, digest, cells = next(lines, (-1, "", None))
        for place, found in enumerate(self.source.found()):
            if place != number:
                yield found, None
                continue
            if _digest(found.fields).hex() != digest:
                raise changed(self.source.path)
            yield found, cells
            number, digest, cells = next(lines, (-1, "", None))
        if number >= 0:
            raise changed(self.source.path)

    def require_unchanged(self) -> None:
        """Refuse to take the place of a CSV that somebody else has written to meanwhile.

        Raises:
            InputError: somebody has.
        """
        if self.stamp is not None and stamp_of(self.source.path) != self.stamp:
            raise changed(self.source.path)

    def close(self) -> None:
        """Let go of the file, which is gone then."""
        self.file.close()


def _digest(fields: Mapping[str, str]) -> bytes:
    return blake2b(dumps(list(fields.items())), digest_size=_DIGEST_BYTES).digest()


def _cells(one: Reviewed, source: CsvSource) -> tuple[dict[str, str], bool]:
    """What changes in a row, and whether it can say all that was edited."""
    cells = {}
    written = source.value(one.fields, _STATUS).strip().casefold()
    if one.status not in (DISPUTED, STATUS_WORDS.get(written, PENDING)):
        # As the file has it: Accepted where it says Pending.
        is_large = source.value(one.fields, _STATUS).strip()[:1].isupper()
        cells[_STATUS] = one.status.capitalize() if is_large else one.status
    if not one.edited or one.sample is None:
        return cells, True
    has_category = source.shape is not None and "category" in source.shape.places
    if has_category and one.category != category_of_value(source.value(one.fields, "category")):
        cells["category"] = one.category
    if [turn.role for turn in one.sample.turns] != ["user", "assistant"]:
        return cells, False
    asked, answer = (turn.text for turn in one.sample.turns)
    old_question, old_answer = (source.value(one.fields, what) for what in ("question", "answer"))
    if asked != pair(_one_break(old_question), "")[0].text:
        cells["question"] = asked if VIDEO_TAG in old_question else without_tag(asked)
    if answer != _one_break(old_answer):
        cells["answer"] = answer
    sayable = {what: text for what, text in cells.items() if _is_sayable(text)}
    return sayable, len(sayable) == len(cells)


def _one_break(text: str) -> str:
    return text.replace("\r\n", "\n")


def _is_sayable(text: str) -> bool:
    """Whether a CSV can hold a text: UTF-8, without zero bytes, which readers stumble over."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


@contextmanager
def updated(changes: CsvChanges) -> Iterator[Path]:
    """The CSV as it is to be, complete, under a temporary name beside it, which goes when the block ends.

    Raises:
        InputError: the CSV has changed since it was read, or is read-only.
        OSError: its folder cannot be written to.
    """
    path = changes.source.path.resolve()
    if not path.stat().st_mode & _WRITABLE:
        raise InputError(
            f"{changes.source.path}: is read-only, and {changes.rows} of its rows would change; a file that may be "
            "written to was expected; make it one, or export with --no-update-csv"
        )
    with temporary_file(path.parent) as file, naming(path):
        changes.stamp = stamp_of(path)
        _write(changes, file)
        file.flush()
        os.fsync(file.fileno())
        shutil.copymode(path, file.name)
        _require_same(changes, Path(file.name))
        changes.require_unchanged()
        yield Path(file.name)


def take_place(fresh: Path, path: Path) -> None:
    """Let the updated CSV take the place of the file, or of that which a link leads to."""
    fresh.replace(path.resolve())
    sync_folder(path.resolve().parent)


def _write(changes: CsvChanges, file: IO[bytes]) -> None:
    shape = changes.source.shape
    if shape is None:
        return
    with changes.source.path.open("rb") as old:
        head = old.read(shape.start)
        file.write(_with_column(head, shape) if changes.adds_column else head)
        for found, cells in changes:
            end = found.place.start + found.place.length
            if cells is None:
                continue
            file.write(old.read(found.place.start - old.tell()))
            file.write(_row(old.read(end - old.tell()), cells, shape))
        shutil.copyfileobj(old, file)


def _with_column(head: bytes, shape: Shape) -> bytes:
    """The header with a column for the status."""
    text, line_end = _parted(head.decode("utf-8", "surrogateescape"))
    cells = split_cells(text, shape.delimiter)
    added = _quoted(_STATUS, shape.delimiter, like=cells[-1])
    return f"{text}{shape.delimiter}{added}{line_end}".encode("utf-8", "surrogateescape")


def _row(raw: bytes, wanted: Mapping[str, str], shape: Shape) -> bytes:
    """A row with other texts in some of its cells."""
    text, line_end = _parted(raw.decode("utf-8", "surrogateescape"))
    cells = split_cells(text, shape.delimiter)
    for what, new in wanted.items():
        place = shape.places.get(what, len(shape.header))
        while len(cells) <= place:
            cells.append(_quoted("", shape.delimiter, like=cells[-1]))
        cells[place] = _quoted(_with_breaks(new, cells[place]), shape.delimiter, like=cells[place])
    return (shape.delimiter.join(cells) + line_end).encode("utf-8", "surrogateescape")


def _parted(text: str) -> tuple[str, str]:
    """The text of a row, and the end of its line."""
    body = text.rstrip("\r\n")
    return body, text[len(body) :]


def _with_breaks(text: str, old: str) -> str:
    return text.replace("\n", "\r\n") if "\r\n" in old else text


def split_cells(row: str, delimiter: str) -> list[str]:
    """The cells of a row as they stand there, quotes included, as the `csv` module tells them apart."""
    mark = re.escape(delimiter)
    cell = re.compile(f'(?:"(?:[^"]|"")*"?)?[^{mark}]*')
    cells, place = [], 0
    while True:
        met = cell.match(row, place)
        end = met.end() if met else place
        cells.append(row[place:end])
        if end >= len(row):
            return cells
        place = end + 1


def _quoted(text: str, delimiter: str, *, like: str) -> str:
    """A text as a cell, with quotes where it needs them, or where its neighbour or predecessor has them."""
    if like.startswith('"') or any(mark in text for mark in (delimiter, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text


def _require_same(changes: CsvChanges, fresh: Path) -> None:
    """Read back what was written: every row says what it said, but for what changes.

    Raises:
        InputError: it does not.
    """
    shape, now = changes.source.shape, CsvSource(fresh)
    for number, (row, after) in enumerate(zip_longest(changes, now.found())):
        if shape is None or row is None or after is None or not _says(after, row[0], row[1], shape):
            where = changes.source.name if row is None else row[0].entry.origin
            raise InputError(
                f"{where}: would be another row in the updated CSV, which was therefore left as it is; mend the row "
                "(its quotes, or its number of fields), or export with --no-update-csv"
            )
        if row[1] is not None and row[1].keys() != {_STATUS}:
            changes.digests[number] = digest_of(now.content(after))


def _says(after: Found, found: Found, cells: Mapping[str, str] | None, shape: Shape) -> bool:
    """Whether a row says what it said, but for what changes."""
    if not found.fields:
        return not after.fields and after.entry.value == found.entry.value
    wanted = dict(found.fields)
    for what, text in (cells or {}).items():
        wanted[shape.header[shape.places[what]] if what in shape.places else _STATUS] = text
    return all(_one_break(after.fields.get(name, "")) == _one_break(text) for name, text in wanted.items())
