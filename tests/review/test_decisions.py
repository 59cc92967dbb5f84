"""What arrays say of decisions is what a plain model says that keeps a list of steps for each entry and reviewer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mm2energon.review.decisions import Decisions
from mm2energon.review.journal import Event
from mm2energon.review.model import STATUSES
from mm2energon.review.standing import Standing
from mm2energon.review.tables import NONE

ENTRIES, REVIEWERS = 4, ("anna", "bob", "eve")
DECIDED = {"accept": "accepted", "edit": "accepted", "reject": "rejected", "reset": "pending"}
BASE = ("accepted", "pending", "rejected", "pending")


@dataclass
class Steps:
    """What one reviewer did to one entry, and how much of it counts."""

    done: list[tuple[int, str, str]] = field(default_factory=list)
    count: int = 0

    def add(self, when: int, status: str, edit: str) -> None:
        del self.done[self.count :]
        self.done.append((when, status, edit))
        self.count += 1

    @property
    def now(self) -> tuple[int, str, str] | None:
        return self.done[self.count - 1] if self.count else None


class Plain:
    """The model."""

    def __init__(self) -> None:
        self.steps = {(entry, name): Steps() for entry in range(ENTRIES) for name in (*REVIEWERS, "all")}
        self.by: dict[int, str] = {}

    def apply(self, when: int, event: Event, entries: list[int]) -> None:
        self.by[when] = event.reviewer
        for entry in set(entries):
            if event.do in ("undo", "redo"):
                self.go(entry, event.reviewer, back=event.do == "undo")
            else:
                self.decide(when, event, entry)

    def decide(self, when: int, event: Event, entry: int) -> None:
        status = DECIDED[event.do.removeprefix("settle-")]
        settled = self.steps[entry, "all"]
        is_settled = settled.now is not None and settled.now[1] != "pending"
        for_all = event.do.startswith("settle") or (event.do == "reset" and is_settled)
        steps = settled if for_all else self.steps[entry, event.reviewer]
        before = steps.now[2] if steps.now else ""
        edit = "" if event.do == "reset" else str(event.sample_digest) if event.sample_at else before
        steps.add(when, status, edit)

    def go(self, entry: int, reviewer: str, *, back: bool) -> None:
        own, settled = self.steps[entry, reviewer], self.steps[entry, "all"]

        def next_of(steps: Steps) -> int | None:
            place = steps.count - 1 if back else steps.count
            return steps.done[place][0] if 0 <= place < len(steps.done) else None

        mine, of_all = next_of(own), next_of(settled)
        of_all = of_all if of_all is not None and self.by[of_all] == reviewer else None
        if mine is None and of_all is None:
            return
        if mine is None or (of_all is not None and (of_all > mine if back else of_all < mine)):
            own = settled
        own.count += -1 if back else 1

    def status(self, entry: int) -> tuple[str, str]:
        settled = self.steps[entry, "all"].now
        said = [steps.now for name in REVIEWERS if (steps := self.steps[entry, name]).now]
        given = {now[1] for now in said}
        accepting = [(when, edit) for when, status, edit in said if status == "accepted" and edit]
        edits = {edit for _, edit in accepting}
        if not said:
            found = BASE[entry], ""
        elif {"accepted", "rejected"} <= given or ("rejected" not in given and len(edits) > 1):
            found = "disputed", ""
        elif "accepted" in given:
            found = "accepted", next(iter(edits), "")
        else:
            found = ("rejected" if "rejected" in given else "pending"), ""
        if settled is not None and settled[1] != "pending":
            return settled[1], settled[2]
        return found


def standing_of(decisions: Decisions, standing: Standing) -> list[tuple[str, str]]:
    """Status and edit of all entries; an edit only where one holds for sure."""
    found = []
    for entry in range(ENTRIES):
        edit = standing.edit[entry]
        digest = "" if edit == NONE else str(decisions.events[edit].sample_digest)
        found.append((STATUSES[standing.status[entry]], digest))
    return found


def begun() -> tuple[Decisions, Standing]:
    decisions, standing = Decisions(), Standing()
    decisions.grow(ENTRIES)
    standing.grow(np.array([STATUSES.index(status) for status in BASE], np.uint8))
    return decisions, standing


events = st.builds(
    lambda reviewer, do, sample: Event(
        "", reviewer, do, [], sample_at=(0, 1) if do == "edit" else None, sample_digest=sample if do == "edit" else 0
    ),
    st.sampled_from(REVIEWERS),
    st.sampled_from(["accept", "reject", "edit", "reset", "undo", "redo", "undo", "settle-accept", "settle-reject"]),
    st.integers(1, 2),
)


@given(st.lists(st.tuples(events, st.lists(st.integers(0, ENTRIES - 1), min_size=1, max_size=3)), max_size=14))
@example([(Event("", "anna", do, []), [0]) for do in ("accept", "reject", "undo", "undo", "redo", "reset", "undo")])
def test_arrays_say_what_lists_of_steps_say(done: list[tuple[Event, list[int]]]) -> None:
    decisions, standing = begun()
    plain = Plain()
    for event, entries in done:
        number = decisions.note(event)
        numbers = np.unique(np.array(entries, np.int32))
        standing.update(decisions, decisions.apply(number, event.shares, numbers, numbers))
        plain.apply(number, event, entries)
        for entry in range(ENTRIES):
            status, edit = plain.status(entry)
            assert STATUSES[standing.status[entry]] == status
            if status == "accepted" and edit:
                assert standing_of(decisions, standing)[entry] == (status, edit)
            for name in REVIEWERS:
                before = {key: steps.count for key, steps in plain.steps.items()}
                for back, can in zip((True, False), decisions.can_go(name, entry), strict=True):
                    plain.go(entry, name, back=back)
                    assert can == (before != {key: steps.count for key, steps in plain.steps.items()})
                    for key, count in before.items():
                        plain.steps[key].count = count


def decide(decisions: Decisions, standing: Standing, reviewer: str, do: str, *numbers: int, sample: int = 0) -> None:
    event = Event("", reviewer, do, [], sample_at=(0, 1) if sample else None, sample_digest=sample)
    found = np.array(numbers, np.int32)
    standing.update(decisions, decisions.apply(decisions.note(event), event.shares, found, found))


def test_an_edited_reject_becomes_accepted_and_stays_edited_when_it_is_rejected_again() -> None:
    decisions, standing = begun()
    decide(decisions, standing, "anna", "reject", 1)
    decide(decisions, standing, "anna", "edit", 1, sample=7)
    assert (STATUSES[standing.status[1]], standing.is_edited(1)) == ("accepted", True)
    decide(decisions, standing, "anna", "reject", 1)
    assert (STATUSES[standing.status[1]], standing.is_edited(1)) == ("rejected", True)
    decide(decisions, standing, "anna", "reset", 1)
    assert (STATUSES[standing.status[1]], standing.is_edited(1)) == ("pending", False)


@pytest.mark.parametrize(("one", "other", "status"), [(7, 7, "accepted"), (7, 8, "disputed"), (7, 0, "accepted")])
def test_two_who_edit_differently_disagree(one: int, other: int, status: str) -> None:
    decisions, standing = begun()
    decide(decisions, standing, "anna", "edit", 1, sample=one)
    decide(decisions, standing, "bob", "edit" if other else "accept", 1, sample=other)
    assert STATUSES[standing.status[1]] == status


def test_the_last_thing_that_a_reviewer_did_is_found_whatever_others_did_since() -> None:
    decisions, standing = begun()
    decide(decisions, standing, "anna", "accept", 0, 1, 2)
    decide(decisions, standing, "anna", "reject", 2)
    decide(decisions, standing, "bob", "reject", 0, 1, 2, 3)
    assert decisions.to_undo_last("anna").tolist() == [2]
    decide(decisions, standing, "anna", "undo", 2)
    assert decisions.to_undo_last("anna").tolist() == [0, 1, 2]
    decide(decisions, standing, "anna", "undo", 0, 1, 2)
    assert decisions.to_undo_last("anna").tolist() == []
    assert [STATUSES[status] for status in standing.status] == ["rejected"] * 4
