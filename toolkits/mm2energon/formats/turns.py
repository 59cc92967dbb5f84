"""Turns as the formats write them: `from`/`value` or `role`/`content`, read by name and never by position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.sample import Role, Turn

#: Names of speakers that are in use -> our role.
ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "system": "system",
}


def read_turns(turns: Any, *, origin: str) -> tuple[Turn, ...]:
    """The turns of a conversation whose texts are strings.

    Raises:
        SampleError: `no-turns`, `bad-turn` or `unknown-role`.
    """
    if not isinstance(turns, list) or not turns:
        raise SampleError(f"{origin}: the conversation is {_kind(turns)}; a list of turns was expected", "no-turns")
    return tuple(_read_turn(turn, origin=f"{origin}, turn {number}") for number, turn in enumerate(turns))


def _read_turn(turn: Any, *, origin: str) -> Turn:
    if not isinstance(turn, Mapping):
        raise SampleError(
            f"{origin}: {_kind(turn)}; an object with from/value or role/content was expected", "bad-turn"
        )
    text = turn.get("value", turn.get("content"))
    if not isinstance(text, str):
        raise SampleError(
            f'{origin}: its text ("value" or "content") is {_kind(text)}; a string was expected', "bad-turn"
        )
    return Turn(read_role(turn, origin=origin), text)


def read_role(turn: Mapping[str, Any], *, origin: str) -> Role:
    """The role that a turn names.

    Raises:
        SampleError: `bad-turn` when it names none, `unknown-role` when the name is not one of `ROLES`.
    """
    name = turn.get("from", turn.get("role"))
    if not isinstance(name, str):
        raise SampleError(f'{origin}: its role ("from" or "role") is {_kind(name)}; a string was expected', "bad-turn")
    role = ROLES.get(name.strip().lower())
    if role is None:
        raise SampleError(
            f"{origin}: unknown role {name[:50]!r}; one of {', '.join(ROLES)} was expected", "unknown-role"
        )
    return role


def _kind(value: Any) -> str:
    """How a message names a value that has the wrong type."""
    if value is None:
        return "missing"
    if isinstance(value, list | str) and not value:
        return "empty"
    return f"a {type(value).__name__}"
