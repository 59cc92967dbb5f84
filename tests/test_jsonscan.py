"""A text read in pieces of any size gives the values that it gives in one piece, and the same faults."""

from __future__ import annotations

import io
import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mm2energon import jsonscan
from mm2energon.jsonscan import scan
from mm2energon.jsonvalue import MAX_DEPTH

UNSHARED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def scanned(data: bytes) -> tuple[list[Any], str | None]:
    """The values of a text, and how it ended when not well."""
    found: list[Any] = []
    try:
        for values in scan(io.BytesIO(data)):
            found += values
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
        assert scanned(text) == (items, None)


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
    assert scanned(text) == ([{"a": 1}, {"b": 2}, "c", 4, 5, [6], 7, 8], None)


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


def scanned_by_the_decoder_alone(data: bytes) -> tuple[list[Any], str | None]:
    with mock.patch.object(jsonscan, "quick_items", side_effect=ValueError):
        return scanned(data)


#: What makes it hard to tell where an entry ends, or what it holds: the place between two entries inside a text and
#: inside a list, numbers and texts that parsers read differently, what is no JSON.
HOSTILE = [
    *('{"id": 1}, {"id": 2}', '{"id": "}, {\\"id\\": 3}"}', '{"id": "\\\\"}, {"id": "}, {"}', '[{"id": 1}, {"id": 2}]'),
    *(
        '{"id": [{"id": 1}, {"id": 2}], "a": {"id": {}}}',
        '{"a": {"b": 1}, "id": 2}',
        '{"id": 1, "id": [2], "a": 3, "id": 4}',
    ),
    *(
        "{}",
        "[]",
        "[[]]",
        '{"": {}}',
        "null",
        '"}, {"',
        "-0",
        "-0.0",
        "1e5",
        "1E-400",
        "123456789012345678901234567890",
    ),
    *('{"id": 18446744073709551616}', '{"id": -9223372036854775809}', '{"id": 1.0}', '{"id": 0.1234567890123456789}'),
    *(
        '{"id": NaN}',
        '{"id": -Infinity}',
        '{"id": 1e400}',
        '{"id": ' + "7" * 1001 + "}",
        '{"id": "' + "7" * 1001 + '"}',
    ),
    *('{"id": "\\ud800"}', '{"id": "\\ud83d\\ude00"}', '{"id": "é😀"}', '{"id": "\\u0000"}', '{"\\ud800": 1}'),
    *("[" * depth + "]" * depth for depth in (8, 9, 10, MAX_DEPTH, MAX_DEPTH + 1)),
    *('{"id":' * depth + "0" + "}" * depth for depth in (8, 9, MAX_DEPTH + 1)),
    *(
        '{"id": 1,}',
        "{'id': 1}",
        '{"id": 1',
        '{"id": "',
        '{"id": 1}}',
        "[1",
        "01",
        "1.",
        ".5",
        "+1",
        "tru",
        "\ufeff1",
        "",
    ),
    *('{"id": "\x01"}', '{"id": "\\x"}', '"a\nb"', '{"id": 1} {"id": 2}', '{"id": 1},, {"id": 2}', "{1: 2}", "}"),
]
NOT_UTF8 = [
    b'{"id": "\xff"}',
    b'{"id": "\xed\xa0\x80"}',
    b'{"\xc3": 1}',
    b"\xc3",
    b'{"id": "\xf4\x90\x80\x80"}',
    b"\xa0",
]
BETWEEN = [", ", ",", "\n, ", ",\n", "\n  ,\r\n  ", " ", "\n", "]", "]\n["]


