"""Scripted dialogues in real voices: who says what, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speech.saying import RATE, placed, say
from speech.talks import Told, write_talk

TEN = (
    "hello what can you tell me about the weather today",
    "the weather is sunny and warm with a light wind from the west",
    "what should i wear when i go for a walk in the park",
    "you should wear a light jacket and comfortable shoes",
    "how long does it take to walk around the lake",
    "it takes about two hours to walk around the lake",
    "can you give me the number of the train station",
    "the train station is open from six in the morning",
    "thank you very much for your help",
    "you are welcome and have a good day",
)
VOICES = {"user": "slt", "assistant": "rms"}


@dataclass(frozen=True)
class Line:
    """What somebody says, and when."""

    speaker: str
    text: str
    start: float

    @property
    def end(self) -> float:
        """When it ends, to the sample."""
        return self.start + len(say(self.text, VOICES[self.speaker])) / RATE


def in_turn(texts: Sequence[str], *, pause: float = 0.7, begin: float = 0.6) -> list[Line]:
    """User and assistant in alternation, with a pause between them."""
    lines: list[Line] = []
    for number, text in enumerate(texts):
        start = lines[-1].end + pause if lines else begin
        lines.append(Line("assistant" if number % 2 else "user", text, start))
    return lines


def track(lines: Sequence[Line], speaker: str, *, seconds: float | None = None, offset: float = 0.0) -> Told:
    """A speaker's track; with an offset it begins later, and what is said stays at its time."""
    until = max(line.end for line in lines) + 1.0 if seconds is None else seconds
    parts = [(line.start - offset, say(line.text, VOICES[speaker])) for line in lines if line.speaker == speaker]
    return Told(placed(parts, until - offset), offset=offset)


def talk(path: Path, lines: Sequence[Line], *, late: float = 0.0) -> Path:
    """A recording with the user's track and the assistant's, which begins `late` seconds later."""
    return write_talk(path, track(lines, "user"), track(lines, "assistant", offset=late))
