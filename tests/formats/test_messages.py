"""Contents that are lists of parts become texts with tags, their media lists of paths."""

from __future__ import annotations

from typing import Any

import pytest
from mm2energon.errors import SampleError
from mm2energon.formats import FORMATS
from mm2energon.sample import Turn

from formats.making import ASK, chat, code, hub, load, messages


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


def test_an_image_tag_that_can_only_mean_the_video_is_read_as_its_tag() -> None:
    entry = messages("<image>\nWhat?")
    assert load({**entry, "videos": ["v.mp4"]}).turns[0].text == "<video>\nWhat?"
    assert load({**entry, "images": ["i.jpg"], "videos": ["v.mp4"]}).turns[0].text == "<image>\nWhat?"


def test_what_a_part_says_of_its_medium_comes_back() -> None:
    parts = [
        {"type": "video", "video": "v.mp4", "fps": 2.0, "video_start": 1.5, "video_end": 4},
        {"type": "text", "text": "And?"},
        {"type": "image", "image": "a.jpg"},
    ]
    entry = messages(parts, id=7)
    dumped = FORMATS["messages-parts"].dump(load(entry))
    assert dumped["messages"][0]["content"] == parts
    asked = FORMATS["sharegpt"].dump(load(entry))["conversations"][0]
    assert asked["media_options"] == [{"fps": 2.0, "video_start": 1.5, "video_end": 4}, {}]
    assert FORMATS["messages-parts"].dump(load(hub(entry)))["messages"][0]["content"] == parts
    of_openai = messages([{"type": "image_url", "image_url": {"url": "a.jpg", "detail": "low"}}])
    assert FORMATS["messages-parts"].dump(load(of_openai))["messages"][0]["content"] == [
        {"type": "image", "image": "a.jpg", "detail": "low"}
    ]


def test_parts_from_a_table_say_nothing_by_their_empty_columns() -> None:
    entry = messages([{"type": "image", "text": None, "index": 0}, {"type": "text", "text": "?", "index": None}])
    assert FORMATS["sharegpt"].dump(load({**entry, "images": ["a.jpg"]}))["conversations"][0] == {
        "from": "human",
        "value": "<image>?",
    }


def test_what_a_template_says_of_every_video_is_not_said_of_this_one() -> None:
    video = {"video_path": "v.mp4", "fps": 1, "max_frames": 4}
    asked = hub(messages([{"type": "video", "video": video}, {"type": "text", "text": "?"}]))["conversations"][0]
    assert asked == {"from": "human", "value": "<video>?"}
