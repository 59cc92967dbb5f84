"""Model: the words of reviewing, as data: what is asked for, what is shown, and what is exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm2energon.sample import Sample

Kind = Literal["json", "csv", "shards"]

PENDING, ACCEPTED, REJECTED, DISPUTED = "pending", "accepted", "rejected", "disputed"
#: All that an entry can be, in the order of their numbers.
STATUSES = (PENDING, ACCEPTED, REJECTED, DISPUTED)

#: What a reviewer can do with entries. `edit` brings a sample or a category, and accepts; `reset` takes everything back
#: to the beginning; `settle-...` decides for all reviewers where they disagree, by anybody.
DOES = ("accept", "reject", "edit", "reset", "settle-accept", "settle-reject")

MEDIUMS = ("image", "video", "audio", "none")

#: By what a view can be sorted; with `-` in front, the other way round.
SORTS = ("number", "category", "status", "words", "question words", "answer words", "turns", "decided")

#: Identities of entries of the same content differ in their occurrence: `<16 hex digits>.<occurrence>`.
Identity = str


@dataclass(frozen=True)
class Filter:
    """Which entries are asked for: those for which all that is given here holds; of several values, one of them."""

    status: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    #: Words that all stand somewhere in the entry, whatever their case; "several words" in quotes stand together.
    text: str = ""
    #: Of MEDIUMS.
    medium: tuple[str, ...] = ()
    #: Reason codes (`errors.REASONS`) of which the entry has one.
    warning: tuple[str, ...] = ()
    edited: bool | None = None
    #: Who has decided on it.
    reviewer: str | None = None
    #: Whose share it is.
    assigned_to: str | None = None
    #: Whose share it is who has not decided on it.
    left_to: str | None = None
    #: Whether only those are meant of whose content, or question and answer on the same media, there is another.
    duplicates: bool = False
    #: Reasons that were given.
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class View:
    """Entries that a filter chose, in order; it stays as it is while decisions are made."""

    id: str
    #: Numbers of entries, int32.
    numbers: NDArray[np.int32]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class Row:
    """An entry in a list."""

    number: int
    identity: Identity
    origin: str
    status: str
    edited: bool
    category: str
    #: The beginnings of the first user turn and of the first assistant turn; of a broken entry, of its text.
    question: str
    answer: str
    turns: int
    #: Kind -> how many: `{"image": 0, "video": 1, "audio": 0}`.
    media: Mapping[str, int]
    #: Reason codes.
    warnings: tuple[str, ...]
    #: What was said with the decision.
    reason: str
    #: Reviewer -> status, of those who have decided.
    by_reviewer: Mapping[str, str]
    assigned_to: tuple[str, ...]


class Past(NamedTuple):
    """Something that was done to an entry."""

    #: UTC, as ISO 8601.
    at: str
    reviewer: str
    do: str
    reason: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one reviewer has decided on an entry."""

    status: str
    reason: str
    #: As they have it: changed, or that of the source.
    category: str
    #: As they edited it; None where they left it as it stands in the source.
    sample: Sample | None


@dataclass(frozen=True, slots=True)
class Item:
    """All that is known of an entry."""

    number: int
    identity: Identity
    origin: str
    #: As edited, and as it stands in the source; None where it cannot be read (see `error`).
    sample: Sample | None
    original: Sample | None
    #: The raw value; of one that is no JSON, its text; of shards, the json of the record.
    entry: Any
    #: (reason code, message) where the entry is no sample.
    error: tuple[str, str] | None
    status: str
    edited: bool
    reason: str
    category: str
    #: The name of its format; empty where there is none.
    format: str
    warnings: tuple[str, ...]
    #: Of a CSV: column -> value, further columns too.
    fields: Mapping[str, str]
    #: The oldest first.
    history: tuple[Past, ...]
    #: Place in the history -> the sample as it was edited then; of many edits, the last ones.
    edits: Mapping[int, Sample]
    by_reviewer: Mapping[str, str]
    #: Reviewer -> what they say, of the same reviewers.
    opinions: Mapping[str, Opinion]
    assigned_to: tuple[str, ...]
    #: Whether the reviewer who asked can undo and redo.
    can_undo: bool
    can_redo: bool


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An entry with what was decided, for export."""

    number: int
    identity: Identity
    origin: str
    #: As edited; None where it cannot be read.
    sample: Sample | None
    error: tuple[str, str] | None
    edited: bool
    category: str
    status: str
    reason: str
    #: Of a CSV: column -> value as it stands there, further columns too.
    fields: Mapping[str, str] = field(default_factory=dict)
    #: The raw value; of one that is no JSON, or no row, its text.
    entry: Any = None
    #: What stands behind it in its source cannot be read.
    breaks_off: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """What has happened since somebody asked last."""

    #: To be given with the next question.
    since: int
    #: Numbers of entries that were decided on, each once.
    numbers: tuple[int, ...]
    #: Entries that can be shown now.
    count: int
    is_indexed: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree on the entries that both have decided."""

    reviewers: tuple[str, str]
    #: Entries that both have decided.
    count: int
    #: What can be decided, in the order of the table.
    labels: tuple[str, ...]
    #: Row: the first reviewer's; column: the second one's; counts of entries.
    table: tuple[tuple[int, ...], ...]
    #: Share of entries decided alike, 0 to 1; None without any.
    agreement: float | None
    #: Cohen's kappa; None where it is not defined, and then why.
    kappa: float | None
    undefined: str = ""


@dataclass(frozen=True, slots=True)
class Alike:
    """Other entries that are like one; numbers."""

    same_entry: tuple[int, ...]
    same_media: tuple[int, ...]
    same_question: tuple[int, ...]
    #: Question and answer, all turns.
    same_text: tuple[int, ...]

    def groups(self) -> dict[str, tuple[int, ...]]:
        """By what people call them, without those that are empty."""
        named = {
            "same entry": self.same_entry,
            "same media": self.same_media,
            "same question": self.same_question,
            "same text": self.same_text,
        }
        return {name: numbers for name, numbers in named.items() if numbers}
