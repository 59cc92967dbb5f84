"""What holds of every row of the FORMATS table, and of any entry at all."""

from __future__ import annotations

import inspect
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon import formats
from mm2energon.errors import InputError, SampleError
from mm2energon.formats import FORMATS
from mm2energon.jsonio import dumps, read_entries
from mm2energon.sample import Sample, Turn

ROWS = pytest.mark.parametrize("name", FORMATS)
SAMPLE = Sample(
    turns=(
        Turn("system", "Be short."),
        Turn("user", "<image><image><video><video><audio>\nWhat?"),
        Turn("assistant", "A cat 😀."),
        Turn("user", ""),
        Turn("assistant", "<image> is a tag."),
    ),
    images=("a.jpg", "b/c.png", "a.jpg"),
    videos=("v.mp4", ("f/1.jpg", "f/2.jpg")),
    audios=("s.wav",),
    id=7,
    extra={"source": {"page": [1, None]}, "Weight": 0.5},
    origin="train.json[3]",
)


#: A video without images, which is what formats hold that hold one kind.
VIDEO = replace(
    SAMPLE,
    turns=(Turn("user", "<video>\nWhat?"), Turn("assistant", "A cat 😀.\n"), Turn("user", ""), Turn("assistant", "?")),
    images=(),
    videos=("films/v.mp4",),
    audios=(),
)
PAIR = replace(VIDEO, turns=VIDEO.turns[:2])
IMAGES = replace(
    VIDEO, turns=(Turn("user", "a <image> b <image>"), *VIDEO.turns[1:]), images=("1.jpg", "f/2.png"), videos=()
)
SAMPLES = {
    "all": SAMPLE,
    "bare": replace(SAMPLE, id=None, extra={}),
    "odd id": replace(SAMPLE, id={"a": [1]}),
    "frames": replace(SAMPLE, images=("a.jpg",), videos=(("1.jpg", "2.jpg"),), turns=(Turn("user", "<video>"),)),
    "one frame": replace(SAMPLE, videos=(("1.jpg",),), turns=(Turn("user", "<video>"),)),
    "text alone": replace(SAMPLE, images=(), videos=(), audios=(), turns=(Turn("assistant", " "),)),
    "two systems": replace(SAMPLE, extra={"system": "kept, for the turns have one already"}),
    "no system": replace(SAMPLE, extra={"system": None}, turns=SAMPLE.turns[1:]),
    "video": VIDEO,
    "pair": PAIR,
    "pair without more": replace(PAIR, id=None, extra={}),
    "system and video": replace(VIDEO, turns=(Turn("system", "Be short."), *VIDEO.turns)),
    "odd texts": replace(
        PAIR, turns=(Turn("user", "<video>\nUSER: a\nASSISTANT: b ASSISTANT:"), Turn("assistant", ""))
    ),
    "images": IMAGES,
    "one image": replace(IMAGES, turns=(Turn("user", "<image>"), Turn("assistant", "A.")), images=("1.jpg",)),
    "text": replace(PAIR, turns=(Turn("user", "How much?"), Turn("assistant", "4")), videos=()),
    "folder of frames": replace(VIDEO, videos=(("f/1.jpg", "f/2.jpg"),)),
    "two videos": replace(
        VIDEO, videos=("a.mp4", "b.mp4"), turns=(Turn("user", "<video><video>"), Turn("assistant", ""))
    ),
}
#: Formats of which an entry need not say where the system turn comes from, and those whose folder is a list of frames.
SYSTEM_OF_ITS_OWN = {"legacy-videollama2", "legacy-qwen"}


def example(name: str) -> dict[str, Any]:
    """The entry that the docstring of a format, or of the module of its row, shows."""
    row: Any = FORMATS[name]
    text = (row if inspect.ismodule(row) else sys.modules[type(row).__module__]).__doc__ or ""
    entry: dict[str, Any] = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    return entry


@ROWS
def test_the_example_is_told_and_says_what_it_shows(name: str) -> None:
    entry = example(name)
    assert FORMATS[name].matches(entry)
    sample = FORMATS[name].load(entry, origin="train.json[3]")
    assert [turn.role for turn in sample.turns if turn.role != "system"] == ["user", "assistant"]
    asked, answered = (turn.text for turn in sample.turns if turn.role != "system")
    assert re.sub(r"\n|<image>|<video>", "", asked) == "What is this?"
    assert asked.startswith("<image>" if sample.images else "<video>")
    assert answered == "A cat."
    assert sample.images in ((), ("pictures/7.jpg",), ("pictures/7.jpg", "pictures/8.jpg"))
    assert sample.videos in ((), ("films/7.mp4",), ("films/v_7",), ("pages/7",))
    assert bool(sample.images) != bool(sample.videos) and sample.origin == "train.json[3]"


