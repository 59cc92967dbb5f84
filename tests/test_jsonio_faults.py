"""A fault in an annotation file costs its own entry, and where nothing more can be found, the last error says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.jsonio import read_entries
from test_jsonio import ONE, TWO, UNSHARED, faults, read, values

BROKEN = {
    "cut off": '{"id": 2, "conversations": [{"from": "hum',
    "cut off behind a comma": '{"id": 2,',
    "cut off behind a bracket": '{"id": 2, "images": [',
    "without quotes": "{id: 2}",
    "single quotes": "{'id': 2}",
    "NaN": '{"id": NaN}',
    "infinite": '{"id": -Infinity}',
    "too large a number": '{"id": 1e999}',
    "more digits than Python reads": '{"id": ' + "7" * 10_000 + "}",
    "trailing comma": '{"id": 2,}',
    "two on a line": '{"id": 2} {"id": 3}',
    "no JSON": "hello",
    "100,000 levels": "[" * 100_000 + "]" * 100_000,
    "300 levels": "[" * 300 + "]" * 300,
    "a control character": '{"id": "\x01"}',
    "a null character": '{"id": "\x00"}',
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_line_does_not_stop_the_others(tmp_path: Path, broken: str, place: int) -> None:
    texts = [json.dumps(ONE), json.dumps(TWO)]
    texts.insert(place, BROKEN[broken])
    entries = read(tmp_path, "\n".join(texts))
    assert values(entries) == [ONE, TWO]
    assert [entry.origin for entry in entries if entry.error] == [f"train.json:{place + 1}"]
    assert len(faults(entries)) == 1


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", "ä".encode("latin-1")])
@pytest.mark.parametrize("shape", ["array", "lines"])
def test_bytes_that_are_not_utf8_cost_their_entry_alone(tmp_path: Path, shape: str, bad: bytes) -> None:
    texts = [json.dumps(ONE).encode(), b'{"id": "' + bad + b'"}', json.dumps(TWO).encode()]
    entries = read(tmp_path, b"[" + b",\n".join(texts) + b"]" if shape == "array" else b"\n".join(texts))
    assert values(entries) == [ONE, TWO]
    assert "UTF-8" in faults(entries)[0]


@pytest.mark.parametrize("broken", ["NaN", "infinite", "too large a number", "more digits than Python reads"])
def test_a_number_that_json_cannot_say_costs_its_entry_alone_in_an_array_too(tmp_path: Path, broken: str) -> None:
    entries = read(tmp_path, f"[{json.dumps(ONE)}, {BROKEN[broken]}, {json.dumps(TWO)}]")
    assert values(entries) == [ONE, TWO]
    assert [entry.origin for entry in entries if entry.error] == ["train.json[1]"]


IN_TEXTS = [
    "a\tb",
    "a\nb",
    "\0",
    "\x1f",
    "\\sqrt{2}",
    "\\\n",
    "\\u12",
    "\\x41",
    "\\'",
    "\\\\\\d",
    "\t\\s\\u00",
    "}, {\t",
]


@pytest.mark.parametrize("inside", IN_TEXTS)
@pytest.mark.parametrize("between", [", ", ",\n", "\n,\n\n"])
def test_a_text_that_json_does_not_allow_costs_its_entry_alone_where_its_end_is_seen(
    tmp_path: Path, inside: str, between: str
) -> None:
    bad = f'{{"id": "{inside}", "more": ["{inside}", 1]}}'
    long = json.dumps({"id": "x" * 10_000})
    entries = read(tmp_path, f"[{between.join([json.dumps(ONE), bad, long, bad, json.dumps(TWO)])}]")
    assert values(entries) == [ONE, json.loads(long), TWO]
    assert [(entry.origin, entry.value) for entry in entries if entry.error] == [
        (f"train.json[{n}]", bad) for n in (1, 3)
    ]
    assert all("not valid JSON (character " in fault for fault in faults(entries))


@pytest.mark.parametrize("rest", [f"}},\n{json.dumps(TWO)}]", f"}},\n{json.dumps(TWO)}\n" + "\0" * (1 << 25)])
def test_a_text_without_its_quote_breaks_the_array_off_at_its_line(tmp_path: Path, rest: str) -> None:
    (fault,) = faults(entries := read(tmp_path, f'[\n{json.dumps(ONE)},\n{{"id": "a{rest}'))
    assert [entry.value for entry in entries] == [ONE, None]
    assert fault.startswith("train.json[1]: not valid JSON (line 3, character ")


def test_a_file_that_ends_in_zeros_is_not_read_to_its_end(tmp_path: Path) -> None:
    """As what a download leaves that had its space beforehand."""
    path = tmp_path / "train.json"
    with path.open("w", encoding="utf-8") as file:
        file.write(f'[\n{json.dumps(ONE)},\n{{"id": "cut')
        file.truncate(1 << 33)
    entries = list(read_entries(path))
    assert [entry.value for entry in entries] == [ONE, None]
    assert faults(entries)[0].startswith("train.json[1]: not valid JSON (line 3, character ")


@pytest.mark.parametrize("broken", ["cut off", "without quotes", "trailing comma", "no JSON", "100,000 levels"])
def test_an_array_broken_in_the_middle_gives_what_stands_before_and_says_where(tmp_path: Path, broken: str) -> None:
    text = f"[\n{json.dumps(ONE)},\n{json.dumps(TWO)},\n{BROKEN[broken]},\n{json.dumps(ONE)}\n]"
    entries = read(tmp_path, text)
    assert [entry.value for entry in entries] == [ONE, TWO, None]
    (fault,) = faults(entries)
    assert fault.startswith("train.json[2]: not valid JSON (line 4, character ")
    assert "all behind it cannot be read" in fault


@pytest.mark.parametrize("end", ["", ",", "\n", ", ]", "] x", "}", '{"id"'])
def test_an_array_without_its_end_gives_its_entries_and_one_error(tmp_path: Path, end: str) -> None:
    entries = read(tmp_path, f"[{json.dumps(ONE)},{json.dumps(TWO)}{end}")
    assert [entry.value for entry in entries] == [ONE, TWO, None]
    assert len(faults(entries)) == 1


def test_the_place_of_a_fault_is_told_far_behind_the_first_buffer(tmp_path: Path) -> None:
    good = [json.dumps({"text": "é" * 500})] * 4000
    text = "[" + ",\n".join([*good, "{oops}"]) + "]"
    (fault,) = faults(read(tmp_path, text))
    assert fault.startswith(f"train.json[4000]: not valid JSON (line 4001, character {text.index('oops') + 1} of ")


@given(st.data())
@UNSHARED
def test_an_array_cut_off_anywhere_gives_the_whole_entries_before_the_cut(tmp_path: Path, data: st.DataObject) -> None:
    entries = [ONE, TWO, [ONE, TWO], {}, ONE]
    text = json.dumps(entries).encode()
    cut = data.draw(st.integers(1, len(text) - 1))
    found = read(tmp_path, text[:cut])
    whole = [n for n in range(len(entries)) if len(json.dumps(entries[: n + 1])) - 1 <= cut]
    assert values(found) == entries[: len(whole)]
    assert len(faults(found)) == 1


def test_the_text_of_a_broken_entry_is_kept_to_be_mended(tmp_path: Path) -> None:
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"id": 1}\n{"id": NaN}\n{"id": 3\n', encoding="utf-8")
    assert [entry.value for entry in read_entries(lines)] == [{"id": 1}, '{"id": NaN}', '{"id": 3']
    array = tmp_path / "t.json"
    array.write_text('[{"id": 1}, {"id": NaN}, {"id": 3}]', encoding="utf-8")
    assert [entry.value for entry in read_entries(array)] == [{"id": 1}, '{"id": NaN}', {"id": 3}]
