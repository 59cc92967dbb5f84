"""Terminal: text that is shown to people, without what a terminal would obey."""

from __future__ import annotations


def told(error: Exception) -> str:
    """What an error says, without the path that one of the disk repeats: the message begins with it."""
    return str(getattr(error, "strerror", None) or error)


def shown(text: str) -> str:
    """A line without the control characters that a file name may hold, and without what turns its direction."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
