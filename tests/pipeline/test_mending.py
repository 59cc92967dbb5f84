"""What options mend of a sample is what its target asks for, and nothing of its text is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from mm2energon.pipeline.mending import mend_system_turn, prepend_missing_tags
from mm2energon.rules import Facts
from mm2energon.sample import Sample, Turn
from test_rules import ANSWER, ASK, MARKED, SYSTEM, chat, reason


def roles(sample: Sample) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in sample.turns]


A, B, S = ("user", "What?"), ("assistant", "A cat."), ("system", "Be short.")


@pytest.mark.parametrize(
    ("turns", "how", "expected"),
    [
        ([SYSTEM, ASK, ANSWER], "keep", [S, A, B]),
        ([SYSTEM, ASK, ANSWER], "drop", [A, B]),
        ([SYSTEM, ASK, ANSWER], "fold", [("user", "Be short.\nWhat?"), B]),
        ([ASK, ANSWER], "drop", [A, B]),
        ([ASK, ANSWER], "fold", [A, B]),
        ([SYSTEM], "drop", [S]),
        ([SYSTEM], "fold", [S]),
        ([], "fold", []),
        ([SYSTEM, ANSWER, ASK], "fold", [S, B, A]),
        ([SYSTEM, SYSTEM, ASK], "fold", [S, S, A]),
        ([SYSTEM, ANSWER], "drop", [B]),
        ([Turn("system", " "), ASK, ANSWER], "fold", [A, B]),
        ([ASK, SYSTEM, ANSWER], "fold", [A, S, B]),
        ([MARKED, Turn("user", "<image>")], "fold", [("user", "<image>\n<image>")]),
    ],
)
def test_a_system_turn_is_mended_and_its_text_is_never_lost_by_folding(
    turns: list[Turn], how: Any, expected: list[tuple[str, str]]
) -> None:
    sample = replace(chat(id=3), turns=tuple(turns))
    assert roles(mend_system_turn(sample, how)) == expected
    assert mend_system_turn(sample, how).id == 3


@pytest.mark.parametrize("how", ["fold", "drop"])
def test_a_mended_system_turn_passes_the_reader_that_refused_it(how: Any) -> None:
    sample = chat(SYSTEM, ASK, ANSWER)
    assert reason(sample, Facts(), "pai-v1") == "system-turn"
    assert reason(mend_system_turn(sample, how), Facts(), "pai-v1") is None


@pytest.mark.parametrize(
    ("turns", "media", "expected"),
    [
        ([ASK, ANSWER], {"images": 1}, "<image>\nWhat?"),
        ([ASK, ANSWER], {"images": 2, "videos": 1, "audios": 1}, "<image>\n<image>\n<video>\n<audio>\nWhat?"),
        ([Turn("user", "<image>?"), ANSWER], {"images": 1}, "<image>?"),
        ([Turn("user", "<image>?"), ANSWER], {"images": 2}, "<image>\n<image>?"),
        ([Turn("user", "<image><image>?"), ANSWER], {"images": 1}, "<image><image>?"),
        ([Turn("user", "<image>?"), ANSWER], {"videos": 1}, "<video>\n<image>?"),
        ([Turn("user", ""), ANSWER], {"images": 1}, "<image>\n"),
        ([ASK, ANSWER], {}, "What?"),
    ],
)
def test_missing_tags_are_put_before_the_first_question(turns: Any, media: dict[str, int], expected: str) -> None:
    sample = chat(*turns, **{kind: ("x",) * count for kind, count in media.items()})
    mended = prepend_missing_tags(sample)
    assert mended.turns == (Turn("user", expected), ANSWER)
    assert prepend_missing_tags(mended) == mended


def test_the_first_question_is_found_behind_other_turns() -> None:
    mended = prepend_missing_tags(chat(SYSTEM, ANSWER, ASK, ASK, images=("a.jpg",)))
    assert roles(mended) == [S, B, ("user", "<image>\nWhat?"), A]


def test_without_a_question_no_tag_is_put_anywhere() -> None:
    sample = chat(SYSTEM, ANSWER, images=("a.jpg",))
    assert prepend_missing_tags(sample) == sample
