"""VideoChat fine-tuning: the path of a video, and the whole conversation in one text.

    {"video_path": "films/7.mp4", "text": "USER: What is this?\\nASSISTANT: A cat."}

A line that begins with `USER: ` or `ASSISTANT: ` begins a turn; a line end behind the last one is no part of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats.pairs import ONE_VIDEO, asked, read_path, read_text, rest_of, shown, with_extra
from mm2energon.sample import Role, Sample, Turn

HOLDS = ONE_VIDEO

_ROLES: dict[str, Role] = {"USER": "user", "ASSISTANT": "assistant"}
_NAMES = {role: name for name, role in _ROLES.items()}
_BEGIN = re.compile(r"^(USER|ASSISTANT):[ \t]?", re.MULTILINE)


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format."""
    return "video_path" in entry and "text" in entry


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample.

    Raises:
        SampleError: a field is missing or no string, or the text does not begin with a turn, or holds no answer.
    """
    turns = _turns(read_text(entry, "text", origin=origin), origin=origin)
    if all(turn.role != "assistant" for turn in turns):
        raise SampleError(
            f'{origin}: no line of "text" begins with "ASSISTANT: "; an answer was expected; mend the text', "bad-turn"
        )
    first = next((place for place, turn in enumerate(turns) if turn.role == "user"), None)
    if first is not None:
        turns[first] = replace(turns[first], text=shown(turns[first].text))
    return Sample(
        turns=tuple(turns),
        videos=(read_path(entry, "video_path", origin=origin),),
        id=entry.get("id"),
        extra=rest_of(entry, "video_path", "text"),
        origin=origin,
    )


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry.

    Raises:
        SampleError: `cannot-hold`, also where a line of a turn would be taken for the beginning of one.
    """
    held = asked(sample, name="videochat-finetune", holds=HOLDS)
    text = "\n".join(f"{_NAMES[turn.role]}: {turn.text}" for turn in held.turns)
    text += "\n" if text.endswith("\n") else ""
    if _turns(text, origin=sample.origin) != list(held.turns):
        raise SampleError(
            f"{sample.origin}: a line that begins with USER: or ASSISTANT:, which an entry of videochat-finetune "
            "cannot hold; choose another format, or change the text",
            "cannot-hold",
        )
    return with_extra({"video_path": held.videos[0], "text": text}, held)


def _turns(text: str, *, origin: str) -> list[Turn]:
    text = text.removesuffix("\n")
    begins = list(_BEGIN.finditer(text))
    if not begins or text[: begins[0].start()].strip():
        raise SampleError(
            f'{origin}: "text" begins with {text[:30]!r}; "USER: " was expected; mend the text', "bad-turn"
        )
    ends = [begin.start() - 1 for begin in begins[1:]] + [len(text)]
    return [
        Turn(_ROLES[begin[1]], text[begin.end() : max(end, begin.end())].removesuffix("\r"))
        for begin, end in zip(begins, ends, strict=True)
    ]
