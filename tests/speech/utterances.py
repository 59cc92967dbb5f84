"""Utterances by construction."""

from mm2energon.speech.utterances import Utterance


def user(start: float, end: float, text: str = "What is it?", **more: object) -> Utterance:
    """What the user says."""
    return Utterance("user", start, end, text, 0.9, **more)  # type: ignore[arg-type]


def assistant(start: float, end: float, text: str = "It is tea.") -> Utterance:
    """What the assistant says."""
    return Utterance("assistant", start, end, text, 0.9)


def by(speaker: str, start: float, end: float, text: str = "So it is.") -> Utterance:
    """What somebody says."""
    return Utterance(speaker, start, end, text, 0.9)


def side_of(speaker: str) -> str:
    """Everybody but the assistant is on the user's side."""
    return "assistant" if speaker == "assistant" else "user"
