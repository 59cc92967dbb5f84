"""What is asked is checked before it waits, and said clearly where it cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mm2energon.errors import InputError
from mm2energon.videochat.asking import LIMITS, Event, Parameters, Question


def test_the_usual_parameters_are_within_their_limits_and_survive_json() -> None:
    usual = Parameters()
    assert Parameters.read(json.loads(json.dumps(usual.as_dict()))) == usual
    assert Parameters.read({}) == usual
    assert Parameters.read({"fps": None}) == usual


@pytest.mark.parametrize("name", LIMITS)
def test_both_ends_of_a_range_are_within_it_and_what_is_beyond_is_told(name: str) -> None:
    for end in LIMITS[name]:
        whole = isinstance(getattr(Parameters(), name), int)
        Parameters.read({name: int(end) if whole else end})
    for beyond in (LIMITS[name][0] - 1, LIMITS[name][1] + 1):
        with pytest.raises(InputError, match=f"^{name}: .*from .* to "):
            Parameters.read({name: int(beyond) if isinstance(getattr(Parameters(), name), int) else beyond})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"iterations": 2.5}, "iterations: 2.5; expected a whole number from 1 to 10"),
        ({"iterations": True}, "iterations: True"),
        ({"iterations": "3"}, "iterations: '3'"),
        ({"temperature": float("nan")}, "temperature: nan"),
        ({"fps": float("inf")}, "fps: inf"),
        ({"fps": 10**400}, "fps: 10000"),
        ({"iterations": 10**5000}, "iterations: a number of very many digits"),
        ({"iterations": [[]] * 1000}, "iterations: "),
        ({"first_prompt": "Look!"}, r"first_prompt: it lacks \[QUESTION\]"),
        ({"next_prompt": ""}, "next_prompt: ''; expected a text"),
        ({"next_prompt": 3}, "next_prompt: 3"),
        ({"next_prompt": "[QUESTION]" * 5000}, "50000 characters; expected 20000"),
        ({"top_k": 3}, "parameters: 'top_k'; expected .*top_p"),
    ],
)
def test_a_parameter_that_cannot_be_is_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Parameters.read(values)


def test_whole_numbers_as_pages_write_them_are_taken() -> None:
    read = Parameters.read({"iterations": 3.0, "fps": 1, "temperature": 2, "repetition_penalty": 2, "top_p": 1})
    assert read == Parameters(iterations=3, fps=1.0, temperature=2.0, repetition_penalty=2.0, top_p=1.0)
    usual = Parameters().as_dict()  # models are picky: a penalty of 2 is none
    assert {name: type(value) for name, value in read.as_dict().items()} == {name: type(usual[name]) for name in usual}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"text": " \n"}, "question: it is empty"),
        ({"text": "why" * 10_000}, "30000 characters"),
        ({"adapters": ()}, "expected one, or two"),
        ({"adapters": ("a", "a")}, "expected one, or two different ones"),
        ({"adapters": (None, "a", "b")}, "expected one, or two"),
    ],
)
def test_a_question_that_cannot_be_is_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Question(**{"text": "why?", "video": Path("a.mp4"), **values})


@pytest.mark.parametrize("kind", ["queued", "loading", "round", "token", "spans", "answer"])
def test_something_follows_all_events_but_the_last(kind: str) -> None:
    assert not Event(1, kind, {}).is_last
    assert all(Event(1, last, {}).is_last for last in ("done", "failed", "cancelled"))
