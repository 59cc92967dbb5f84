"""Entries as they are found in the wild: LLaVA, ShareGPT, messages; media keys, roles, lists of parts."""

from __future__ import annotations

from typing import Any

import pytest
from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.sample import Sample, Turn

ASK = {"from": "human", "value": "<image>\nWhat?"}
ANSWER = {"from": "gpt", "value": "A cat."}


def chat(**keys: Any) -> dict[str, Any]:
    return {"conversations": [dict(ASK), dict(ANSWER)], **keys}


def load(entry: dict[str, Any]) -> Sample:
    return formats.load(entry, origin="t.json[0]")


def hub(entry: dict[str, Any]) -> dict[str, Any]:
    return formats.to_sharegpt(entry, origin="t.json[0]")


def code(entry: dict[str, Any]) -> str:
    codes = set()
    for step in (load, hub):
        with pytest.raises(SampleError, match=r"^t\.json\[0\].*: .*; .*expected.*; ") as caught:
            step(entry)
        codes.add(caught.value.code)
    (one,) = codes
    return one


@pytest.mark.parametrize(("singular", "plural"), [("image", "images"), ("video", "videos"), ("audio", "audios")])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"one": "a.x"}, ["a.x"]),
        ({"one": ["a.x"]}, ["a.x"]),
        ({"one": ["a.x", "b.x"]}, ["a.x", "b.x"]),
        ({"many": ["a.x", "b.x"]}, ["a.x", "b.x"]),
        ({"many": "a.x"}, ["a.x"]),
        ({"one": "a.x", "many": ["a.x"]}, ["a.x"]),
        ({"one": "b.x", "many": ["a.x", "b.x"]}, ["a.x", "b.x"]),
        ({"one": ["a.x", "b.x"], "many": ["a.x", "b.x"]}, ["a.x", "b.x"]),
        ({"one": "a.x", "many": []}, ["a.x"]),
        ({"one": "a.x", "many": None}, ["a.x"]),
        ({"one": None, "many": ["a.x"]}, ["a.x"]),
        ({"one": "", "many": ["a.x"]}, ["a.x"]),
        ({"one": [], "many": ["a.x"]}, ["a.x"]),
        ({"one": "file:///d/a.x"}, ["/d/a.x"]),
        ({"one": ["a.x", "a.x"]}, ["a.x", "a.x"]),
    ],
)
def test_a_singular_key_becomes_the_plural_one(
    singular: str, plural: str, before: dict[str, Any], after: list[str]
) -> None:
    entry = chat(id=1, **{{"one": singular, "many": plural}[key]: value for key, value in before.items()})
    assert hub(entry) == chat(id=1, **{plural: after})
    assert getattr(load(entry), plural) == tuple(after)


@pytest.mark.parametrize("empty", [{"image": None}, {"image": ""}, {"image": []}, {"video": None, "audio": ""}, {}])
def test_a_media_key_that_names_nothing_goes(empty: dict[str, Any]) -> None:
    assert hub(chat(**empty)) == chat()


def test_an_empty_plural_key_stays() -> None:
    assert hub(chat(image=None, images=[])) == chat(images=[])


@pytest.mark.parametrize(
    "value",
    [5, True, {"<image_00>": "a.jpg"}, [5], [None], ["a.jpg", ""], [[]], [{}], [[""]], [["a.jpg", 5]], [[["a"]]]],
)
@pytest.mark.parametrize("key", ["image", "images", "video", "videos", "audio", "audios"])
def test_a_media_field_that_is_no_path_is_refused(key: str, value: Any) -> None:
    assert code(chat(**{key: value})) == "bad-media-list"


@pytest.mark.parametrize("key", ["image", "images", "audio", "audios"])
def test_only_a_video_may_be_a_list_of_frames(key: str) -> None:
    assert code(chat(**{key: [["1.jpg", "2.jpg"]]})) == "bad-media-list"


@pytest.mark.parametrize(("one", "many"), [("c.x", ["a.x"]), (["a.x", "c.x"], ["a.x", "b.x"])])
def test_two_keys_that_disagree_are_refused(one: Any, many: Any) -> None:
    assert code(chat(image=one, images=many)) == "bad-media-list"


