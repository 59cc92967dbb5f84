"""A CSV of questions about videos, as a source.

    index,video_file_path,question,category,answer,status
    1,clips/8.mp4,What is it?,objects,A cat.,accepted

Columns stand in any order, in any letter case, with others beside them; the header shows whether fields are parted by
`,` `;` `|` or tabs. Before it a line `sep=;` may stand, as Excel reads it. A row that is none (a quote that nobody
closes, too many fields) costs itself alone.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from mm2energon.errors import InputError, SampleError
from mm2energon.formats.media import plain_path
from mm2energon.formats.pairs import pair
from mm2energon.jsonio import Entry, dumps
from mm2energon.review.csv_rows import Record, Writing, record_of, records
from mm2energon.review.model import ACCEPTED, DISPUTED, PENDING, REJECTED, Kind
from mm2energon.review.sources import Found, Loaded, Place, changed, opened, stamp_of
from mm2energon.sample import Sample

DELIMITERS = (",", ";", "\t", "|")
#: What a column is for -> the names that it goes by, small and with `_`.
COLUMNS: dict[str, tuple[str, ...]] = {
    "index": ("index", "id"),
    "video": ("video_file_path", "video_path", "video_file", "video"),
    "question": ("question",),
    "category": ("category",),
    "answer": ("answer",),
    "status": ("status",),
}
NEEDED = ("video", "question", "answer")
#: What stands in a status column, in small letters.
STATUS_WORDS = {
    **dict.fromkeys(("accepted", "accept", "approved", "edited"), ACCEPTED),
    **dict.fromkeys(("rejected", "reject", "declined"), REJECTED),
}
#: What stands there where nobody has decided.
_NO_DECISION = ("", PENDING, DISPUTED)
#: Names of further columns that would say something else in an entry, of ours or of a trainer.
_MEANT = frozenset(
    [
        "image",
        "images",
        "video",
        "videos",
        "audio",
        "audios",
        "conversation",
        "conversations",
        "messages",
        "system",
        "system_prompt",
        "tools",
        "objects",
        "label",
        "rejected_response",
        "stream",
        "length",
        "clip",
    ]
)
_LINE_END = re.compile(rb"\r*\n|\r")
_BOM = b"\xef\xbb\xbf"
#: A first line by which Excel is told what parts the fields.
_SEPARATOR_LINE = re.compile(rb'"?sep=(?:.|\t)"?[,;|\t]*(?:\r\n|\r|\n)', re.IGNORECASE)
_HEAD_BYTES = 1 << 20


class Shape(NamedTuple):
    """How a CSV is written."""

    delimiter: str
    #: The names of its columns, as they stand there; of several that are the same the later ones have a number.
    header: tuple[str, ...]
    #: What a column is for (of COLUMNS) -> its place.
    places: Mapping[str, int]
    has_bom: bool
    #: Between lines: `\\r\\n`, `\\n` or `\\r`.
    line_end: str
    #: Bytes before the first row, and the line that it stands on.
    start: int
    line: int

    @property
    def writing(self) -> Writing:
        """How its rows are written."""
        return Writing(self.delimiter, self.line_end, len(self.header))


def read_shape(path: Path) -> Shape | None:
    """How a CSV is written; None for a file that holds nothing.

    Raises:
        InputError: it is no text in UTF-8, or has not the columns of a review.
    """
    with opened(path) as file:
        head = file.read(_HEAD_BYTES)
        if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head[:4] or head[:4] == b"PK\3\4":
            raise InputError(
                f"{path}: UTF-16, a spreadsheet, or no text at all; a CSV in UTF-8 was expected; save it as such, or "
                "convert it with: iconv -f utf-16 -t utf-8"
            )
        has_bom = head.startswith(_BOM)
        first = _LINE_END.search(head)
        line_end = first[0][-2:].decode() if first else "\n"
        begin = len(_BOM) if has_bom else 0
        told = _SEPARATOR_LINE.match(head, begin)
        begin, line = (told.end(), 2) if told else (begin, 1)
        for delimiter in sorted(DELIMITERS, key=lambda mark: -_fitting(head[begin:], mark)):
            writing = Writing(delimiter, line_end)
            record = next(records(file, begin, line, writing), None)
            if record is None:
                return None
            names = [one.strip() for one in record.fields]
            places = _places(path, names)
            line = record.line + _lines_of(file, record, line_end)
            return Shape(delimiter, _told_apart(names), places, has_bom, line_end, record.end, line)
    return None


def _lines_of(file: IO[bytes], record: Record, line_end: str) -> int:
    file.seek(record.start)
    return max(1, file.read(record.end - record.start).count(line_end.encode()))


def _fitting(head: bytes, delimiter: str) -> int:
    """How many columns that are known the first line has, if it is parted by a delimiter."""
    text = head.decode("utf-8", "replace").lstrip()
    known = {name for names in COLUMNS.values() for name in names}
    first = next(csv.reader(text.splitlines()[:1], delimiter=delimiter), [])
    return len(known.intersection(map(_plain, first)))


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """The names of columns, of which one may stand there twice: `notes`, `notes (2)`."""
    found: list[str] = []
    for name in names:
        own, number = name, 1
        while own in found:
            number += 1
            own = f"{name} ({number})"
        found.append(own)
    return tuple(found)


def _places(path: Path, names: Sequence[str]) -> dict[str, int]:
    plain = [_plain(name) for name in names]
    ours = {name for known in COLUMNS.values() for name in known}
    twice = [name for name in plain if name in ours and plain.count(name) > 1]
    if twice:
        raise InputError(f"{path}: two columns are called {twice[0]!r}; each name once was expected; rename one")
    places = {
        what: next(plain.index(name) for name in known if name in plain)
        for what, known in COLUMNS.items()
        if any(name in plain for name in known)
    }
    missing = [COLUMNS[what][0] for what in NEEDED if what not in places]
    if missing:
        raise InputError(
            f"{path}: its first line has the columns {', '.join(names)[:200] or 'none'}; {' and '.join(missing)} "
            "were expected, too, parted by a comma, semicolon, tab or |; mend the header"
        )
    return places


class CsvSource:
    """A CSV file, whose status column is where decisions begin. A row is known by its video, question and answer, so
    that decisions stay with it where a spreadsheet adds, sorts or fills columns, or writes line ends otherwise."""

    kind: Kind = "csv"

    def __init__(self, path: Path, *, name: str | None = None) -> None:
        """
        Raises:
            InputError: as of `read_shape`.
        """
        self.path = path
        self.name = name or path.name
        self.size = stamp_of(path)[0]
        self.shape = read_shape(path)
        self._further = {} if self.shape is None else _further(self.shape)

    def stamp(self) -> tuple[Any, ...]:
        """As of `Source`."""
        return stamp_of(self.path)

    def reached(self, place: Place) -> int:
        """As of `Source`."""
        return place.start + place.length

    def found(self) -> Iterator[Found]:
        """As of `Source`."""
        if (shape := self.shape) is None:
            return
        with opened(self.path) as file:
            for record in records(file, shape.start, shape.line, shape.writing):
                yield self._found(record, shape)

    def read(self, places: Sequence[Place]) -> list[Found]:
        """As of `Source`."""
        if not places:
            return []
        if (shape := self.shape) is None:
            raise changed(self.path)
        found = []
        with opened(self.path) as file:
            for place in places:
                file.seek(place.start)
                text = file.read(place.length).decode("utf-8", "surrogateescape")
                record = record_of(text, place.start, place.position, place.length, shape.writing)
                found.append(self._found(record, shape))
        return found

    def _found(self, record: Record, shape: Shape) -> Found:
        origin = f"{self.name}:{record.line}"
        place = Place(record.start, record.end - record.start, record.line)
        if record.fault:
            what = f"{origin}: no row of a CSV ({record.fault}); one field for each column was expected; mend it"
            return Found(place, Entry(origin, record.text, SampleError(what, "bad-row")))
        row = [*record.fields, *[""] * len(shape.header)]
        fields = dict(zip(shape.header, row, strict=False))
        return Found(place, Entry(origin, fields), fields)

    def value(self, fields: Mapping[str, str], what: str) -> str:
        """What a row has in a column of COLUMNS; nothing where there is no such column."""
        if self.shape is None or what not in self.shape.places:
            return ""
        return fields.get(self.shape.header[self.shape.places[what]], "")

    def unknown_status(self, fields: Mapping[str, str]) -> str:
        """What a row has in its status column, where it is no decision that is known; nothing otherwise."""
        written = self.value(fields, "status").strip()
        return "" if written.casefold() in (*STATUS_WORDS, *_NO_DECISION) else written

    def load(self, found: Found) -> Loaded:
        """As of `Source`; a row that lacks a field is a sample with an error, which an edit may mend."""
        if found.entry.error is not None:
            return Loaded(None, found.entry.error, "csv")
        origin, fields = found.entry.origin, found.fields
        video, question, answer = (self.value(fields, what).replace("\r\n", "\n") for what in NEEDED)
        rest: dict[str, Any] = {key: fields[name] for name, key in self._further.items() if fields.get(name)}
        if category := self.value(fields, "category"):
            rest["category"] = category
        path = plain_path(video.strip())
        sample = Sample(
            turns=pair(question, answer),
            videos=(path,) if path else (),
            id=self.value(fields, "index") or None,
            extra=rest,
            origin=origin,
        )
        return Loaded(sample, _fault_of(origin, path, question, answer), "csv")

    def content(self, found: Found) -> bytes:
        """As of `Source`."""
        if not found.fields or self.shape is None:
            return dumps(found.entry.value)
        return dumps([self.value(found.fields, what).replace("\r\n", "\n") for what in NEEDED])


def _further(shape: Shape) -> dict[str, str]:
    """The columns that are not ours, and the keys of entries that they become; those without a name become none."""
    known = {shape.header[place] for place in shape.places.values()}
    names = [name for name in shape.header if name not in known and name[:1].strip()]
    return {name: f"csv_{name}" if name.casefold() in _MEANT else name for name in names}


def _fault_of(origin: str, video: str, question: str, answer: str) -> SampleError | None:
    """What a row lacks, or that its text is no text."""
    texts = {"video": video, "question": question, "answer": answer}
    missing = [COLUMNS[what][0] for what, text in texts.items() if not text.strip()]
    if missing:
        what = f"{origin}: no {' and no '.join(missing)}; all three were expected; fill it in"
        return SampleError(what, "missing-field")
    if not all(text.isascii() or _is_text(text) for text in texts.values()):
        what = f"{origin}: bytes that are not UTF-8; convert the file with: iconv -f windows-1252 -t utf-8"
        return SampleError(what, "not-unicode")
    return None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
