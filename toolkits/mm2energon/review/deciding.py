"""Deciding: what somebody wants to be done to entries, checked, and made an event of the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mm2energon.errors import InputError
from mm2energon.review.assignment import dealt, shuffled
from mm2energon.review.editing import as_entry, as_read_of_row, says_the_same
from mm2energon.review.items import sample_now
from mm2energon.review.journal import event_line, told_of_shares
from mm2energon.review.model import ACCEPTED, DOES, STATUSES
from mm2energon.review.tables import NONE, Ints, distinct
from mm2energon.review.views import State, category_mask
from mm2energon.sample import Sample

_ACCEPTING = ("accept", "edit", "settle-accept")
_MOST_CHARACTERS = 10_000


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to be done."""

    do: str
    reviewer: str = ""
    reason: str = ""
    #: As edited.
    sample: Sample | None = None
    category: str | None = None


def check_wanted(wanted: Wanted, count: int) -> None:
    """Look at what is wanted of so many entries.

    Raises:
        InputError: it is nothing that can be done.
    """
    if wanted.do not in DOES:
        raise InputError(f"decision {wanted.do!r}: there is none of that name; one of {', '.join(DOES)} was expected")
    if wanted.sample is not None and (count > 1 or wanted.do not in _ACCEPTING):
        raise InputError("a sample is edited one at a time, and accepted with it; leave out the sample")
    if wanted.do == "edit" and wanted.sample is None and wanted.category is None:
        raise InputError("an edit without a sample or a category: one of them was expected; use accept")
    texts = (wanted.reviewer, wanted.reason, wanted.category or "")
    if any(len(text) > _MOST_CHARACTERS or not _is_text(text) for text in texts):
        raise InputError(f"a reviewer, reason or category of up to {_MOST_CHARACTERS} characters of text was expected")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\n" not in text


def numbers_in(numbers: Sequence[int] | Ints, count: int) -> Ints:
    """Numbers of entries, in order, each once.

    Raises:
        InputError: there is no such entry.
    """
    try:
        found = distinct(np.asarray(numbers, np.int64))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"numbers of entries were expected ({error})") from error
    if len(found) and (found[0] < 0 or found[-1] >= count):
        wrong = found[0] if found[0] < 0 else found[-1]
        raise InputError(f"entry {wrong}: there is none of that number; 0 to {count - 1} was expected")
    return found.astype(np.int32)


def decision(state: State, wanted: Wanted, numbers: Ints) -> tuple[Ints, bytes]:
    """The entries that a decision changes, and its event.

    Raises:
        InputError: an edit that is none, or the source has changed.
    """
    do, entry = wanted.do, None
    category = None if wanted.category is None else " ".join(wanted.category.split())
    if category is not None and category_mask(state, category)[numbers].all():
        category = None  # it is that already
    if wanted.sample is not None and len(numbers):
        now, original = sample_now(state, int(numbers[0]))
        sample = wanted.sample if state.entries.source.kind != "csv" else as_read_of_row(wanted.sample)
        # What is chosen for all is written down even where it stands now: it holds whatever reviewers do later.
        if do == "settle-accept" or not says_the_same(sample, now):
            entry = as_entry(sample, original)
    if do == "edit" and entry is None and category is None:
        do = "accept"
    if entry is None and category is None:
        status = state.book.standing.status[numbers]
        numbers = numbers[state.book.decisions.would_change(do, numbers, wanted.reviewer, wanted.reason, status)]
    identities = state.entries.identities.named(numbers)
    more = {"reason": wanted.reason, "sample": entry, "category": category, "source": state.entries.source.name}
    return numbers, event_line(do, identities, wanted.reviewer, **more)


def going(state: State, reviewer: str, numbers: Ints, *, back: bool) -> tuple[Ints, bytes]:
    """The entries of which something can be undone, or redone, and the event."""
    found = state.book.decisions.moves(reviewer, numbers, back=back)
    do, source = "undo" if back else "redo", state.entries.source.name
    return found, event_line(do, state.entries.identities.named(found), reviewer, source=source)


def assigning(
    state: State, numbers: Ints, reviewers: Sequence[str], *, per_entry: int, seed: int
) -> tuple[Mapping[str, int], bytes]:
    """How many entries each reviewer gets, and the event.

    Raises:
        InputError: as of `dealt`.
    """
    to = dealt(len(numbers), reviewers, per_entry=per_entry, seed=seed)
    order = shuffled(numbers, seed)
    counts = np.bincount(to.ravel(), minlength=len(reviewers)).tolist()
    more = {"reviewers": list(reviewers), "to": told_of_shares(to.ravel()), "seed": seed}
    more["source"] = state.entries.source.name
    line = event_line("assign", state.entries.identities.named(order), "", **more)
    return dict(zip(reviewers, counts, strict=True)), line


def labels_of(state: State, numbers: Ints, reviewer: str, *, edits_apart: bool) -> Ints:
    """What a reviewer said of entries, as places among the labels."""
    decisions = state.book.decisions
    rows = decisions.tracks[reviewer].at[numbers]
    is_accepted = decisions.of_rows(rows, "status", 0) == STATUSES.index(ACCEPTED)
    if not edits_apart:
        return np.where(is_accepted, 0, 1).astype(np.int32)
    is_edited = decisions.of_rows(rows, "edit", NONE) != NONE
    return np.where(is_accepted, np.where(is_edited, 1, 0), 2).astype(np.int32)
