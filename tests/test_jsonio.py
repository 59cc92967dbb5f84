"""Annotation files of every shape are read entry by entry, and a fault costs its own entry."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.errors import InputError
from mm2energon.jsonio import Entry, dumps, loads, read_entries, type_name, write_entries

ONE: dict[str, Any] = {"id": 1, "conversations": [{"from": "human", "value": "é, \n, \u2028 and 😀"}]}
TWO: dict[str, Any] = {"id": "b", "images": [], "n": [1.5, None, True, -3]}
UNSHARED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder: Path, text: bytes | str) -> list[Entry]:
    path = folder / "train.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_entries(path))


def values(entries: list[Entry]) -> list[Any]:
    return [entry.value for entry in entries if entry.error is None]


def faults(entries: list[Entry]) -> list[str]:
    for entry in entries:
        assert entry.error is None or (entry.error.code == "broken-json" and str(entry.error).startswith(entry.origin))
    return [str(entry.error) for entry in entries if entry.error is not None]


def lines(*entries: Any, end: str = "\n", **options: Any) -> str:
    return "".join(json.dumps(entry, **options) + end for entry in entries)


SHAPES = {
    "array on one line": json.dumps([ONE, TWO]),
    "array on one line, other letters as they are": json.dumps([ONE, TWO], ensure_ascii=False),
    "array, one entry a line": "[\n" + json.dumps(ONE) + ",\n" + json.dumps(TWO) + "\n]\n",
    "array, comma first": "[ " + json.dumps(ONE) + "\n, " + json.dumps(TWO) + "\n]",
    "array, commas on lines of their own": "[\n" + json.dumps(ONE) + "\n,\n" + json.dumps(TWO) + "\n]",
    "array, indented": json.dumps([ONE, TWO], indent=4),
    "array, indented by nothing": json.dumps([ONE, TWO], indent=0),
    "array, tabs and CRLF": json.dumps([ONE, TWO], indent="\t").replace("\n", "\r\n"),
    "lines": lines(ONE, TWO),
    "lines, other letters as they are": lines(ONE, TWO, ensure_ascii=False),
    "lines without the last end": lines(ONE, TWO).rstrip(),
    "lines, CRLF": lines(ONE, TWO, end="\r\n"),
    "lines, blank ones between": "\n\n \t\n" + lines(ONE, TWO, end="\n\n \r\n"),
    "lines, spaces around": "  " + lines(ONE, TWO, end="  \n  "),
    "objects over several lines": json.dumps(ONE, indent=2) + "\n" + json.dumps(TWO, indent=2),
    "objects over several lines, indented by nothing": lines(ONE, TWO, indent=0),
    "objects over several lines, comma first": '{"id": 1\n, "conversations": '
    + json.dumps(ONE["conversations"])
    + "\n}\n"
    + json.dumps(TWO),
    "two arrays": json.dumps([ONE], indent=1) + json.dumps([TWO], indent=1),
}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_entries_in_order(tmp_path: Path, shape: str, mark: bytes) -> None:
    entries = read(tmp_path, mark + SHAPES[shape].encode())
    assert [entry.value for entry in entries] == [ONE, TWO]
    assert faults(entries) == []


@pytest.mark.parametrize("text", [b"", b"\n", b" \t\r\n\n", b"\xef\xbb\xbf", b"[]", b"[\n\n]\n", b"[] []"])
def test_a_file_without_entries_gives_none(tmp_path: Path, text: bytes) -> None:
    assert read(tmp_path, text) == []


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_one_object_is_one_entry_however_it_is_laid_out(tmp_path: Path, indent: int | None) -> None:
    assert values(read(tmp_path, json.dumps(ONE, indent=indent))) == [ONE]


def test_lines_may_hold_lists_of_entries(tmp_path: Path) -> None:
    assert values(read(tmp_path, lines([ONE], [ONE, TWO], TWO))) == [[ONE], [ONE, TWO], TWO]


def test_an_array_may_hold_lists_of_entries(tmp_path: Path) -> None:
    text = "[\n" + json.dumps([ONE]) + ",\n" + json.dumps([ONE, TWO]) + "\n]"
    assert values(read(tmp_path, text)) == [[ONE], [ONE, TWO]]


def test_lines_may_begin_with_lists_and_go_on_with_anything(tmp_path: Path) -> None:
    for texts in (["[]", "null", "null"], ["[1]", '"x"', "2"], [json.dumps([ONE, TWO]), "7", "true", json.dumps(ONE)]):
        entries = read(tmp_path, "\n".join(texts))
        assert [entry.value for entry in entries] == list(map(json.loads, texts))
        assert [entry.origin for entry in entries] == [f"train.json:{line + 1}" for line in range(len(texts))]


@pytest.mark.parametrize("text", ['["x",\n1\n,2\n,\n3\n]', '[{"a": [\n1\n]},\n{"b": 2}\n]', "[[1], 2,\n3\n]"])
def test_an_array_spread_over_lines_in_odd_ways_is_one(tmp_path: Path, text: str) -> None:
    assert [entry.value for entry in read(tmp_path, text)] == json.loads(text)


def test_origins_count_array_positions_from_zero_and_lines_from_one(tmp_path: Path) -> None:
    assert [entry.origin for entry in read(tmp_path, json.dumps([1, 2]))] == ["train.json[0]", "train.json[1]"]
    assert [entry.origin for entry in read(tmp_path, '{"a":1}\n\n{"b":2}')] == ["train.json:1", "train.json:3"]
    assert [entry.origin for entry in read_entries(tmp_path / "train.json", name="a/b")] == ["a/b:1", "a/b:3"]


def test_the_name_of_the_file_says_nothing_about_its_shape(tmp_path: Path) -> None:
    for name, text in (("a.jsonl", json.dumps([ONE, TWO])), ("b.json", lines(ONE, TWO)), ("c", lines(ONE, TWO))):
        (tmp_path / name).write_text(text)
        assert values(list(read_entries(tmp_path / name))) == [ONE, TWO]


@pytest.mark.parametrize("width", [1_200_000, 2_500_000])
def test_an_array_on_one_line_longer_than_any_buffer_is_read(tmp_path: Path, width: int) -> None:
    entries = [{"n": n, "text": 'é\\"[]{},' * 100} for n in range(width // 800)]
    for text in (json.dumps(entries), json.dumps(entries, ensure_ascii=False)):
        assert len(text) > 1 << 20
        assert values(read(tmp_path, text)) == entries


@pytest.mark.parametrize("shape", ["array", "lines"])
def test_one_entry_longer_than_any_buffer_is_read(tmp_path: Path, shape: str) -> None:
    entries = [{"text": "ü" * 3_000_000}, {"list": list(range(400_000))}, ONE]
    text = json.dumps(entries, ensure_ascii=False) if shape == "array" else lines(*entries, ensure_ascii=False)
    assert values(read(tmp_path, text)) == entries


def test_numbers_cut_by_the_end_of_a_buffer_stay_whole(tmp_path: Path) -> None:
    numbers = [123456789, -1.5e-7, 0.25] * 200_000
    assert values(read(tmp_path, json.dumps(numbers))) == numbers


def test_a_large_file_is_read_with_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    entry = json.dumps({"text": "x" * 1000})
    path.write_text("[" + ",\n".join([entry] * 30_000) + "]")
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_entries(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 30_000
    assert peak < 12 << 20 < path.stat().st_size


# Named, because what gzip writes holds the time: each of pytest's processes would call that test otherwise.
@pytest.mark.parametrize(
    "data", [gzip.compress(b"[{}]"), b"PK\3\4\x14\0", b"\x28\xb5\x2f\xfd\4"], ids=["gzip", "zip", "zstd"]
)
def test_a_file_that_is_compressed_is_said_to_be(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "train.json").write_bytes(data)
    with pytest.raises(InputError, match=r"train\.json: is compressed; JSON was expected; unpack it first"):
        list(read_entries(tmp_path / "train.json"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_in_other_encodings_of_unicode_is_refused_with_the_way_out(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match=r"train\.json: UTF-16, UTF-32 or .* UTF-8 was expected; .*iconv"):
        read(tmp_path, json.dumps([ONE]).encode(encoding))


def test_a_file_that_cannot_be_opened_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            list(read_entries(path))


@pytest.mark.parametrize("value", [10**30, -(2**64), 2**53 + 1, "\ud800", "a\udfff", 1.1, -0.0, {"é": []}, [[]] * 3])
def test_what_is_hard_to_hold_is_read_and_written_as_it_was(tmp_path: Path, value: Any) -> None:
    for text in (json.dumps([{"id": value}, 1]), lines({"id": value}, 1)):
        first = read(tmp_path, text)[0].value
        assert first == {"id": value}
        assert type(first["id"]) is type(value)
        assert json.loads(dumps(first)) == {"id": value}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(json_values)
@UNSHARED
def test_any_value_comes_back_from_what_is_written(value: Any) -> None:
    assert json.loads(dumps(value)) == value
    assert loads(dumps(value)) == value
    assert b"\n" not in dumps(value)


@given(st.lists(json_values, max_size=6), st.sampled_from([None, 0, 1]))
@UNSHARED
def test_any_array_gives_its_items(tmp_path: Path, items: list[Any], indent: int | None) -> None:
    assert [entry.value for entry in read(tmp_path, json.dumps(items, indent=indent))] == items


@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:\\ \n0aeE-.u', max_size=40).map(str.encode))
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_entries_or_errors_of_ours(tmp_path: Path, data: bytes) -> None:
    try:
        entries = read(tmp_path, data)
    except InputError:
        return
    faults(entries)
    for entry in entries:
        dumps(entry.value)


def test_what_json_cannot_say_is_refused_in_writing() -> None:
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 200):
        deep = [deep]
    for value in ({1, 2}, object(), b"bytes"):
        with pytest.raises((TypeError, ValueError)):
            dumps(value)
    with pytest.raises(ValueError):
        dumps(deep)


@pytest.mark.parametrize("text", ["", "nope", "[1,]", "NaN", "1 2", "[" * 100_000])
def test_loads_refuses_what_is_no_json(text: str) -> None:
    for given_text in (text, text.encode()):
        with pytest.raises(ValueError):
            loads(given_text)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_written_entries_are_an_array_or_lines_by_the_ending_of_the_name(tmp_path: Path, count: int) -> None:
    entries = [ONE, TWO, ONE][:count]
    for name in ("out.json", "out.jsonl"):
        with write_entries(tmp_path / name) as out:
            for entry in entries:
                out.write(entry)
        assert out.count == count
    assert json.loads((tmp_path / "out.json").read_text()) == entries
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()] == entries
    assert len((tmp_path / "out.json").read_bytes().splitlines()) == (count + 2 if count else 1)


def test_an_error_while_entries_are_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("before")
    with pytest.raises(RuntimeError), write_entries(tmp_path / "out.json") as out:
        out.write(ONE)
        raise RuntimeError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.json", "before")]


def test_values_are_named_as_json_names_them() -> None:
    named = [type_name(value) for value in (None, True, False, 1, 1.5, "", [], {})]
    assert named == ["null", "true", "false", "a number", "a number", "a string", "a list", "an object"]
