"""Rounds of perception: each looks more closely where the one before found its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mm2energon.video.picture import Pixels
from mm2energon.videochat.asking import Parameters
from mm2energon.videochat.frames import FrameReader, Shown, Sizing, Unwanted
from mm2energon.videochat.perception import Asked, Task, perceive

SHOWN = Shown(np.arange(3000) / 30, 100.0, 0.0)
PROMPTS = {"first_prompt": "look: [QUESTION]", "next_prompt": "answer: [QUESTION]"}


class Script:
    """A model that says what stands in the script, and keeps what it was asked."""

    def __init__(self, *replies: str) -> None:
        self._replies = iter(replies)
        self.asked: list[Asked] = []

    def reply(self, asked: Asked, stop: Callable[[], bool]) -> Iterator[str]:
        self.asked.append(asked)
        reply = next(self._replies)
        yield from (reply[at : at + 7] for at in range(0, len(reply), 7))


class NoReader(FrameReader):
    """A reader of a video that is not there."""

    def __init__(self) -> None:
        self.video = Path("clip.mp4")

    def read(self, times: Any, sizing: Sizing, stop: Callable[[], bool]) -> list[Pixels]:
        return [np.zeros((2, 2, 3), np.uint8)] * len(times)


def never() -> bool:
    return False


def run(model: Script, *, iterations: int = 3, **parameters: Any) -> list[tuple[str, dict[str, Any]]]:
    given = Parameters(iterations=iterations, **{**PROMPTS, "frame_budget": 40, **parameters})
    return list(perceive(Task("who?", given, NoReader(), SHOWN), model, never))


def of_kind(events: list[tuple[str, dict[str, Any]]], kind: str) -> list[dict[str, Any]]:
    return [data for name, data in events if name == kind]


def test_each_round_looks_closer_at_the_spans_of_the_one_before_and_the_last_answers() -> None:
    model = Script(
        "<answer>one</answer><glue>[(10, 20), (15, 25)]</glue>",
        "<answer>two</answer><glue>[(12, 14)]</glue>",
        "<think>so</think><answer>three</answer>",
    )
    events = run(model)
    assert [(one["round"], one["of"]) for one in of_kind(events, "round")] == [(1, 3), (2, 3), (3, 3)]
    assert [one["spans"] for one in of_kind(events, "spans")] == [[[10, 25]], [[12, 14]]]
    assert events[-1][0] == "answer"
    assert events[-1][1]["text"] == "three"
    assert [asked.prompt for asked in model.asked] == ["look: who?", "look: who?", "answer: who?"]
    assert [asked.look.spans for asked in model.asked] == [(), ((10, 25),), ((12, 14),)]
    inside = [sum(12 <= time < 14 for time in one["frames"]) for one in of_kind(events, "round")]
    assert inside[0] < inside[1] < inside[2]
    assert all(len(one["frames"]) <= 40 for one in of_kind(events, "round"))


def test_the_tokens_of_a_round_are_its_reply() -> None:
    events = run(Script("<answer>a b c</answer>"), iterations=1)
    assert "".join(data["text"] for data in of_kind(events, "token")) == "<answer>a b c</answer>"
    assert events[-1] == ("answer", {"text": "a b c", "reply": "<answer>a b c</answer>"})


def test_a_single_round_is_the_last_one() -> None:
    model = Script("two")
    events = run(model, iterations=1)
    assert [kind for kind, _ in events] == ["round", "token", "answer"]
    assert model.asked[0].prompt == "answer: who?"


def test_spans_of_the_last_round_are_shown_too() -> None:
    events = run(Script("<answer>a</answer><glue>[(1, 2)]</glue>"), iterations=1)
    assert of_kind(events, "spans") == [{"spans": [[1, 2]], "message": ""}]


@pytest.mark.parametrize("written", ["", "<glue>[]</glue>", "<glue>[(500, 600)]</glue>", "<glue>somewhere</glue>"])
def test_a_round_without_spans_is_followed_by_the_last_with_even_frames(written: str) -> None:
    model = Script(f"<answer>one</answer>{written}", "<answer>two</answer>")
    events = run(model, iterations=5)
    assert [one["round"] for one in of_kind(events, "round")] == [1, 5]
    assert of_kind(events, "spans")[0]["spans"] == []
    assert "spread evenly" in of_kind(events, "spans")[0]["message"]
    assert model.asked[1].look == model.asked[0].look
    assert events[-1][1]["text"] == "two"


def test_a_later_round_without_spans_falls_back_to_those_before() -> None:
    model = Script("<glue>[(10, 20)]</glue>", "nothing", "two")
    events = run(model, iterations=5)
    assert [one["round"] for one in of_kind(events, "round")] == [1, 2, 5]
    assert model.asked[2].look.spans == ((10, 20),)


def test_the_same_spans_again_are_followed_by_the_last_round() -> None:
    model = Script("<glue>[(10, 20)]</glue>", "<glue>[(10, 20.0)]</glue>", "two")
    assert [one["round"] for one in of_kind(run(model, iterations=9), "round")] == [1, 2, 9]


def test_ten_rounds_are_asked_where_each_finds_something_new() -> None:
    model = Script(*(f"<glue>[({number}, {number + 9})]</glue>" for number in range(9)), "done")
    assert [one["round"] for one in of_kind(run(model, iterations=10), "round")] == list(range(1, 11))


def test_a_question_that_is_stopped_asks_no_more() -> None:
    model = Script("one two three four", "five")
    seen: list[str] = []
    with pytest.raises(Unwanted):
        for kind, data in perceive(
            Task("who?", Parameters(**PROMPTS), NoReader(), SHOWN), model, lambda: len(seen) >= 2
        ):
            if kind == "token":
                seen.append(data["text"])
    assert seen == ["one two", " three "]
    assert len(model.asked) == 1


def test_frames_are_read_when_the_model_wants_them_at_its_size() -> None:
    model = Script("one")
    run(model, iterations=1)
    frames = model.asked[0].frames(lambda width, height: (width, height))
    assert len(frames) == len(model.asked[0].look.times)
