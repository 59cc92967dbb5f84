"""What holds of every row of the FORMATS table, and of any entry at all."""

from __future__ import annotations

import inspect
import json
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


def example(name: str) -> dict[str, Any]:
    """The entry that the docstring of a format shows."""
    text = inspect.getdoc(FORMATS[name]) or ""
    entry: dict[str, Any] = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    return entry


@ROWS
def test_the_example_is_told_and_says_what_it_shows(name: str) -> None:
    entry = example(name)
    assert formats.detect(entry, origin="o") == name
    sample = formats.load(entry, origin="train.json[3]")
    assert [turn.role for turn in sample.turns] == ["user", "assistant"]
    assert sample.turns[0].text.replace("\n", "") == "<image>What is this?"
    assert (sample.turns[1].text, sample.images) == ("A cat.", ("pictures/7.jpg",))
    assert (sample.videos, sample.audios, sample.origin) == ((), (), "train.json[3]")


@ROWS
def test_an_entry_that_has_videos_is_known_without_loading_it(name: str) -> None:
    assert formats.may_hold_videos(FORMATS[name].dump(SAMPLE))
    assert formats.may_hold_videos({"messages": [{"role": "user", "content": [{"type": "video", "video": "v.mp4"}]}]})
    assert not formats.may_hold_videos(FORMATS["sharegpt"].dump(replace(SAMPLE, videos=())))


@ROWS
def test_the_example_comes_back_from_its_dump(name: str) -> None:
    sample = FORMATS[name].load(example(name), origin="o")
    dumped = FORMATS[name].dump(sample)
    assert FORMATS[name].matches(dumped)
    assert FORMATS[name].load(json.loads(json.dumps(dumped)), origin="o") == sample


@ROWS
@pytest.mark.parametrize(
    "sample",
    [
        SAMPLE,
        replace(SAMPLE, id=None, extra={}),
        replace(SAMPLE, id={"a": [1]}),
        replace(SAMPLE, images=("a.jpg",), videos=(("1.jpg", "2.jpg"),), turns=(Turn("user", "<video>"),)),
        replace(SAMPLE, videos=(("1.jpg",),), turns=(Turn("user", "<video>"),)),
        replace(SAMPLE, images=(), videos=(), audios=(), turns=(Turn("assistant", " "),)),
        replace(SAMPLE, extra={"system": "kept, for the turns have one already"}),
        replace(SAMPLE, extra={"system": None}, turns=SAMPLE.turns[1:]),
    ],
    ids=["all", "bare", "odd id", "frames", "one frame", "text alone", "two systems", "no system"],
)
def test_a_sample_comes_back_from_its_dump(name: str, sample: Sample) -> None:
    dumped = json.loads(dumps(FORMATS[name].dump(sample)))
    assert FORMATS[name].load(dumped, origin="train.json[3]") == sample


@ROWS
def test_a_dump_never_lets_an_unknown_key_take_the_place_of_a_known_one(name: str) -> None:
    sneaky = replace(SAMPLE, extra={"id": 8, "images": [], "conversations": [], "messages": [], "x": 1})
    dumped = FORMATS[name].dump(sneaky)
    known = FORMATS[name].dump(replace(SAMPLE, extra={}))
    assert {key: dumped[key] for key in known} == known


@ROWS
def test_every_format_becomes_sharegpt_that_says_the_same(name: str) -> None:
    dumped = FORMATS[name].dump(SAMPLE)
    hub = json.loads(dumps(formats.to_sharegpt(dumped, origin="o")))
    assert formats.detect(hub, origin="o") == "sharegpt"
    assert formats.load(hub, origin="train.json[3]") == SAMPLE
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