@pytest.mark.parametrize(
    ("video", "tags", "expected"),
    [
        (["1.jpg", "2.JPG"], 1, (("1.jpg", "2.JPG"),)),
        (["1.png"], 1, (("1.png",),)),
        ([["1.jpg", "2.jpg"]], 1, (("1.jpg", "2.jpg"),)),
        ([["1.jpg"], ["2.jpg"]], 2, (("1.jpg",), ("2.jpg",))),
        (["a.mp4", "b.mp4"], 1, ("a.mp4", "b.mp4")),
        (["a.mp4", ["1.jpg"]], 2, ("a.mp4", ("1.jpg",))),
        (["1.jpg", "2.jpg"], 2, ("1.jpg", "2.jpg")),
        ("a.mp4", 1, ("a.mp4",)),
    ],
)
def test_a_video_may_be_a_list_of_its_frames(video: Any, tags: int, expected: Any) -> None:
    entry = {"conversations": [{"from": "human", "value": "<video>" * tags}, ANSWER], "video": video}
    assert load(entry).videos == expected
    assert load(hub(entry)).videos == expected


@pytest.mark.parametrize("identity", [0, "", "a/b.c", 1.5, False, ["x"], {"n": 1}, 10**25, "\ud800"])
def test_the_id_is_kept_whatever_its_type(identity: Any) -> None:
    for entry in (chat(id=identity), chat(id=identity, image="a.jpg"), messages("Hi", id=identity)):
        assert (hub(entry)["id"], load(entry).id) == (identity, identity)
        assert type(hub(entry)["id"]) is type(identity)


def test_unknown_keys_of_entries_and_turns_are_kept() -> None:
    more = {"source": "web", "score": {"a": [None, 1.5]}, "": 0, "data_type": None}
    turns = [{**ASK, "weight": 0, "lang": None}, {**ANSWER, "loss": False}]
    assert hub({"conversations": turns, "image": "a.jpg", **more}) == {
        "conversations": turns,
        "images": ["a.jpg"],
        **more,
    }
    roles = [{"role": "user", "content": "<image>\nWhat?", "weight": 0, "lang": None}]
    roles += [{"role": "assistant", "content": "A cat.", "loss": False}]
    assert hub({"messages": roles, "image": "a.jpg", **more}) == {
        "conversations": turns,
        "images": ["a.jpg"],
        **more,
    }
    assert load({"messages": roles, **more}).extra == more


def test_an_entry_of_conversations_keeps_its_turns_as_they_are() -> None:
    turns = [{"role": " User ", "content": "a"}, {"from": "CHATGPT", "value": "b"}]
    assert hub({"conversations": turns})["conversations"] == turns


def test_the_entry_itself_is_not_changed() -> None:
    for entry in (chat(image="a.jpg", x=[1]), messages([{"type": "image", "image": "a.jpg"}], x=[1])):
        before = repr(entry)
        hub(entry)
        load(entry)
        assert repr(entry) == before


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


def messages(content: Any, **keys: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "A cat."}], **keys}


