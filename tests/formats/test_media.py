"""Media fields of every writing become one list of paths a kind, and nothing else of an entry changes."""

from __future__ import annotations

from typing import Any

import pytest

from formats.making import ANSWER, ASK, chat, code, hub, load, messages


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
        ({"one": {"path": "a.x"}}, ["a.x"]),
        ({"many": [{"bytes": None, "path": "a.x"}, {"url": "b.x"}]}, ["a.x", "b.x"]),
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


@pytest.mark.parametrize(
    ("media", "before", "after"),
    [
        ({"video": "v.mp4"}, ["<image>\nWhat?", "A dog.", "Again <image>?", "Yes."], None),
        ({"video": "v.mp4"}, ["<image>\nWhat?", "It is <image>."], ["<video>\nWhat?", "It is <image>."]),
        ({"videos": ["v.mp4", "w.mp4"]}, ["<image> or <image>?", "First."], ["<video> or <video>?", "First."]),
        ({"video": ["1.jpg", "2.jpg", "3.jpg"]}, ["<image>What?", "A dog."], ["<video>What?", "A dog."]),
        ({"video": "v.mp4"}, ["<video> shows <image>?", "Yes."], None),
        ({"video": "v.mp4", "image": "i.jpg"}, ["<image> then <image>?", "Yes."], None),
        ({"image": "i.jpg"}, ["<image>What?", "A dog."], None),
    ],
)
def test_an_image_tag_that_can_only_mean_the_video_is_read_as_its_tag(
    media: dict[str, Any], before: list[str], after: list[str] | None
) -> None:
    turns = [{"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(before)]
    sample = load({"conversations": turns, **media})
    assert [turn.text for turn in sample.turns] == (after or before)
    assert sum(turn.text.count("<video>") for turn in sample.turns) == len(sample.videos) or after is None
