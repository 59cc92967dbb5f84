"""Deltas: the text in the events of a server with OpenAI's interface, as servers write them.

Thoughts that a server tells apart (`reasoning_content` of vLLM and SGLang, `reasoning` of newer ones) stand in
`<think>` tags again, as the model wrote them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_THOUGHTS = ("reasoning_content", "reasoning")
_TEXTS = ("content", "refusal")
#: Ways to end that are none of an answer.
_BROKEN_OFF = ("content_filter", "error", "abort")


class BrokenOffError(Exception):
    """The server ended an answer before it was whole; the message is its reason."""


def pieces(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The text, piece by piece: each of whole characters.

    Raises:
        BrokenOffError: the server says that it is not all.
    """
    held, thinks = "", False
    for event in events:
        thought, text, reason = _read(event)
        if thought:
            thought, thinks = (thought if thinks else f"<think>{thought}"), True
        if text and thinks:
            text, thinks = f"</think>{text}", False
        whole, held = _whole(held + thought + text)
        if whole:
            yield whole
        if reason in _BROKEN_OFF:
            raise BrokenOffError(reason)
    if held or thinks:
        yield ("\N{REPLACEMENT CHARACTER}" if held else "") + ("</think>" if thinks else "")


def _read(event: dict[str, Any]) -> tuple[str, str, Any]:
    """Thoughts, text, and why it ends there, if it does; the last event, of what it cost, has none of them."""
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return "", "", None
    said = choice.get("delta") or choice.get("message")  # the latter where it does not stream
    said = said if isinstance(said, dict) else {}
    thought, text = (next(filter(None, (_text(said.get(name)) for name in names)), "") for names in (_THOUGHTS, _TEXTS))
    return thought, text, choice.get("finish_reason")


def _text(content: Any) -> str:
    """A text, also one that is written as a list of parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _whole(text: str) -> tuple[str, str]:
    """The text up to its last whole character, and the half of one that may stand at its end: \\ud83d of an emoji."""
    held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    whole = text[: len(text) - len(held)]
    return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), held
