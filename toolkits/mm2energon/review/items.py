"""Items: entries as they are shown, row by row or one with all that is known of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from mm2energon.errors import InputError, SampleError
from mm2energon.review.decisions import PENDING_NUMBER
from mm2energon.review.editing import edited, still_wrong
from mm2energon.review.entries import Read
from mm2energon.review.facets import MEDIA_CODES, without_tags
from mm2energon.review.model import STATUSES, Item, Opinion, Past, Reviewed, Row
from mm2energon.review.tables import NONE
from mm2energon.review.views import State
from mm2energon.sample import Sample

_SHOWN_CHARACTERS = 200
#: Of an entry, so many edits are told.
_MOST_EDITS = 20


class _Now(NamedTuple):
    """An entry as it stands now."""

    read: Read
    sample: Sample | None
    error: SampleError | None


def rows_of(state: State, numbers: Sequence[int]) -> list[Row]:
    """Rows of a list.

    Raises:
        InputError: the source has changed.
    """
    identities = state.entries.identities.of(np.array(numbers, np.int32))
    read = state.entries.read(numbers)
    return [
        _row(state, number, identity, _now(state, number, one))
        for number, identity, one in zip(numbers, identities, read, strict=True)
    ]


def _row(state: State, number: int, identity: str, now: _Now) -> Row:
    question, answer = _excerpts(now)
    sample = now.sample
    media = ("image", "video", "audio")
    sizes = (0, 0, 0) if sample is None else (len(sample.images), len(sample.videos), len(sample.audios))
    return Row(
        number=number,
        identity=identity,
        origin=now.read.found.entry.origin,
        status=STATUSES[state.book.standing.status[number]],
        edited=state.book.standing.is_edited(number),
        category=category_of(state, number, now.read),
        question=question,
        answer=answer,
        turns=0 if sample is None else len(sample.turns),
        media=dict(zip(media, sizes, strict=True)),
        warnings=warnings_of(state, number, now.read),
        reason=reason_of(state, number),
        by_reviewer=by_reviewer(state, number),
        assigned_to=assigned_to(state, number),
    )


def _excerpts(now: _Now) -> tuple[str, str]:
    if now.sample is None:
        value = now.read.found.entry.value
        return _excerpt(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)), ""
    question, answer = (
        next((turn.text for turn in now.sample.turns if turn.role == role), "") for role in ("user", "assistant")
    )
    return _excerpt(question), _excerpt(answer)


def _excerpt(text: str) -> str:
    short = " ".join(without_tags(text[: 4 * _SHOWN_CHARACTERS]).split())[:_SHOWN_CHARACTERS]
    return short.encode("utf-8", "replace").decode("utf-8")


def item_of(state: State, number: int, reviewer: str) -> Item:
    """All that is known of an entry.

    Raises:
        InputError: the source has changed.
    """
    now = _now(state, number, state.entries.read([number])[0])
    loaded, entry = now.read.loaded, now.read.found.entry
    can_undo, can_redo = state.book.decisions.can_go(reviewer, number)
    return Item(
        number=number,
        identity=state.entries.identities.of(np.array([number], np.int32))[0],
        origin=entry.origin,
        sample=now.sample,
        original=loaded.sample,
        entry=entry.value,
        error=_told(now.error),
        status=STATUSES[state.book.standing.status[number]],
        edited=state.book.standing.is_edited(number),
        reason=reason_of(state, number),
        category=category_of(state, number, now.read),
        format=loaded.format,
        warnings=warnings_of(state, number, now.read),
        fields=now.read.found.fields,
        history=history_of(state, number),
        edits=edits_of(state, number, now.read),
        by_reviewer=by_reviewer(state, number),
        opinions=opinions_of(state, number, now.read),
        assigned_to=assigned_to(state, number),
        can_undo=can_undo,
        can_redo=can_redo,
    )


def reviewed_of(state: State, numbers: Sequence[int]) -> list[Reviewed]:
    """Entries for export.

    Raises:
        InputError: the source has changed.
    """
    found = []
    identities = state.entries.identities.of(np.array(numbers, np.int32))
    for number, identity, read in zip(numbers, identities, state.entries.read(numbers), strict=True):
        now = _now(state, number, read)
        found.append(
            Reviewed(
                number=number,
                identity=identity,
                origin=read.found.entry.origin,
                sample=now.sample,
                error=_told(now.error),
                edited=state.book.standing.is_edited(number),
                category=category_of(state, number, read),
                status=STATUSES[state.book.standing.status[number]],
                reason=reason_of(state, number),
                fields=read.found.fields,
                entry=read.found.entry.value,
                breaks_off=read.found.entry.breaks_off,
            )
        )
    return found


def sample_now(state: State, number: int) -> tuple[Sample | None, Sample | None]:
    """A sample as edited, and as it stands in the source.

    Raises:
        InputError: the source has changed.
    """
    now = _now(state, number, state.entries.read([number])[0])
    return now.sample, now.read.loaded.sample


def _now(state: State, number: int, read: Read) -> _Now:
    sample = _edited_in(state, int(state.book.standing.edit[number]), read)
    if sample is None:
        return _Now(read, read.loaded.sample, read.loaded.error)
    return _Now(read, sample, still_wrong(read.loaded.error, sample))


def _edited_in(state: State, event: int, read: Read) -> Sample | None:
    """The sample as an event has edited it; None where there is no such event, or no edit in it."""
    place = None if event == NONE else state.book.decisions.events[event].sample_at
    if place is None:
        return None
    return edited(read.loaded.sample, state.book.journal.sample(place), origin=read.found.entry.origin)


def _told(error: SampleError | None) -> tuple[str, str] | None:
    return None if error is None else (error.code, str(error))


def category_of(state: State, number: int, read: Read) -> str:
    """The category of an entry, as a reviewer has changed it, or its own."""
    given = int(state.book.standing.category[number])
    return read.category if given == NONE else state.book.decisions.categories.all[given]


def warnings_of(state: State, number: int, read: Read) -> tuple[str, ...]:
    """The reason codes of an entry's warnings as it stands in the source, with its media as they are now."""
    codes = state.entries.words.codes(int(state.entries.held["warnings"][number]))
    return (*(code for code in codes if code not in MEDIA_CODES), *read.missing)


