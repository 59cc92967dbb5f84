"""Entries of an annotation file are found again by where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mm2energon.jsonio import Entry, goes_by_lines, read_entries
from mm2energon.jsonplaces import read_again, read_placed
from test_jsonio import UNSHARED

PIECES = st.sampled_from(
    [
        '{"a": 1}',
        '{"b": [{}, "\xe9"]}',
        "[",
        "]",
        ",",
        "\n",
        "\r\n",
        " ",
        "NaN",
        '"x',
        "\ufeff",
        "[[{}]]",
        "12",
        '{"c":',
    ]
)


def told(entry: Entry) -> tuple[str, Any, str, bool]:
    return entry.origin, entry.value, str(entry.error), entry.breaks_off


@given(
    st.lists(PIECES, max_size=20).map("".join).map(str.encode)
    | st.lists(st.just('{"a": 1}'), max_size=99).map(lambda some: f"[{','.join(some)}]".encode())
)
@UNSHARED
def test_entries_are_found_again_by_where_they_stand(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "train.json"
    path.write_bytes(data)
    placed, entries = list(read_placed(path)), list(map(told, read_entries(path)))
    assert [told(entry) for one in placed for entry in one.entries] == entries
    assert [one.start for one in placed] == sorted(one.start for one in placed)
    assert all(one.by_lines == goes_by_lines(path) for one in placed)
    for one in placed:
        text, found = data[one.start : one.end], list(map(told, one.entries))
        if found[0][3]:  # it breaks off, and has no end
            assert one.start == one.end
            continue
        assert list(map(told, read_again(text, one, name="train.json"))) == found
        for place, entry in enumerate(found):
            assert list(map(told, read_again(text, one, name="train.json", only=place))) == [entry]
