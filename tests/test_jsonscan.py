"""A text read in pieces of any size gives the values that it gives in one piece, and the same faults."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mm2energon import jsonscan
from mm2energon.jsonscan import MAX_DEPTH, Decoder, Value, scan

UNSHARED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def scanned(data: bytes) -> tuple[list[Value], str | None]:
    """The values of a text, and how it ended when not well."""
    found: list[Value] = []
    try:
        for value in scan(io.BytesIO(data)):
            found.append(value)
    except ValueError as error:
        return found, str(error)
    return found, None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(items=st.lists(json_values, max_size=5), piece=st.integers(1, 40), ascii_only=st.booleans())
@example(items=[float("1e-300"), -1234567890, "\\", '"', "😀" * 20, True, None, -0.0], piece=1, ascii_only=True)
@UNSHARED
def test_the_size_of_the_pieces_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, items: list[Any], piece: int, ascii_only: bool
) -> None:
    monkeypatch.setattr(jsonscan, "_CHUNK_BYTES", piece)
    for indent in (None, 1):
        text = json.dumps(items, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
        assert scanned(text) == ([Value(item) for item in items], None)


@given(data=st.binary(max_size=60) | st.text(alphabet='[]{}",:\\ \n0aeE-.uNI', max_size=40).map(str.encode))
@example(data=b'[NaN,-Infinity,"\\ud83d\\ude00",tru')
@UNSHARED
def test_a_faulty_text_has_the_same_faults_in_pieces(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    whole = scanned(data)
    for piece in (1, 3, 17):
        monkeypatch.setattr(jsonscan, "_CHUNK_BYTES", piece)
        assert scanned(data) == whole


def test_values_may_stand_one_behind_another_and_arrays_among_them() -> None:
    text = b' {"a": 1}{"b": 2} "c" 4 [5, [6]] [] [7]\n8 '
    assert scanned(text) == ([Value(v) for v in ({"a": 1}, {"b": 2}, "c", 4, 5, [6], 7, 8)], None)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[1, x]", "line 1, character 5"),
        ("[1,\n2\n3]", "line 3, character 7"),
        ("[1,\n2,\n", "line 3, character 8"),
        ('[\n{"a":\n}]', "line 3, character 9"),
        ("[1]\n]", "line 2, character 5"),
    ],
)
@pytest.mark.parametrize("piece", [1, 5, 1 << 20])
def test_the_place_of_a_fault_is_told(monkeypatch: pytest.MonkeyPatch, text: str, place: str, piece: int) -> None:
    monkeypatch.setattr(jsonscan, "_CHUNK_BYTES", piece)
    _, fault = scanned(text.encode())
    assert fault is not None and fault.startswith(f"{place} of the file: ")


def test_values_as_deep_as_the_limit_pass_and_deeper_ones_do_not() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        inner = "0" if closing == "}" else ""
        for depth, passes in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False), (100_000, False)):
            value, fault = Decoder().whole(opening * depth + inner + closing * depth)
            assert (fault is None) == passes
            assert passes or value == opening * depth + inner + closing * depth


def test_brackets_in_texts_are_no_depth() -> None:
    items = ["[" * 500, {"{" * 500: ["]" * 500]}, *[[]] * 500]
    assert Decoder().whole(json.dumps(items)) == Value(items)


def test_a_decoder_forgets_the_faults_of_the_value_before() -> None:
    decoder = Decoder()
    assert decoder.whole("NaN").fault == "NaN is no JSON number"
    assert decoder.whole("1") == Value(1)
