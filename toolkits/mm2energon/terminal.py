"""Terminal: text that is shown to people, without what a terminal would obey."""

from __future__ import annotations


def told(error: Exception) -> str:
    """What an error says, without the path that one of the disk repeats: the message begins with it."""
    return str(getattr(error, "strerror", None) or error)


#: A folder that only we know -> what people know it as.
_called: dict[str, str] = {}


def call(folder: str, name: str) -> None:
    """Let a folder that only we know be shown by that name, from now on."""
    _called[folder] = name


def known(text: str) -> str:
    """A text that names folders as people know them."""
    for folder, name in _called.items():
        text = text.replace(folder, name)
    return text


def shown(text: str) -> str:
    """A line without the control characters that a file name may hold, and without what turns its direction."""
    text = known(text)
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
