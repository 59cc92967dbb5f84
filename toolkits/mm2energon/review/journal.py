"""The journal: every decision as a line of JSON, appended before anybody is told that it is made.

    {"version": 1, "at": "2026-11-21T16:00:00.123Z", "reviewer": "anna", "do": "reject",
     "entries": ["1f0e3dad99908345.0"], "reason": "wrong answer", "source": "train.json"}

One event is one line, also of a million entries, so that it is there as a whole or not at all; of many entries the
identities are packed (`Named.packed`). A last line that is cut off was never answered: it is passed over, and the next
one begins behind a line break. Several processes may append to one journal, and each takes up what the others say, in
the order in which it stands there.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import InputError
from mm2energon.jsonio import dumps, loads
from mm2energon.pipeline.ledger import sha256_of
from mm2energon.review.appending import FLAGS, Appending
from mm2energon.review.facets import digest_of
from mm2energon.review.identities import Named, parsed
from mm2energon.review.model import Identity
from mm2energon.review.moves import MOVED, MOVING, Moves

VERSION = 1
#: Of more entries identities are packed, which costs half the room and a tenth of the time.
_MOST_TEXTS = 1000
#: The places of reviewers, packed.
_REVIEWER = np.dtype("<u2")
_BLOCK_BYTES = 1 << 20


def beside(path: Path, suffix: str) -> Path:
    """`train.json` -> `train.review.jsonl`; a folder `wds` -> `wds.review.jsonl` beside it."""
    return path.with_name((path.name if path.is_dir() else path.stem) + suffix)


class Shares(NamedTuple):
    """Who gets which entries."""

    reviewers: tuple[str, ...]
    #: For each entry the places of its reviewers.
    to: NDArray[np.int32]


class Event(NamedTuple):
    """Something that somebody did."""

    at: str
    reviewer: str
    do: str
    entries: Named
    reason: str = ""
    category: str | None = None
    #: Of an edit: where its line stands in the journal, from which the sample is read again.
    sample_at: tuple[int, int] | None = None
    #: By which the samples of two edits are told apart.
    sample_digest: int = 0
    #: Of `assign`.
    shares: Shares | None = None
    #: The name of the data that somebody had before them; that of journals of before is not known.
    source: str = ""


@dataclass
class Journal:
    """The journal of a review, which need not be there yet."""

    path: Path
    #: Up to where it has been read.
    offset: int = 0
    #: Which file that was.
    file_number: int | None = None
    #: Lines that are none of ours: torn, or damaged.
    passed_over: int = 0
    #: What entries are called that were renamed; and whether that has happened since it was opened.
    moves: Moves = field(default_factory=Moves)
    was_moved: bool = False
    _lines: int = field(default=0, repr=False)

    def news(self) -> Iterator[Event]:
        """What has been appended since; the end of a line that is still being written waits.

        Raises:
            InputError: the journal is of a newer mm2energon.
            OSError: it cannot be read.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | FLAGS)
        except FileNotFoundError:
            return
        with os.fdopen(descriptor, "rb", buffering=_BLOCK_BYTES) as file:
            self.file_number = os.fstat(file.fileno()).st_ino
            if not self.offset:
                self.moves.read(file)
            file.seek(self.offset)
            for line in file:
                if not line.endswith(b"\n") and not _is_whole(line):
                    return
                start = self.offset
                event = self._event(line, start)
                self.offset = start + len(line)  # not before: of a newer version it is told each time
                if event is not None and event.do in (MOVING, MOVED):
                    self.was_moved |= event.do == MOVED and start >= self.moves.end
                elif event is not None:
                    yield event._replace(entries=self.moves.now(event.entries, start))

    def complete_move(self, source: Path) -> None:
        """Say that a source was rewritten, where whoever did it was killed before that could be said.

        Raises:
            OSError: that cannot be saved.
        """
        moves = Moves()
        try:
            with self.path.open("rb") as file:
                moves.read(file)
        except FileNotFoundError:
            return
        if moves.pending is not None and moves.pending.sha256 == sha256_of(source):
            with Appending(self.path) as journal:
                journal.add(event_line(MOVED, [], ""))

    def is_another(self) -> bool:
        """Whether the file is not the one that was read: removed, exchanged, or shorter than it was."""
        try:
            about = self.path.stat()
        except FileNotFoundError:
            return self.offset > 0
        return self.file_number is not None and (about.st_ino != self.file_number or about.st_size < self.offset)

    def has_news(self) -> bool:
        """Whether anything was appended."""
        try:
            return self.path.stat().st_size > self.offset
        except FileNotFoundError:
            return False

    def _event(self, line: bytes, start: int) -> Event | None:
        try:
            value = loads(line)
        except ValueError:
            value = None
        if isinstance(value, Mapping) and isinstance(value.get("version"), int) and value["version"] > VERSION:
            raise InputError(
                f"{self.path}: decisions of version {value['version']}; up to {VERSION} was expected; "
                "a newer mm2energon wrote them, and can read them"
            )
        event = _read(value, (start, len(line)))
        if event is None and line.strip():
            self.passed_over += 1
        return event

    def sample(self, place: tuple[int, int]) -> Mapping[str, Any]:
        """The entry of an edit.

        Raises:
            InputError: it is not there any more.
        """
        start, length = place
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                value = loads(file.read(length))
                sample: Mapping[str, Any] = value["sample"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path}: an edit at byte {start} cannot be read ({error}); open it again") from error
        return sample


