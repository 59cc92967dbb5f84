"""Pairs: formats whose entry is a question and an answer about one video, which the text need not name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats.holds import Holds, require_held
from mm2energon.formats.media import plain_path
from mm2energon.jsonio import type_name
from mm2energon.sample import VIDEO_TAG, Sample, Turn

#: Questions about one whole video.
ONE_VIDEO = Holds(
    images=0,
    videos=1,
    audios=0,
    needs_video=True,
    frame_lists=False,
    system=False,
    alternate=True,
    tags="first question",
)
#: One question about it.
ONE_PAIR = replace(ONE_VIDEO, questions=1)


def read_text(entry: Mapping[str, Any], key: str, *, origin: str) -> str:
    """A text of an entry.

    Raises:
        SampleError: `bad-turn` it is missing, or no string.
    """
    value = entry.get(key)
    if not isinstance(value, str):
        found = "missing" if value is None else type_name(value)
        raise SampleError(f'{origin}: "{key}" is {found}; a string was expected; mend the field', "bad-turn")
    return value


def read_path(entry: Mapping[str, Any], key: str, *, origin: str) -> str:
    """The path of an entry's video.

    Raises:
        SampleError: `bad-media-list` it is missing, or no string.
    """
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        found = "missing" if value is None else "empty" if value == "" else type_name(value)
        raise SampleError(f'{origin}: "{key}" is {found}; a path was expected; mend the field', "bad-media-list")
    return plain_path(value)


def asked(sample: Sample, *, name: str, holds: Holds = ONE_PAIR) -> Sample:
    """A sample that the format can hold, without the tag of its video, which the entry names elsewhere.

    Raises:
        SampleError: `cannot-hold`.
    """
    require_held(sample, holds, name)
    return replace(sample, turns=tuple(replace(turn, text=without_tag(turn.text)) for turn in sample.turns))


def without_tag(text: str) -> str:
    """A text without `<video>`, and without the line break that parts it from the rest."""
    for cut in (f"{VIDEO_TAG}\n", f"\n{VIDEO_TAG}", VIDEO_TAG):
        if cut in text:
            return text.replace(cut, "", 1)
    return text


def shown(question: str) -> str:
    """A question with the tag of its video in front, where it has none."""
    return question if VIDEO_TAG in question else f"{VIDEO_TAG}\n{question}"


def pair(question: str, answer: str) -> tuple[Turn, ...]:
    """The turns of one question about a video."""
    return Turn("user", shown(question)), Turn("assistant", answer)


def with_extra(entry: dict[str, Any], sample: Sample) -> dict[str, Any]:
    """An entry with the id and the unknown keys of a sample."""
    own = {} if sample.id is None else {"id": sample.id}
    return {**own, **entry, **{key: value for key, value in sample.extra.items() if key not in entry and key != "id"}}


def rest_of(entry: Mapping[str, Any], *used: str) -> dict[str, Any]:
    """The keys of an entry that mean nothing to its format."""
    return {key: value for key, value in entry.items() if key not in used and key != "id"}
