"""Whatever a source holds is found once, in order, and found again by its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.errors import InputError
from mm2energon.jsonio import read_entries
from mm2energon.review.indexing import source_at
from mm2energon.review.sources import JsonSource

from review.finding import again

ENTRY = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(ENTRY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    items=st.lists(values, max_size=12),
    indent=st.sampled_from([None, 1]),
    by_lines=st.booleans(),
    with_bom=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_of_any_shape_is_found_again(
    items: list[Any], indent: int | None, by_lines: bool, with_bom: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    text = "\r\n".join(json.dumps(item) for item in items) if by_lines else json.dumps(items, indent=indent)
    path.write_bytes((b"\xef\xbb\xbf" if with_bom else b"") + text.encode())
    found = again(JsonSource(path))
    origins = [one.entry.origin for one in found]
    assert len(set(origins)) == len(origins)
    assert {origin_of_value(origin, by_lines) for origin in origins} == {entry.origin for entry in read_entries(path)}


def origin_of_value(origin: str, by_lines: bool) -> str:
    """What the value is called in which an entry is packed: `a.json[3][0]` is one of `a.json[3]`."""
    return origin.split("[")[0] if by_lines and ":" in origin else "[".join(origin.split("[")[:2])


def test_many_entries_of_an_array_stand_together_and_each_is_found_again(tmp_path: Path) -> None:
    items = [{**ENTRY, "id": number, "text": "x" * (number % 700)} for number in range(3000)]
    (tmp_path / "a.json").write_text(json.dumps(items))
    found = list(JsonSource(tmp_path / "a.json").found())
    assert len({one.place.start for one in found}) < 300
    source = JsonSource(tmp_path / "a.json")
    for number in range(0, 3000, 97):
        assert source.read([found[number].place])[0].entry == (f"a.json[{number}]", items[number], None, False)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        (b'[{"a": 1}, {"a": NaN}, {"a": 2}]', ["a.json[0]", "a.json[1]!", "a.json[2]"]),
        (b'{"a": 1}\n{"a": \n{"a": 2}\n', ["a.json:1", "a.json:2!", "a.json:3"]),
        (b'{"a": 1}\n{"a": "\xff"}\n', ["a.json:1", "a.json:2!"]),
        (b'[{"a": 1}, {"b": 2} {"c": 3}]', ["a.json[0]", "a.json[1]", "a.json[2]!"]),
        (b'[{"a": 1}, {"b": 2', ["a.json[0]", "a.json[1]!"]),
        (b'[[{"a": 1}, {"b": 2}], []]', ["a.json[0][0]", "a.json[0][1]", "a.json[1]!"]),
        (b'\n\n{"a": 1}\n\n', ["a.json:3"]),
        (b'{\n"a": 1}\n{\n"b": 2}', ["a.json[0]", "a.json[1]"]),
        (b"", []),
        (b" \n", []),
        (b"[]", []),
    ],
)
def test_what_is_broken_is_there_in_its_place_and_the_rest_with_it(
    tmp_path: Path, text: bytes, origins: list[str]
) -> None:
    (tmp_path / "a.json").write_bytes(text)
    found = again(JsonSource(tmp_path / "a.json"))
    assert [one.entry.origin + ("!" if one.entry.error else "") for one in found] == origins


def test_what_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes('{"a": 1}'.encode("utf-16"))
    with pytest.raises(InputError, match="iconv"):
        list(JsonSource(tmp_path / "a.json").found())
    with pytest.raises(InputError, match="cannot be read"):
        source_at(tmp_path / "none.json")


def test_a_source_that_has_changed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([ENTRY] * 3))
    source = JsonSource(path)
    places = [one.place for one in source.found()]
    path.write_text("[]")
    with pytest.raises(InputError, match="changed"):
        source.read(places[2:])
