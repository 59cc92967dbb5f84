"""Standing: where entries stand, all reviewers together: agreed, disputed, settled, or as the source says.

An entry that was given to several reviewers is pending until as many have decided, unless it is settled for all.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mm2energon.review.decisions import ACCEPTED_NUMBER, PENDING_NUMBER, REJECTED_NUMBER, Decisions
from mm2energon.review.model import DISPUTED, STATUSES
from mm2energon.review.tables import NONE, Ints, Mask, Track

_DISPUTED_NUMBER = STATUSES.index(DISPUTED)
#: So many entries are looked at again at a time, for which a few megabytes are enough.
_AT_A_TIME = 1 << 16


class Standing:
    """For each entry its status and whose edit, category and reason hold; kept up with decisions."""

    def __init__(self) -> None:
        #: Of STATUSES; what the source says.
        self.base = np.zeros(0, np.uint8)
        self.status = np.zeros(0, np.uint8)
        #: Number of the event with the sample, of the category, and of the reason; NONE.
        self.edit: Ints = np.zeros(0, np.int32)
        self.category: Ints = np.zeros(0, np.int32)
        self.reason: Ints = np.zeros(0, np.int32)
        #: The last event that counts.
        self.event: Ints = np.zeros(0, np.int32)

    def grow(self, base: NDArray[np.uint8]) -> None:
        """Know of more entries, which stand as the source says."""
        more = base[len(self.base) :]
        self.base, self.status = np.concatenate([self.base, more]), np.concatenate([self.status, more])
        none = np.full(len(more), NONE, np.int32)
        self.edit, self.category, self.event = (
            np.concatenate([one, none]) for one in (self.edit, self.category, self.event)
        )
        self.reason = np.concatenate([self.reason, np.zeros(len(more), np.int32)])

    @property
    def edited(self) -> NDArray[np.bool_]:
        """Which entries are not as the source has them."""
        found: NDArray[np.bool_] = (self.edit != NONE) | (self.category != NONE)
        return found

    def is_edited(self, number: int) -> bool:
        """Whether an entry is not as the source has it."""
        return bool(self.edit[number] != NONE or self.category[number] != NONE)

    def update(self, decisions: Decisions, numbers: Ints) -> None:
        """Look at some entries again."""
        for begin in range(0, len(numbers), _AT_A_TIME):
            self._update(decisions, numbers[begin : begin + _AT_A_TIME])

    def _update(self, decisions: Decisions, numbers: Ints) -> None:
        opinions = [_Opinion(decisions, track, numbers) for track in decisions.tracks.values()]
        found = _Verdict(self.base[numbers], opinions)
        found.wait(_lacks_some(decisions, opinions, numbers))
        found.settle(_Opinion(decisions, decisions.settled, numbers))
        self.status[numbers], self.edit[numbers] = found.status, found.edit
        self.category[numbers], self.event[numbers] = found.category, found.event
        self.reason[numbers] = found.reason


class _Opinion:
    """What one reviewer says of some entries."""

    def __init__(self, decisions: Decisions, track: Track, numbers: Ints) -> None:
        rows = track.at[numbers]
        self.is_there = rows != NONE
        self.status, self.edit, self.category, self.event = (
            decisions.of_rows(rows, name, otherwise)
            for name, otherwise in (("status", PENDING_NUMBER), ("edit", NONE), ("category", NONE), ("event", NONE))
        )
        self.edit = decisions.of_events(self.edit, "same", NONE)
        self.reason = decisions.of_events(self.event, "reason", 0)


def _lacks_some(decisions: Decisions, opinions: Iterable[_Opinion], numbers: Ints) -> Mask:
    """Which entries were given to several reviewers, and have not been decided on by as many."""
    given, heard = np.zeros(len(numbers), np.int32), np.zeros(len(numbers), np.int32)
    for share in decisions.shares.values():
        given += share[numbers]
    for one in opinions:
        heard += one.status != PENDING_NUMBER
    lacks: Mask = (given > 1) & (heard < given)
    return lacks


class _Verdict:
    """What opinions come to."""

    def __init__(self, base: NDArray[np.uint8], opinions: list[_Opinion]) -> None:
        size = len(base)
        none = np.full(size, NONE, np.int32)
        accepted, rejected, anybody, clash = (np.zeros(size, np.bool_) for _ in range(4))
        self.edit, self.category, self.event, self.reason = none, none.copy(), none.copy(), np.zeros(size, np.int32)
        for one in opinions:
            yes = one.status == ACCEPTED_NUMBER
            accepted |= yes
            rejected |= one.status == REJECTED_NUMBER
            anybody |= one.is_there
            clash |= yes & (one.edit != NONE) & (self.edit != NONE) & (one.edit != self.edit)
            self.edit = np.where(yes, np.maximum(one.edit, self.edit), self.edit)
        self.status = np.where(anybody, np.uint8(PENDING_NUMBER), base)
        self.status[accepted] = ACCEPTED_NUMBER
        self.status[rejected] = REJECTED_NUMBER
        self.status[accepted & rejected | clash & ~rejected] = _DISPUTED_NUMBER
        self._anybody = anybody
        self._choose_latest(opinions)

    def _choose_latest(self, opinions: list[_Opinion]) -> None:
        """Of those who say what holds, the last one's category and reason; in a dispute, of all."""
        category_event, reason_event = self.event.copy(), self.event.copy()
        for one in opinions:
            counts = one.is_there & ((one.status == self.status) | (self.status == _DISPUTED_NUMBER))
            newer = counts & (one.category != NONE) & (one.event > category_event)
            self.category, category_event = (
                np.where(newer, one.category, self.category),
                np.where(newer, one.event, category_event),
            )
            newer = counts & (one.reason > 0) & (one.event > reason_event)
            self.reason, reason_event = (
                np.where(newer, one.reason, self.reason),
                np.where(newer, one.event, reason_event),
            )
            alone = counts & (self.status == REJECTED_NUMBER)  # an edit stays with an entry that is rejected later
            self.edit = np.where(alone, np.maximum(self.edit, one.edit), self.edit)
            self.event = np.maximum(self.event, one.event)

    def wait(self, lacks_some: Mask) -> None:
        """Let entries of which some have to be heard be pending, with what the others made of them."""
        self.status[lacks_some & self._anybody] = PENDING_NUMBER

    def settle(self, last: _Opinion) -> None:
        """Let what was decided for all stand instead."""
        is_settled = last.is_there & (last.status != PENDING_NUMBER)
        self.status = np.where(is_settled, last.status, self.status).astype(np.uint8)
        has_edit, has_category = is_settled & (last.edit != NONE), is_settled & (last.category != NONE)
        self.edit = np.where(has_edit, last.edit, self.edit)
        self.category = np.where(has_category, last.category, self.category)
        self.reason = np.where(is_settled, last.reason, self.reason)
        self.event = np.where(is_settled, last.event, self.event)