def reason_of(state: State, number: int) -> str:
    """What was said with the decision."""
    return state.book.decisions.reasons.all[int(state.book.standing.reason[number])]


def by_reviewer(state: State, number: int) -> dict[str, str]:
    """Reviewer -> status, of those who have decided."""
    status = state.book.decisions.log["status"]
    return {name: STATUSES[status[row]] for name, row in _rows_by_reviewer(state, number).items()}


def opinions_of(state: State, number: int, read: Read) -> dict[str, Opinion]:
    """Reviewer -> what they have decided, with the sample as they edited it."""
    return {name: _opinion(state, row, read) for name, row in _rows_by_reviewer(state, number).items()}


def _opinion(state: State, row: int, read: Read) -> Opinion:
    decisions = state.book.decisions
    category = int(decisions.log["category"][row])
    return Opinion(
        status=STATUSES[decisions.log["status"][row]],
        reason=decisions.events[decisions.log["event"][row]].reason,
        category=read.category if category == NONE else decisions.categories.all[category],
        sample=_edited_in(state, int(decisions.log["edit"][row]), read),
    )


def _rows_by_reviewer(state: State, number: int) -> dict[str, int]:
    """Reviewer -> the row of the log where they stand with an entry, of those who have decided."""
    decisions = state.book.decisions
    rows = {name: int(track.at[number]) for name, track in decisions.tracks.items()}
    status = decisions.log["status"]
    return {name: row for name, row in rows.items() if row != NONE and status[row] != PENDING_NUMBER}


def assigned_to(state: State, number: int) -> tuple[str, ...]:
    """Whose share an entry is."""
    return tuple(name for name, share in state.book.decisions.shares.items() if share[number])


def history_of(state: State, number: int) -> tuple[Past, ...]:
    """What was done to an entry, the oldest first."""
    events = state.book.decisions.events
    done = (events[event] for event in _events_of(state, number))
    return tuple(Past(one.at, one.reviewer, one.do, one.reason) for one in done)


def edits_of(state: State, number: int, read: Read) -> dict[int, Sample]:
    """Place in the history -> the sample as it was edited then, also of edits that hold no more."""
    events = state.book.decisions.events
    places = [(place, event) for place, event in enumerate(_events_of(state, number)) if events[event].sample_at]
    found: dict[int, Sample] = {}
    for place, event in places[-_MOST_EDITS:]:
        with suppress(InputError):  # one that is none is told of where it holds
            if (sample := _edited_in(state, event, read)) is not None:
                found[place] = sample
    return found


def _events_of(state: State, number: int) -> list[int]:
    log = state.book.decisions.log
    found: list[int] = log["event"][np.flatnonzero(log["number"] == number)].tolist()
    return found
