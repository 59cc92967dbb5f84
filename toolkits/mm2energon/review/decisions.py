"""Decisions: what the events of a journal come to, for each entry and reviewer; arrays alone, however many entries.

Each event leaves a row in the log for each of its entries, which knows the row of the same entry and reviewer before
it. Where a reviewer stands with an entry is one of these rows; undo goes to the row before, redo comes back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mm2energon.review.identities import NOBODY
from mm2energon.review.journal import Event, Shares
from mm2energon.review.model import ACCEPTED, DOES, PENDING, REJECTED, STATUSES
from mm2energon.review.tables import NONE, Ints, Mask, Names, Table, Track, grown, taken

_STATUS = {
    "accept": ACCEPTED,
    "edit": ACCEPTED,
    "reject": REJECTED,
    "reset": PENDING,
    "settle-accept": ACCEPTED,
    "settle-reject": REJECTED,
}
ACCEPTED_NUMBER, REJECTED_NUMBER, PENDING_NUMBER = map(STATUSES.index, (ACCEPTED, REJECTED, PENDING))
#: In the place of a row: it only tells what happened (of undo and redo).
_TOLD_ALONE = -2


class Decisions:
    """What reviewers decided on so many entries."""

    def __init__(self) -> None:
        self.count = 0
        self.log = Table("number", "event", "previous", "status", "edit", "category")
        #: Without their entries; their reviewers and reasons as numbers, and the first event with the same sample.
        self.events: list[Event] = []
        self._samples: dict[int, int] = {}
        self.about_events = Table("reviewer", "reason", "same")
        self.tracks: dict[str, Track] = {}
        #: For all reviewers, where they disagreed.
        self.settled = Track.of(0)
        #: Reviewer -> which entries are their share.
        self.shares: dict[str, Mask] = {}
        self.reviewers, self.reasons, self.categories = Names(), Names(""), Names()

    def grow(self, count: int) -> None:
        """Know of more entries."""
        self.count = count
        for track in (*self.tracks.values(), self.settled):
            track.grow(count)
        for name, share in self.shares.items():
            self.shares[name] = grown(share, count, 0)

    def note(self, event: Event) -> int:
        """Take up an event, whose entries are applied one by one as they become known; its number."""
        self.events.append(event._replace(entries=NOBODY, shares=None))
        reviewer, reason = self.reviewers.number(event.reviewer), self.reasons.number(event.reason)
        number = len(self.events) - 1
        same = NONE if event.sample_at is None else self._samples.setdefault(event.sample_digest, number)
        self.about_events.add(1, reviewer=reviewer, reason=reason, same=same)
        return number

    def apply(self, event_number: int, shares: Shares | None, numbers: Ints, places: Ints) -> Ints:
        """Let an event that was noted be about these entries, and say which have changed.

        Args:
            shares: of the event.
            numbers: entries, each once.
            places: where each of them stands in the event.
        """
        event = self.events[event_number]
        if event.do in DOES:
            return self._decide(event_number, event, numbers)
        if event.do in ("undo", "redo"):
            return self._go(event_number, event.reviewer, numbers, back=event.do == "undo")
        if event.do == "assign" and shares is not None:
            return self._assign(shares, numbers, places)
        return numbers[:0]

    def track(self, reviewer: str) -> Track:
        """Where a reviewer stands."""
        if reviewer not in self.tracks:
            self.tracks[reviewer] = Track.of(self.count)
        return self.tracks[reviewer]

    def _decide(self, event_number: int, event: Event, numbers: Ints) -> Ints:
        if event.do.startswith("settle"):
            self._add(event_number, event, numbers, self.settled)
        elif event.do == "reset":
            rows = self.settled.at[numbers]
            is_settled = (rows != NONE) & (self.of_rows(rows, "status", 0) != PENDING_NUMBER)
            self._add(event_number, event, numbers[is_settled], self.settled)
            self._add(event_number, event, numbers[~is_settled], self.track(event.reviewer))
        else:
            self._add(event_number, event, numbers, self.track(event.reviewer))
        return numbers

    def _add(self, event_number: int, event: Event, numbers: Ints, track: Track) -> None:
        before = track.at[numbers]
        edit: Ints | int = event_number
        category: Ints | int = NONE if event.category is None else self.categories.number(event.category)
        if event.sample_at is None:
            edit = self.of_rows(before, "edit", NONE)
        if event.category is None:
            category = self.of_rows(before, "category", NONE)
        if event.do == "reset":
            edit = category = NONE
        status = STATUSES.index(_STATUS[event.do])
        rows = self.log.add(
            len(numbers),
            number=numbers,
            event=event_number,
            previous=before,
            status=status,
            edit=edit,
            category=category,
        )
        track.at[numbers] = track.tip[numbers] = rows

    def of_rows(self, rows: Ints, column: str, otherwise: int) -> Ints:
        """What rows of the log hold; of those that are NONE, something else."""
        return taken(self.log[column], rows, otherwise)

    def of_events(self, events: Ints, column: str, otherwise: int) -> Ints:
        """What is known of events; of those that are NONE, something else."""
        return taken(self.about_events[column], events, otherwise)

    def _go(self, event_number: int, reviewer: str, numbers: Ints, *, back: bool) -> Ints:
        """Undo or redo, where there is something; which those are."""
        found = [numbers[:0]]
        for track, some, to in self._moves(reviewer, numbers, back=back):
            track.at[some] = to
            found.append(some)
        changed: Ints = np.concatenate(found)
        self.log.add(
            len(changed), number=changed, event=event_number, previous=_TOLD_ALONE, status=0, edit=NONE, category=NONE
        )
        return changed

    def moves(self, reviewer: str, numbers: Ints, *, back: bool) -> Ints:
        """The entries of which a reviewer can undo, or redo, something."""
        moves = self._moves(reviewer, numbers, back=back)
        return np.concatenate([numbers[:0], *(some for _, some, _ in moves)])

    def _moves(self, reviewer: str, numbers: Ints, *, back: bool) -> list[tuple[Track, Ints, Ints]]:
        """Which entries go to which rows."""
        in_settled = self._last_was_settling(reviewer, numbers, back=back)
        moves = []
        for track, some in ((self.settled, numbers[in_settled]), (self.track(reviewer), numbers[~in_settled])):
            to = self._before(track, some) if back else self._behind(track, some)
            goes = to != track.at[some]
            moves.append((track, some[goes], to[goes]))
        return moves

    def _last_was_settling(self, reviewer: str, numbers: Ints, *, back: bool) -> Mask:
        """For which entries the next to be undone, or redone, is that the reviewer decided for all."""
        own, settled = self.track(reviewer), self.settled
        if back:
            by_own, by_settled = own.at[numbers], settled.at[numbers]
        else:
            by_own, by_settled = self._behind(own, numbers), self._behind(settled, numbers)
            by_own = np.where(by_own == own.at[numbers], np.int32(NONE), by_own)
            by_settled = np.where(by_settled == settled.at[numbers], np.int32(NONE), by_settled)
        event = self.of_rows(by_settled, "event", NONE)
        is_theirs = self._are_of(event, reviewer)
        own_event = self.of_rows(by_own, "event", NONE)
        found: Mask = is_theirs & ((event > own_event) if back else (own_event == NONE) | (event < own_event))
        return found

    def _are_of(self, events: Ints, reviewer: str) -> Mask:
        """Which events, some of which may be NONE, are of a reviewer."""
        known = self.reviewers.known(reviewer)
        found: Mask = self.of_events(events, "reviewer", NONE) == known
        return found if known != NONE else np.zeros(len(events), np.bool_)

    def _before(self, track: Track, numbers: Ints) -> Ints:
        return self.of_rows(track.at[numbers], "previous", NONE)

    def _behind(self, track: Track, numbers: Ints) -> Ints:
        """The rows to which redo leads: of those between here and the last one, the next."""
        at, row = track.at[numbers], track.tip[numbers]
        while True:
            before = self.of_rows(row, "previous", NONE)
            is_far = (row != at) & (before != at)
            if not is_far.any():
                return row
            row = np.where(is_far, before, row)

    def _assign(self, shares: Shares, numbers: Ints, places: Ints) -> Ints:
        for share in self.shares.values():
            share[numbers] = False
        for name in shares.reviewers:
            self.shares.setdefault(name, np.zeros(self.count, np.bool_))
        dealt = shares.to[places]
        for place, name in enumerate(shares.reviewers):
            self.shares[name][numbers[(dealt == place).any(axis=1)]] = True
        return numbers

    def is_given(self, numbers: Ints) -> Mask:
        """Which entries are somebody's share."""
        found = np.zeros(len(numbers), np.bool_)
        for share in self.shares.values():
            found |= share[numbers]
        return found

    def can_go(self, reviewer: str, number: int) -> tuple[bool, bool]:
        """Whether a reviewer can undo, and redo, something of an entry."""
        if self.reviewers.known(reviewer) == NONE:
            return False, False
        numbers = np.array([number], np.int32)
        can_undo, can_redo = (bool(len(self.moves(reviewer, numbers, back=back))) for back in (True, False))
        return can_undo, can_redo

    def to_undo_last(self, reviewer: str) -> Ints:
        """The entries of what a reviewer did last, and has not taken back."""
        own = self.track(reviewer)
        best, found = NONE, np.zeros(0, np.int32)
        for track in (own, self.settled):
            decided = np.flatnonzero(track.at >= 0).astype(np.int32)
            events = self.of_rows(track.at[decided], "event", NONE)
            if track is self.settled and len(decided):
                events = np.where(self._are_of(events, reviewer), events, np.int32(NONE))
            last = int(events.max(initial=NONE))
            if last > best:
                best, found = last, decided[events == last]
        return found

    def would_change(self, do: str, numbers: Ints, reviewer: str, reason: str, status: NDArray[np.uint8]) -> Mask:
        """Which entries a decision without an edit would change.

        Args:
            status: as they stand, for all reviewers.
        """
        track = self.settled if do.startswith("settle") else self.track(reviewer)
        before = self.of_rows(track.at[numbers], "status", NONE)
        if do == "reset":
            changes: Mask = (before > PENDING_NUMBER) | (status != PENDING_NUMBER)
            return changes
        changes = before != STATUSES.index(_STATUS[do])
        if reason:
            said = self.of_events(self.of_rows(track.at[numbers], "event", NONE), "reason", NONE)
            changes |= said != self.reasons.known(reason)
        return changes
