"""The text of servers' events is whole, whatever they call it and wherever they cut it."""

from __future__ import annotations

from typing import Any

import pytest
from mm2energon.videochat.backends.deltas import BrokenOffError, pieces


def event(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([event(role="assistant"), event(content="It is "), event(content="red."), event(content=None)], "It is red."),
        ([{"choices": [{"message": {"content": "at once"}}]}], "at once"),
        ([event(content=[{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}])], "in parts"),
        ([event(refusal="I may not.", content=None)], "I may not."),
        (
            [event(reasoning_content="I "), event(reasoning_content="see"), event(content="red")],
            "<think>I see</think>red",
        ),
        ([event(reasoning="never done")], "<think>never done</think>"),
        ([event(reasoning="both", reasoning_content="both"), event(content="x")], "<think>both</think>x"),
        ([{"choices": [], "usage": {}}, {"choices": None}, {"choices": [None]}, {"choices": [{"delta": 3}]}], ""),
    ],
)
def test_the_text_is_read_as_servers_write_it(events: list[Any], text: str) -> None:
    assert "".join(pieces(events)) == text


def test_a_character_that_comes_in_halves_is_handed_over_whole() -> None:
    assert list(pieces([event(content="a\ud83d"), event(content="\ude00b")])) == ["a", "😀b"]
    assert "".join(pieces([event(content="a\ud83d")])) == "a\N{REPLACEMENT CHARACTER}"
    assert "".join(pieces([event(content="\ude00a")])) == "\N{REPLACEMENT CHARACTER}a"


def test_an_answer_that_was_filtered_is_told() -> None:
    with pytest.raises(BrokenOffError, match="content_filter"):
        list(pieces([event(content="It"), event("content_filter")]))
    assert list(pieces([event("length", content="It")])) == ["It"]
