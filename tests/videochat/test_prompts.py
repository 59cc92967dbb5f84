"""Prompts hold the question, and answers are read out of whatever comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.videochat.prompts import ANSWER_PROMPT, SEARCH_PROMPT, fill, read_answer, tell_times


@pytest.mark.parametrize("prompt", [SEARCH_PROMPT, ANSWER_PROMPT])
def test_the_usual_prompts_hold_the_question(prompt: str) -> None:
    filled = fill(prompt, "  How many [QUESTION] are there?\n")
    assert '"How many [QUESTION] are there?"' in filled
    assert "<answer>" in filled


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("<think>hm</think><answer>two</answer>", "two"),
        ("<think>hm</think>\n<answer>\ntwo\n</answer><glue>[(1, 2)]</glue>", "two"),
        ("<think><answer>one</answer>? no</think><answer>two</answer>", "two"),
        ("<Answer>two", "two"),
        ("<think>hm</think>two<glue>[(1, 2)]</glue>", "two"),
        ("two", "two"),
        ("<think>I never came to", "<think>I never came to"),
        ("<think>hm <answer>two</answer>", "two"),
        ("<answer></answer>two", "<answer></answer>two"),
        ("begun in the prompt</think>two", "two"),
        ("say <answer>one</answer>? no</think><answer>two</answer>", "two"),
        ("", ""),
    ],
)
def test_the_answer_is_read_out_of_a_reply(reply: str, answer: str) -> None:
    assert read_answer(reply) == answer


@given(st.text())
def test_a_plain_text_is_its_own_answer(text: str) -> None:
    if "<" not in text:
        assert read_answer(text) == text.strip()


def test_times_of_frames_are_told() -> None:
    told = tell_times([0.0, 0.5, 12.25], duration=13.04)
    assert "13.04 seconds" in told
    assert "0.0, 0.5, 12.25" in told


def test_one_frame_is_told_as_one() -> None:
    assert tell_times([0.0], duration=0.1) == "The video lasts 0.1 seconds. Its frame here is from second: 0.0."


def test_times_of_neighbouring_frames_are_told_apart() -> None:
    assert "0.0, 0.03, 0.07." in tell_times([0.0, 1 / 30, 2 / 30], duration=0.1)
