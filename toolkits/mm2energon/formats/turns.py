"""Turns as the formats write them: `from`/`value` or `role`/`content`, read by name and never by position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats.media import PLURALS
from mm2energon.jsonio import type_name
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
#: Keys of a turn that say who speaks and what; a turn may carry both pairs.
TURN_KEYS = frozenset({"from", "value", "role", "content"})
_MEDIA_KEYS = (*PLURALS, *PLURALS.values())


def read_turns(turns: Any, *, origin: str) -> tuple[Turn, ...]:
    """The turns of a conversation whose texts are strings.

    Raises:
        SampleError: `no-turns`, `bad-turn` or `unknown-role`.
    """
    if not isinstance(turns, list) or not turns:
        found = "an empty list" if turns == [] else type_name(turns)
        raise SampleError(
            f"{origin}: the conversation is {found}; a list of turns was expected; write one or take the entry out",
            "no-turns",
        )
    return tuple(
        [_usual_turn(turn) or _read_turn(turn, origin=f"{origin}, turn {place}") for place, turn in enumerate(turns)]
    )


def _usual_turn(turn: Any) -> Turn | None:
    """A turn as nearly all are, read in a third of the time; None where a closer look is needed."""
    if type(turn) is not dict:
        return None
    name, text = turn.get("from"), turn.get("value")
    name = turn.get("role") if name is None else name
    text = turn.get("content") if text is None else text
    role = ROLES.get(name) if type(name) is str else None
    return Turn(role, text) if role is not None and type(text) is str and len(turn) == 2 else None


def _read_turn(turn: Any, *, origin: str) -> Turn:
    if not isinstance(turn, Mapping):
        raise SampleError(
            f"{origin}: {type_name(turn)}; an object with from/value or role/content was expected; mend the turn",
            "bad-turn",
        )
    text = read_content(turn)
    if not isinstance(text, str):
        raise SampleError(
            f'{origin}: its text ("value" or "content") is {_found(text)}; a string was expected; mend the turn',
            "bad-turn",
        )
    return Turn(read_role(turn, origin=origin), text, read_rest(turn, origin=origin))


def read_rest(turn: Mapping[str, Any], *, origin: str) -> dict[str, Any] | None:
    """The keys of a turn that mean nothing to us.

    Raises:
        SampleError: `bad-media-list`, where media stand in the turn, which nobody would find there.
    """
    rest = {key: value for key, value in turn.items() if key not in TURN_KEYS}
    media = next((key for key in _MEDIA_KEYS if rest.get(key)), None)
    if media is not None:
        raise SampleError(
            f'{origin}: "{media}" stands in the turn; media beside the conversation, or in a list of parts, were '
            "expected; move it there",
            "bad-media-list",
        )
    return rest or None


def read_role(turn: Mapping[str, Any], *, origin: str) -> Role:
    """The role that a turn names.

    Raises:
        SampleError: `bad-turn` when it names none, `unknown-role` when the name is not one of `ROLES`.
    """
    name = turn.get("role") if turn.get("from") is None else turn["from"]
    if not isinstance(name, str):
        raise SampleError(
            f'{origin}: its role ("from" or "role") is {_found(name)}; a string was expected; mend the turn',
            "bad-turn",
        )
    role = ROLES.get(name.strip().lower())
    if role is None:
        raise SampleError(
            f"{origin}: unknown role {name[:50]!r}; one of {', '.join(ROLES)} was expected; rename it",
            "unknown-role",
        )
    return role


def with_system(turns: tuple[Turn, ...], entry: Mapping[str, Any]) -> tuple[Turn, ...]:
    """The turns, headed by the `system` text beside the conversation where they do not begin with a system turn."""
    system = entry.get("system")
    if isinstance(system, str) and system and turns[0].role != "system":
        return (Turn("system", system), *turns)
    return turns


def read_content(turn: Mapping[str, Any]) -> Any:
    """What a turn says, whatever its type; None when it says nothing."""
    value = turn.get("value")
    return turn.get("content") if value is None else value


def _found(value: Any) -> str:
    return "missing" if value is None else type_name(value)
