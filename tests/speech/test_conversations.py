"""Conversations as entries: ChatML as the reference has it, with times and confidences beside."""

import json

import pytest
from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.speech.conversations import sample_of, shared_sides, token_counter
from mm2energon.speech.turns import TurnRules, build
from mm2energon.speech.utterances import Voice

from speech.utterances import assistant, by, side_of, user


def talk(*said):
    (one,) = build(said, TurnRules(), side_of).conversations
    return one


def test_an_entry_is_chatml_with_times_and_confidences_under_extra():
    sample = sample_of(talk(user(0.5, 1.23456), assistant(2, 3)), name="t-0001", recording="t.mp4", language="en")
    entry = formats.FORMATS["messages"].dump(sample)
    assert json.loads(json.dumps(entry)) == {
        "id": "t-0001",
        "messages": [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "It is tea."}],
        "extra": {
            "recording": "t.mp4",
            "start": 0.5,
            "end": 3,
            "language": "en",
            "turns": [
                {"start": 0.5, "end": 1.235, "confidence": 0.9},
                {"start": 2, "end": 3, "confidence": 0.9},
            ],
        },
    }


def test_a_system_turn_comes_first_and_has_no_times():
    sample = sample_of(talk(user(0, 1), assistant(2, 3)), name="t", recording="t.mp4", system="Be kind.")
    assert [turn.role for turn in sample.turns] == ["system", "user", "assistant"]
    assert len(sample.extra["extra"]["turns"]) == 2
    assert "language" not in sample.extra["extra"]


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_that_can_hold_text_takes_a_conversation(name):
    sample = sample_of(talk(user(0, 1), assistant(2, 3)), name="t", recording="t.mp4")
    try:
        entry = formats.FORMATS[name].dump(sample)
    except SampleError as error:
        assert error.code == "cannot-hold"
        return
    again = formats.FORMATS[name].load(entry, origin="t.jsonl:1")
    assert [turn.text for turn in again.turns if turn.role != "system"] == ["What is it?", "It is tea."]


def test_words_begin_with_names_on_a_side_that_several_share_and_on_no_other():
    voices = [Voice("user", "user", "0"), Voice("Anna", "user", "1"), Voice("assistant", "assistant", "2")]
    assert shared_sides(voices) == {"user"}
    one = talk(user(0, 1, "Hello."), by("Anna", 1, 2, "Hi."), assistant(3, 4))
    sample = sample_of(one, name="t", recording="t.mp4", named=shared_sides(voices))
    assert [turn.text for turn in sample.turns] == ["user: Hello.\nAnna: Hi.", "It is tea."]


def test_who_is_alone_on_a_side_needs_no_name():
    voices = [Voice("Anna", "user", "0"), Voice("Ben", "assistant", "1")]
    assert not shared_sides(voices)
    sample = sample_of(talk(by("Anna", 0, 1, "Hello."), assistant(3, 4)), name="t", recording="t.mp4")
    assert sample.turns[0].text == "Hello."


def test_tokens_count_the_system_turn_and_the_names():
    turns = talk(by("Anna", 0, 1, "Hello."), assistant(3, 4)).turns
    plain, system, named = (
        token_counter(None, None),
        token_counter("Be kind. " * 20, None),
        token_counter(None, None, ["user"]),
    )
    assert plain(turns) < named(turns) < system(turns)
    assert plain(turns) < plain([*turns, *turns])