def _is_whole(line: bytes) -> bool:
    """Whether a line without an end lacks nothing else: no beginning of an object is one."""
    try:
        return isinstance(loads(line), Mapping)
    except ValueError:
        return False


def _read(value: Any, place: tuple[int, int]) -> Event | None:
    """An event from its JSON; None for what is none."""
    if not isinstance(value, Mapping):
        return None
    texts = [value.get(name, "") for name in ("at", "reviewer", "do", "reason", "source")]
    category = value.get("category")
    if not all(isinstance(text, str) for text in texts):
        return None
    try:
        entries = parsed(value.get("entries"))
    except ValueError:
        return None
    at, reviewer, do, reason, source = texts
    sample = value.get("sample")
    event = Event(at, reviewer, do, entries, reason, category if isinstance(category, str) else None, source=source)
    if isinstance(sample, Mapping):
        event = event._replace(sample_at=place, sample_digest=digest_of(dumps(sample)))
    return event if do != "assign" else event._replace(shares=_shares(value, len(entries)))


def _shares(value: Mapping[str, Any], entries: int) -> Shares | None:
    reviewers = value.get("reviewers")
    if not isinstance(reviewers, list) or not all(isinstance(name, str) for name in reviewers):
        return None
    try:
        to = _dealt(value.get("to"))
    except (ValueError, TypeError, OverflowError):
        return None
    if (reviewers and not len(to)) or not entries or len(to) % entries:
        return None
    if ((to < 0) | (to >= len(reviewers))).any():
        return None
    return Shares(tuple(reviewers), to.reshape(entries, -1))


def _dealt(to: Any) -> NDArray[np.int32]:
    """Places of reviewers, from a list, or packed."""
    if isinstance(to, str):
        return np.frombuffer(base64.b64decode(to, validate=True), _REVIEWER).astype(np.int32)
    if not isinstance(to, list) or not all(isinstance(one, int) for one in to):
        raise ValueError("no places of reviewers")
    return np.array(to, np.int32)


def now() -> str:
    """The time as it stands in journals."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_line(do: str, entries: Named | list[Identity], reviewer: str, **more: Any) -> bytes:
    """An event as a line; of what is given besides, what is there."""
    named: Any = entries
    if isinstance(entries, Named):
        named = entries.as_texts() if len(entries) <= _MOST_TEXTS else entries.packed()
    value = {"version": VERSION, "at": now(), "reviewer": reviewer, "do": do, "entries": named}
    given = {name: one for name, one in more.items() if one is not None and (one != "" or name == "category")}
    return dumps({**value, **given}) + b"\n"


def told_of_shares(to: NDArray[np.int32]) -> list[int] | str:
    """The places of reviewers as an event of `assign` has them."""
    if len(to) <= _MOST_TEXTS:
        told: list[int] = to.tolist()
        return told
    return base64.b64encode(to.astype(_REVIEWER).tobytes()).decode("ascii")
