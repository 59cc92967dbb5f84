"""Which engine recognises, and how; and what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mm2energon.speech.sound import Sound
from mm2energon.speech.utterances import Span, Word


@dataclass(frozen=True, slots=True)
class Settings:
    """Which engine recognises, and how."""

    engine: str
    #: A name of the engine's table of models, or a folder or file of one.
    model: str
    #: ISO 639-1; None: the engine tells it.
    language: str | None = None
    device: str = "auto"
    compute_type: str = "default"
    #: Pieces of sound that are recognised at the same time.
    batch_size: int = 8
    #: Threads of the processor; 0: what the engine takes.
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Recognized:
    """What an engine makes of one span."""

    span: Span
    words: tuple[Word, ...]
    #: 0 to 1.
    confidence: float
    #: Reason code where the engine's own scores say that it is no speech, or repeats itself.
    doubt: str | None = None


class Recognizer(Protocol):
    """An engine with its model loaded; it keeps nothing of one sound for the next."""

    def languages(self, sound: Sound, spans: Sequence[Span]) -> Mapping[str, float]:
        """Language -> seconds of a voice's speech that are in it: of its longest windows, not of all."""

    def recognize(self, sound: Sound, spans: Sequence[Span], language: str | None) -> Iterator[Recognized]:
        """What is said in each span, in their order; times on the clock of the sound.

        Args:
            sound: one voice.
            spans: where it speaks.
            language: one that `languages` found; None where it found none.
        """
