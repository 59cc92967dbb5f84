"""Turns are read by the names of their keys and roles, wherever they stand."""

from __future__ import annotations

from typing import Any

import pytest
from mm2energon.errors import SampleError
from mm2energon.formats import FORMATS
from mm2energon.sample import Turn

from formats.making import ANSWER, ASK, chat, code, hub, load

ROLES = {
    "user": ["human", "user", "Human", "USER", " user\n"],
    "assistant": ["gpt", "assistant", "chatgpt", "bot", "model", "GPT"],
    "system": ["system", "System"],
}


@pytest.mark.parametrize(("role", "name"), [(role, name) for role, names in ROLES.items() for name in names])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_role_is_read_by_its_name_wherever_it_stands(role: str, name: str, place: int) -> None:
    names = ["gpt", "gpt", "gpt"]
    names[place] = name
    for keys in (("from", "value"), ("role", "content")):
        turns = [dict(zip(keys, (name, "x"), strict=True)) for name in names]
        for entry in ({"conversations": turns}, {"messages": turns}):
            assert load(entry).turns[place] == Turn(role, "x")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tool", "function_call", "observation", "", "humans", "user:", "\ud800", "x" * 500])
def test_an_unknown_role_is_refused_and_never_guessed(name: str) -> None:
    entry = {"conversations": [{"from": name, "value": "a"}, ANSWER]}
    assert code(entry) == "unknown-role"
    assert code({"messages": [{"role": name, "content": [{"type": "text", "text": "a"}]}]}) == "unknown-role"
    with pytest.raises(SampleError, match=r"t\.json\[0\], turn 0: unknown role") as caught:
        load(entry)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([], "no-turns"),
        (None, "no-turns"),
        ("hello", "no-turns"),
        ({}, "no-turns"),
        ([None], "bad-turn"),
        (["human: hello"], "bad-turn"),
        ([[]], "bad-turn"),
        ([{}], "bad-turn"),
        ([{"from": "human"}], "bad-turn"),
        ([{"value": "a"}], "bad-turn"),
        ([{"from": "human", "value": None}], "bad-turn"),
        ([{"from": "human", "value": 5}], "bad-turn"),
        ([{"from": "human", "value": {}}], "bad-turn"),
        ([{"from": None, "value": "a"}], "bad-turn"),
        ([{"from": 1, "value": "a"}], "bad-turn"),
        ([{"from": ["human"], "value": "a"}], "bad-turn"),
        ([ASK, ANSWER, {"from": "human"}], "bad-turn"),
    ],
)
@pytest.mark.parametrize("key", ["conversations", "messages"])
def test_a_conversation_that_is_none_is_refused(key: str, turns: Any, reason: str) -> None:
    assert code({key: turns}) == reason


def test_the_turn_at_fault_is_named() -> None:
    with pytest.raises(SampleError, match=r"^t\.json\[0\], turn 2: "):
        load({"conversations": [ASK, ANSWER, {"from": "human"}]})


def test_a_turn_may_carry_both_pairs_of_keys() -> None:
    both = {"from": "human", "value": "a", "role": "user", "content": "a"}
    halves = {"from": None, "value": None, "role": "assistant", "content": "b"}
    assert load({"conversations": [both, halves]}).turns == (Turn("user", "a"), Turn("assistant", "b"))


@pytest.mark.parametrize("key", ["conversations", "messages"])
def test_a_system_text_beside_the_turns_becomes_the_system_turn(key: str) -> None:
    turns = [{"role": "user", "content": "a", "w": 1}, {"role": "assistant", "content": "b"}]
    entry = {key: turns, "system": "Be short."}
    assert load(entry).turns[0] == Turn("system", "Be short.")
    assert len(load(entry).turns) == 3 and "system" not in load(entry).extra
    assert load(hub(entry)).turns == load(entry).turns
    assert hub(entry)["conversations"][-2]["w"] == 1


@pytest.mark.parametrize("system", ["", None, 5, ["Be short."]])
def test_a_system_field_that_is_no_text_is_an_unknown_key(system: Any) -> None:
    assert len(load(chat(system=system)).turns) == 2
    assert hub(chat(system=system)) == chat(system=system)


@pytest.mark.parametrize("name", ["sharegpt", "llava", "messages", "messages-parts", "minicpm-v", "qwen-finetune"])
def test_keys_of_turns_that_mean_nothing_to_us_stay(name: str) -> None:
    entry = {
        "conversations": [
            {"from": "human", "value": "<image>What?", "name": "Ann"},
            {"from": "gpt", "value": "A cat.", "weight": 0, "loss": None},
        ],
        "image": "a.jpg",
    }
    dumped = FORMATS[name].dump(load(entry))
    turns = dumped.get("messages") or dumped["conversations"]
    assert turns[0]["name"] == "Ann"
    assert {key: turns[1][key] for key in ("weight", "loss")} == {"weight": 0, "loss": None}
    assert FORMATS["sharegpt"].dump(load(dumped)) == hub(entry)


@pytest.mark.parametrize("media", [{"images": ["a.jpg"]}, {"image": "a.jpg"}, {"video": {"url": "v.mp4"}}])
def test_media_that_stand_in_a_turn_are_not_lost_without_a_word(media: dict[str, Any]) -> None:
    assert code({"messages": [{"role": "user", "content": "What?", **media}, {"role": "assistant", "content": "A."}]})
    assert code(chat_with(media)) == "bad-media-list"
    assert load(chat_with(dict.fromkeys(media))).turns[0].text == "What?"


def chat_with(keys: dict[str, Any]) -> dict[str, Any]:
    return {"conversations": [{"from": "human", "value": "What?", **keys}, dict(ANSWER)]}
