"""Mending: what options allow to be done to a sample that its target would not take as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from mm2energon.pipeline.planned import OddFrames
from mm2energon.sample import Sample, Turn

SystemTurn = Literal["keep", "fold", "drop"]


@dataclass(frozen=True)
class Mending:
    """What may be done to a sample that its target would not take as it is."""

    system_turn: SystemTurn = "keep"
    prepend_missing_tags: bool = False
    double_single_frames: bool = False
    enlarge_small_images: bool = False
    #: More images than this: set aside.
    max_images: int | None = None
    #: More frames than this: as many, evenly spread.
    max_frames: int | None = None
    #: What becomes of an odd last frame; None: what the target's reader does with it.
    odd_frames: OddFrames | None = None


def mend_system_turn(sample: Sample, how: SystemTurn) -> Sample:
    """The sample with its leading system turn kept, put before the text of the user turn that follows, or taken out."""
    first, rest = sample.turns[:1], sample.turns[1:]
    if how == "keep" or not first or first[0].role != "system" or not rest:
        return sample
    if how == "fold" and first[0].text.strip():
        if rest[0].role != "user":
            return sample  # nowhere to fold it to: the rules of the reader say what becomes of it
        rest = (Turn("user", f"{first[0].text}\n{rest[0].text}"), *rest[1:])
    return replace(sample, turns=rest)


def prepend_missing_tags(sample: Sample) -> Sample:
    """The sample with the tags that its text lacks, one a line, before the first user turn's text."""
    place = next((n for n, turn in enumerate(sample.turns) if turn.role == "user"), None)
    if place is None:
        return sample
    missing = [tag for tag, media in sample.media() for _ in range(len(media) - sample.count_tags(tag))]
    if not missing:
        return sample
    turn = replace(sample.turns[place], text="\n".join([*missing, sample.turns[place].text]))
    return replace(sample, turns=(*sample.turns[:place], turn, *sample.turns[place + 1 :]))
