"""What was said: spans of speech, words, utterances, and those that are left out; times are seconds on one clock.

The clock of a recording shows 0 where its picture begins (`tracks.zero_of`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

#: Sides of a conversation, as trainers know them.
Side = Literal["user", "assistant"]


class Span(NamedTuple):
    """A stretch of time, in seconds."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Word:
    """A word as an engine writes it, with the space before it where its language has spaces."""

    text: str
    start: float
    end: float
    #: 0 to 1, as the engine gives it.
    confidence: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker says between two silences."""

    speaker: str
    start: float
    end: float
    text: str
    #: 0 to 1: mean of its words', else of the engine's own score.
    confidence: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Speech that becomes no part of a conversation, and why."""

    utterance: Utterance
    #: A code of `REASONS`.
    code: str
    #: What was found; what was expected; what to do.
    message: str


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker, and where a recording has the voice."""

    #: `user`, `assistant`, or a name of one's own.
    name: str
    side: Side
    #: Which track: an audio index (`0`), `stream:2`, a language (`eng`) or a title.
    track: str
    #: Channel of that track, from 0; None: all of them, mixed.
    channel: int | None = None