@ROWS
def test_an_example_of_unnamed_format_is_read_as_the_same_sample(name: str) -> None:
    found = formats.detect(example(name), origin="o")
    ours, theirs = (FORMATS[one].load(example(name), origin="o") for one in (name, found))
    assert (ours.images, ours.videos, ours.id) == (theirs.images, theirs.videos, theirs.id)
    assert [turn.text.replace("\n", "") for turn in ours.turns] == [
        turn.text.replace("\n", "") for turn in theirs.turns
    ]
    assert formats.may_hold_videos(example(name)) or not ours.videos


@ROWS
def test_the_example_comes_back_from_its_dump(name: str) -> None:
    sample = FORMATS[name].load(example(name), origin="o")
    assert FORMATS[name].load(json.loads(json.dumps(FORMATS[name].dump(sample))), origin="o") == sample


@ROWS
@pytest.mark.parametrize("kind", SAMPLES)
def test_a_sample_comes_back_from_its_dump_or_is_refused(name: str, kind: str) -> None:
    sample = SAMPLES[kind]
    try:
        dumped = json.loads(dumps(FORMATS[name].dump(sample)))
    except SampleError as error:
        assert error.code == "cannot-hold" and re.match(r"train\.json\[3\]: .*; ", str(error))
        return
    again = FORMATS[name].load(dumped, origin="train.json[3]")
    if name in SYSTEM_OF_ITS_OWN and sample.turns[0].role != "system":
        assert again.turns[0] == Turn("system", "You are a helpful assistant.")
        again = replace(again, turns=again.turns[1:])
    if name == "video-instruct":
        sample = replace(sample, videos=("films/v",))
    if name == "t2vid-synthetic" and kind == "folder of frames":
        sample = replace(sample, videos=("f",))
    assert again == sample


HELD = {
    "sharegpt": set(SAMPLES),
    "llava": set(SAMPLES),
    "messages": set(SAMPLES),
    "chatml-jsonl": set(SAMPLES),
    "ms-swift": set(SAMPLES),
    "minicpm-v": {"images", "one image", "text"},
    "videollama2": {"video", "pair", "pair without more", "odd texts", "one image", "text"},
    "videollama3": {"video", "pair", "pair without more", "odd texts", "images", "one image", "text"},
    "video-instruct": {"pair", "pair without more", "odd texts"},
    "llava-next-video-hf": {"pair", "pair without more", "odd texts"},
    "legacy-llava-next": {"pair", "pair without more", "odd texts"},
    "videochat-finetune": {"video", "pair", "pair without more"},
    "legacy-qwen": {"video", "pair", "pair without more", "odd texts", "system and video"},
    "llava-video-178k": {"video", "pair", "pair without more", "odd texts", "images", "one image", "text"},
    "video-chatgpt": {"video", "pair", "pair without more", "odd texts"},
    "t2vid-synthetic": {"video", "pair", "pair without more", "odd texts", "folder of frames"},
}


@pytest.mark.parametrize("name", HELD)
def test_what_a_format_holds(name: str) -> None:
    assert {kind for kind, sample in SAMPLES.items() if _holds(name, sample)} == HELD[name]


@ROWS
def test_a_dump_never_lets_an_unknown_key_take_the_place_of_a_known_one(name: str) -> None:
    sneaky = {"id": 8, "images": [], "conversations": [], "messages": [], "q": 1, "text": 2, "video_path": 3, "x": 1}
    sample = next(one for one in (SAMPLE, PAIR, IMAGES) if _holds(name, one))
    dumped = FORMATS[name].dump(replace(sample, extra=sneaky))
    known = FORMATS[name].dump(replace(sample, extra={}))
    assert {key: dumped[key] for key in known} == known
    assert dumped["x"] == 1


def _holds(name: str, sample: Sample) -> bool:
    try:
        FORMATS[name].dump(sample)
    except SampleError:
        return False
    return True


@ROWS
@pytest.mark.parametrize("kind", SAMPLES)
def test_every_format_becomes_sharegpt_that_says_the_same(name: str, kind: str) -> None:
    if not _holds(name, SAMPLES[kind]):
        return
    dumped = json.loads(dumps(FORMATS[name].dump(SAMPLES[kind])))
    hub = json.loads(dumps(formats.to_sharegpt(dumped, origin="train.json[3]")))
    assert formats.detect(hub, origin="o") in ("sharegpt", "messages")
    assert formats.load(hub, origin="train.json[3]") == formats.load(dumped, origin="train.json[3]")
    assert formats.to_sharegpt(hub, origin="o") == hub


@pytest.mark.parametrize("entry", [{}, {"text": "a"}, {"data": []}, {"image": "a.jpg"}, {"\ud800": 1, "": 2}])
def test_an_entry_of_no_known_format_is_refused_with_its_keys(entry: dict[str, Any]) -> None:
    with pytest.raises(SampleError, match='"conversations" or "messages" was expected') as caught:
        formats.load(entry, origin="o")
    assert caught.value.code == "unknown-format"
    assert all(key in str(caught.value) for key in entry)


