"""Editing: a sample as somebody changed it, written into the journal and read back on top of the original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mm2energon.errors import InputError, SampleError
from mm2energon.formats import sharegpt
from mm2energon.formats.media import read_paths, read_videos
from mm2energon.formats.pairs import shown
from mm2energon.formats.turns import read_turns
from mm2energon.review.facets import without_tags
from mm2energon.sample import VIDEO_TAG, Sample, Turn


def as_entry(sample: Sample, original: Sample | None) -> dict[str, Any]:
    """A sample as the journal holds it: as ShareGPT, without what editing does not touch.

    Raises:
        InputError: it says nothing, or what JSON cannot say.
    """
    if not sample.turns:
        raise InputError("an edit without turns: a question and an answer were expected; reject the entry instead")
    entry = sharegpt.dump(replace(sample, turns=_with_extra(sample, original), id=None, extra={}))
    try:
        "".join(turn.text for turn in sample.turns).encode()
    except UnicodeEncodeError as error:
        raise InputError("an edit with half of a surrogate pair: Unicode text was expected; mend the text") from error
    return entry


def as_read_of_row(sample: Sample) -> Sample:
    """A sample of a CSV as its row would be read: a column names its video, which the question need not."""
    turns = sample.turns
    place = next((place for place, turn in enumerate(turns) if turn.role == "user"), None)
    if place is None or len(sample.videos) != 1 or any(VIDEO_TAG in turn.text for turn in turns):
        return sample
    asked = replace(turns[place], text=shown(turns[place].text))
    return replace(sample, turns=(*turns[:place], asked, *turns[place + 1 :]))


def _with_extra(sample: Sample, original: Sample | None) -> tuple[Turn, ...]:
    """The turns with the keys that they had, where there are as many of the same roles."""
    old = () if original is None else original.turns
    if [turn.role for turn in old] != [turn.role for turn in sample.turns]:
        return sample.turns
    pairs = zip(sample.turns, old, strict=True)
    return tuple(turn if turn.extra else replace(turn, extra=before.extra) for turn, before in pairs)


def edited(original: Sample | None, entry: Mapping[str, Any], *, origin: str) -> Sample:
    """A sample as the journal says that it was edited; all else as it was.

    Raises:
        InputError: the journal says something that is no sample.
    """
    try:
        turns = read_turns(entry.get("conversations"), origin=origin)
        images, audios = (read_paths(entry, kind, origin=origin) for kind in ("image", "audio"))
        videos = read_videos(entry, turns, origin=origin)
    except SampleError as error:
        raise InputError(f"an edit of {origin} in the journal is none ({error}); undo it") from error
    whole = Sample(turns, images, videos, audios, origin=origin)
    if original is None:
        return whole
    return replace(original, turns=turns, images=images, videos=videos, audios=audios)


def says_the_same(one: Sample, other: Sample | None) -> bool:
    """Whether an edit changes nothing."""
    if other is None:
        return False
    return (one.turns, one.images, one.videos, one.audios) == (other.turns, other.images, other.videos, other.audios)


def still_wrong(error: SampleError | None, sample: Sample) -> SampleError | None:
    """What is wrong with an entry once it is edited: a row may still lack a field."""
    if error is None or error.code != "missing-field":
        return None
    says_something = all(without_tags(turn.text).strip() for turn in sample.turns)
    return None if says_something and sample.videos else error