@given(
    data=st.data(),
    items=st.lists(st.sampled_from([*(text.encode() for text in HOSTILE), *NOT_UTF8]), min_size=1, max_size=9),
    piece=st.sampled_from([1, 2, 3, 7, 16, 50, 1 << 20]),
    reach=st.sampled_from([1, 8, 30, 200, 1 << 16]),
)
@settings(deadline=None, max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_entries_that_are_read_at_once_are_those_that_the_decoder_reads_one_by_one(
    monkeypatch: pytest.MonkeyPatch, data: st.DataObject, items: list[bytes], piece: int, reach: int
) -> None:
    usual = data.draw(st.sampled_from(BETWEEN[:5]))
    text = b'[{"id": 0}'
    for item in [b'{"id": 1}', *items]:
        between = data.draw(st.sampled_from([usual] * 20 + BETWEEN))
        text += between.encode() + item
    text += b"]"
    expected = scanned_by_the_decoder_alone(text)
    monkeypatch.setattr(jsonscan, "_CHUNK_BYTES", piece)
    monkeypatch.setattr(jsonscan, "_PIECE_BYTES", piece)
    monkeypatch.setattr(jsonscan, "_LEAST_AT_ONCE", reach)
    monkeypatch.setattr(jsonscan, "_LONGEST_PAUSE", data.draw(st.integers(0, 2)))
    assert repr(scanned(text)) == repr(expected)  # 1 is not 1.0, nor -0.0 0.0


@pytest.mark.parametrize("indent", [None, 0, 3])
def test_an_array_cut_off_at_any_byte_ends_as_the_decoder_says(
    monkeypatch: pytest.MonkeyPatch, indent: int | None
) -> None:
    entry = {"id": 'é}, {"id"', "list": [{"id": 1}, {"id": 2}], "n": -1.5e-7}
    text = json.dumps([entry, {"id": 10**20}, entry, [], entry], ensure_ascii=False, indent=indent).encode()
    for cut in range(len(text)):
        monkeypatch.setattr(jsonscan, "_CHUNK_BYTES", 1 + cut % 64)
        assert scanned(text[:cut]) == scanned_by_the_decoder_alone(text[:cut])


@given(data=st.data(), items=st.lists(json_values, max_size=8), indent=st.sampled_from([None, 0, 2]))
@UNSHARED
def test_a_byte_changed_anywhere_does_what_it_does_to_the_decoder(
    data: st.DataObject, items: list[Any], indent: int | None
) -> None:
    entries = [{"id": item} for item in [0, *items, 1]]
    text = bytearray(json.dumps(entries, indent=indent).encode())
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(b'"\\[]{},: 0e\xff\n'))
    assert repr(scanned(bytes(text))) == repr(scanned_by_the_decoder_alone(bytes(text)))


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "x", "conversations": [{"from": "human", "value": '}, {"id"'}]},
        {"id": 7, "pages": [{"id": n} for n in range(20)]},
        {"id": 1, "text": "ü" * 100_000},
    ],
)
@pytest.mark.parametrize("layout", [{}, {"indent": 2}, {"separators": (",", ":")}])
def test_nearly_all_entries_of_one_kind_are_read_without_the_decoder(entry: Any, layout: dict[str, Any]) -> None:
    text = json.dumps([entry] * 60, **layout).encode()
    with mock.patch.object(jsonscan.Decoder, "value_at", autospec=True, side_effect=jsonscan.Decoder.value_at) as scans:
        assert scanned(text) == ([entry] * 60, None)
    assert scans.call_count < 20


@given(items=st.lists(json_values, max_size=8), piece=st.integers(1, 40), indent=st.sampled_from([None, 1]))
@UNSHARED
def test_a_stretch_is_where_its_values_are_and_commas_between_them(
    monkeypatch: pytest.MonkeyPatch, items: list[Any], piece: int, indent: int | None
) -> None:
    monkeypatch.setattr(jsonscan, "_CHUNK_BYTES", piece)
    for text in (json.dumps(items, indent=indent), "\n ".join(json.dumps({"a": item}) for item in items)):
        data, found, before = text.encode(), [], 0
        file = io.BytesIO(b"behind this" + data)
        file.seek(len(b"behind this"))
        for start, end, values in jsonscan.scan_stretches(file):
            start, end = (place - len(b"behind this") for place in (start, end))
            assert before <= start < end
            assert json.loads(b"[%b]" % data[start:end]) == values
            found += values
            before = end
        assert (found, None) == scanned(data)