@pytest.mark.parametrize(
    ("content", "text", "media"),
    [
        ("Hi", "Hi", {}),
        ([{"type": "text", "text": "Hi"}], "Hi", {}),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab", {}),
        (["Hi"], "Hi", {}),
        ([], "", {}),
        ([{"type": "image", "image": "a.jpg"}, {"type": "text", "text": "Hi"}], "<image>Hi", {"images": ("a.jpg",)}),
        ([{"type": "text", "text": "Hi"}, {"type": "image", "image": "a.jpg"}], "Hi<image>", {"images": ("a.jpg",)}),
        ([{"type": "image_url", "image_url": {"url": "a.jpg"}}], "<image>", {"images": ("a.jpg",)}),
        ([{"type": "image_url", "image_url": "a.jpg"}], "<image>", {"images": ("a.jpg",)}),
        ([{"type": "image", "path": "a.jpg"}], "<image>", {"images": ("a.jpg",)}),
        ([{"type": "image", "url": "a.jpg"}], "<image>", {"images": ("a.jpg",)}),
        ([{"type": "image", "image": "file:///d/a.jpg"}], "<image>", {"images": ("/d/a.jpg",)}),
        ([{"type": "video", "video": "file:///x.mp4", "fps": 1.0}], "<video>", {"videos": ("/x.mp4",)}),
        ([{"type": "video", "video": ["1.jpg", "file://2.jpg"]}], "<video>", {"videos": (("1.jpg", "2.jpg"),)}),
        ([{"type": "video_url", "video_url": {"url": "x.mp4"}}], "<video>", {"videos": ("x.mp4",)}),
        ([{"type": "audio", "audio": "s.wav"}], "<audio>", {"audios": ("s.wav",)}),
        (
            [
                {"type": "video", "video": "v.mp4"},
                {"type": "image", "image": "2.jpg"},
                {"type": "text", "text": "?"},
                {"type": "image", "image": "1.jpg"},
            ],
            "<video><image>?<image>",
            {"videos": ("v.mp4",), "images": ("2.jpg", "1.jpg")},
        ),
    ],
)
@pytest.mark.parametrize("key", ["messages", "conversations"])
def test_a_content_is_a_text_or_a_list_of_parts(key: str, content: Any, text: str, media: dict[str, Any]) -> None:
    entry = {key: messages(content)["messages"]}
    sample = load(entry)
    assert sample.turns == (Turn("user", text), Turn("assistant", "A cat."))
    assert {kind: getattr(sample, kind) for kind in ("images", "videos", "audios")} == {
        "images": (),
        "videos": (),
        "audios": (),
        **media,
    }
    assert load(hub(entry)).turns == sample.turns
    assert load(hub(entry)).videos == sample.videos


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (None, "bad-turn"),
        (5, "bad-turn"),
        ({}, "bad-turn"),
        ({"text": "a"}, "bad-turn"),
        ({"type": "text"}, "bad-turn"),
        ({"type": "text", "text": 5}, "bad-turn"),
        ({"type": "tool_use"}, "bad-turn"),
        ({"type": ["image"]}, "bad-turn"),
        ({"type": {}}, "bad-turn"),
        ({"type": "image", "image": 5}, "bad-media-list"),
        ({"type": "image", "image": ""}, "bad-media-list"),
        ({"type": "image", "image": ["a.jpg"]}, "bad-media-list"),
        ({"type": "image_url", "image_url": {}}, "bad-media-list"),
        ({"type": "video", "video": []}, "bad-media-list"),
        ({"type": "video", "video": [5]}, "bad-media-list"),
        ({"type": "video", "video": {"path": "x"}}, "bad-media-list"),
    ],
)
def test_a_part_that_says_nothing_known_is_refused_by_its_place(part: Any, reason: str) -> None:
    entry = messages([{"type": "text", "text": "a"}, part])
    assert code(entry) == reason
    with pytest.raises(SampleError, match=r"^t\.json\[0\], turn 0, part 1: "):
        load(entry)


def test_parts_without_media_of_their_own_stand_for_those_beside_the_messages() -> None:
    content = [{"type": "image"}, {"type": "text", "text": "?"}, {"type": "image"}, {"type": "video"}]
    sample = load(messages(content, images=["1.jpg", "2.jpg"], video="v.mp4"))
    assert sample.turns[0].text == "<image>?<image><video>"
    assert (sample.images, sample.videos) == (("1.jpg", "2.jpg"), ("v.mp4",))


def test_media_in_parts_and_beside_them_must_say_the_same() -> None:
    part = [{"type": "image", "image": "a.jpg"}]
    assert load(messages(part, images=["a.jpg"])).images == ("a.jpg",)
    assert code(messages(part, images=["b.jpg"])) == "bad-media-list"
    assert code(messages(part, images=["a.jpg", "b.jpg"])) == "bad-media-list"


def test_of_an_entry_with_both_keys_the_conversations_are_taken_and_the_messages_kept() -> None:
    entry = {**messages("other"), **chat(image="a.jpg")}
    assert load(entry).turns[0].text == ASK["value"]
    assert hub(entry)["messages"] == entry["messages"]
    assert hub(entry)["images"] == ["a.jpg"]


@pytest.mark.parametrize("conversations", [None, []])
def test_empty_conversations_do_not_hide_the_messages(conversations: Any) -> None:
    entry = messages("Hi", conversations=conversations)
    assert load(entry).turns[0].text == "Hi"
    assert hub(entry)["conversations"][0] == {"from": "human", "value": "Hi"}
