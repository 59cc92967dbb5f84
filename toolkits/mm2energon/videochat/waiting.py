"""Waiting: the questions that are not taken yet, in an order that is fair to each who asks."""

from __future__ import annotations

from mm2energon.errors import InputError
from mm2energon.videochat.case import Case

#: Questions that wait, in all and of one person.
MOST, MOST_OF_ONE = 100, 10


class Waiting:
    """The line: who has waited longest since a question of theirs was taken is next; the desk's lock guards it."""

    def __init__(self) -> None:
        self._cases: list[Case] = []
        #: Person -> the number of their last question that was taken.
        self._taken: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._cases)

    def add(self, case: Case) -> None:
        """Put a question in.

        Raises:
            InputError: too many wait already.
        """
        mine = sum(one.question.who == case.question.who for one in self._cases)
        if len(self._cases) >= MOST or mine >= MOST_OF_ONE:
            raise InputError(f"question: {len(self._cases)} wait already, {mine} of yours; wait for some of them")
        self._cases.append(case)

    def take(self) -> Case:
        """The next question, which waits no more."""
        case = self._in_order()[0]
        self._cases.remove(case)
        self._taken[case.question.who] = max(self._taken.values(), default=0) + 1
        return case

    def drop(self, case: Case) -> None:
        """Take a question out, where it is in."""
        if case in self._cases:
            self._cases.remove(case)

    def tell_places(self) -> None:
        """Tell each question its place, where that has changed: 1 is the next."""
        for position, case in enumerate(self._in_order(), start=1):
            if case.position != position:
                case.position = position
                case.add("queued", {"position": position})

    def _in_order(self) -> list[Case]:
        """The questions as they will be taken."""
        taken, last = dict(self._taken), max(self._taken.values(), default=0)
        left, order = list(self._cases), []
        while left:
            case = min(left, key=lambda one: taken.get(one.question.who, 0))
            last += 1
            taken[case.question.who] = last
            left.remove(case)
            order.append(case)
        return order
