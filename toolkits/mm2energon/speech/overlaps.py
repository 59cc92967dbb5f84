"""Overlaps: in which order utterances are read where both sides speak at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mm2energon.speech.utterances import Side, Utterance

#: What becomes of an utterance that begins while the other side speaks: `interleave`, its place is where it begins;
#: `hold`, after what the other side says; `drop`, none.
Overlap = Literal["interleave", "hold", "drop"]

#: Seconds by which the end of one and the begin of the other may lie over each other without being an interruption:
#: the ends of speech are known no better.
TOUCH = 0.15


def in_reading_order(
    utterances: Sequence[Utterance], sides: Sequence[Side], overlap: Overlap, *, pause: float
) -> tuple[list[Utterance], list[Utterance]]:
    """The utterances in the order in which they are read, and those that are dropped.

    Args:
        utterances: by their start.
        sides: of each, in that order.
        pause: seconds below which a turn goes on.
    """
    if overlap == "interleave":
        return list(utterances), []
    floor = _Floor(pause)
    dropped = []
    for one, side in zip(utterances, sides, strict=True):
        floor.pass_on(one, side)
        if not floor.is_interrupted_by(one, side):
            floor.take(one, side)
        elif overlap == "drop":
            dropped.append(one)
        else:
            floor.held.append(one)
    return floor.order + floor.held, dropped


class _Floor:
    """Who speaks, what was said, and what waits to be said; who speaks first has the floor."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._side: Side | None = None
        self._end = 0.0
        self.order: list[Utterance] = []
        #: Of the other side, begun while this one spoke.
        self.held: list[Utterance] = []

    def is_interrupted_by(self, one: Utterance, side: Side) -> bool:
        """Whether an utterance begins while the other side speaks."""
        return self._side is not None and side != self._side and one.start < self._end - TOUCH

    def pass_on(self, one: Utterance, side: Side) -> None:
        """Give the floor to those who wait, where this utterance does not go on with the turn of who has it."""
        if not self.held:
            return
        held_end = max(other.end for other in self.held)
        goes_on = side == self._side and one.start < held_end - TOUCH and one.start - self._end < self._pause
        if goes_on or self.is_interrupted_by(one, side):
            return
        self.order += self.held
        self._side = "assistant" if self._side == "user" else "user"
        self._end = held_end
        self.held = []

    def take(self, one: Utterance, side: Side) -> None:
        """Let an utterance be said."""
        self._end = one.end if side != self._side else max(self._end, one.end)
        self._side = side
        self.order.append(one)