def unwrapped(folder: Path, value: Any) -> list[tuple[str, Any, str | None]]:
    (folder / "t.json").write_text(json.dumps([value]))
    entries = [one for entry in read_entries(folder / "t.json") for one in formats.unwrap(entry)]
    return [(entry.origin, entry.value, entry.error.code if entry.error else None) for entry in entries]


A, B = {"a": 1}, {"b": 2}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (A, [("t.json[0]", A, None)]),
        ([A], [("t.json[0]", A, None)]),
        ([[A]], [("t.json[0]", A, None)]),
        ([A, B], [("t.json[0][0]", A, None), ("t.json[0][1]", B, None)]),
        ([[A], [B, A]], [("t.json[0][0]", A, None), ("t.json[0][1][0]", B, None), ("t.json[0][1][1]", A, None)]),
        ([A, 5, B], [("t.json[0][0]", A, None), ("t.json[0][1]", 5, "not-an-object"), ("t.json[0][2]", B, None)]),
        ([A, []], [("t.json[0][0]", A, None), ("t.json[0][1]", [], "empty-entry")]),
        ([], [("t.json[0]", [], "empty-entry")]),
        (None, [("t.json[0]", None, "not-an-object")]),
        ("text", [("t.json[0]", "text", "not-an-object")]),
        (0, [("t.json[0]", 0, "not-an-object")]),
    ],
)
def test_packed_entries_are_taken_apart(tmp_path: Path, value: Any, found: list[tuple[str, Any, str | None]]) -> None:
    assert unwrapped(tmp_path, value) == found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["human", "gpt", "system", "USER", "tool", "", "assistant"])
parts = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "image", "image_url", "video", "audio", "x"]) | json_values,
        "text": st.text() | json_values,
        "image": st.sampled_from(["a.jpg", "file://a.jpg"]) | json_values,
        "image_url": st.fixed_dictionaries({"url": st.just("a.jpg")}) | json_values,
        "video": st.lists(st.sampled_from(["a.jpg", "b.jpg", ""])) | json_values,
        "audio": json_values,
    },
)
texts = st.text() | st.sampled_from(["<video>", "<image>"]) | st.lists(parts | json_values, max_size=3) | json_values
turns = st.fixed_dictionaries(
    {},
    optional={
        "from": names | json_values,
        "value": texts,
        "role": names | json_values,
        "content": texts,
        "weight": json_values,
    },
)
media = st.sampled_from(["a.jpg", ["a.jpg"], ["a.jpg", "b.jpg"], [["1.jpg", "2.jpg"]], [], "", None]) | json_values
known_keys = dict.fromkeys(("image", "images", "video", "videos", "audio", "audios"), media)
good_turns = st.fixed_dictionaries(
    {"from": st.sampled_from(["human", "gpt"]), "value": st.text() | st.just("<video>") | texts},
    optional={"role": st.none(), "x": json_values},
)
conversations = st.lists(good_turns, min_size=1, max_size=4) | st.lists(turns | json_values, max_size=4) | json_values
entries = st.fixed_dictionaries(
    {},
    optional={
        "conversations": conversations,
        "messages": conversations,
        "system": st.text() | json_values,
        "id": json_values,
        **known_keys,
        "other": json_values,
    },
)

good_paths = st.sampled_from(["a.jpg", ["a.jpg"], ["a.jpg", "b.jpg"], [], "", None])
good_entries = st.fixed_dictionaries(
    {"conversations": st.lists(good_turns | turns, min_size=1, max_size=3)},
    optional={
        "image": good_paths,
        "videos": good_paths | st.just([["1.jpg", "2.jpg"]]),
        "system": st.text() | json_values,
        "id": json_values,
        "": json_values,
    },
)


@given(value=good_entries | entries | st.lists(entries, max_size=3) | json_values)
@settings(deadline=None, max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_value_as_an_entry_passes_or_is_refused_with_a_reason(tmp_path: Path, value: Any) -> None:
    (tmp_path / "t.json").write_text(json.dumps([value, A]))
    found = [one for entry in read_entries(tmp_path / "t.json") for one in formats.unwrap(entry)]
    assert found[-1].value == A
    for entry in found:
        if entry.error is not None:
            continue
        try:
            sample = formats.load(entry.value, origin=entry.origin)
            hub = formats.to_sharegpt(entry.value, origin=entry.origin)
        except (SampleError, InputError) as error:
            assert str(error).startswith(entry.origin)
            continue
        again = formats.load(json.loads(dumps(hub)), origin=entry.origin)
        assert (again.turns, again.images, again.videos) == (sample.turns, sample.images, sample.videos)
        assert (again.audios, again.id) == (sample.audios, sample.id)
