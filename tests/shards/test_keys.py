"""Tests of the names of samples."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.shards.keys import make_key, valid_key


@pytest.mark.parametrize(
    ("original_id", "key"),
    [
        (None, "00000012"),
        ("", "00000012"),
        ("abc", "00000012-abc"),
        (0, "00000012-0"),
        (17, "00000012-17"),
        ("videos/a b.mp4", "00000012-videos_a_b_mp4"),
        ("...", "00000012"),
        ("日本語", "00000012"),
        ("x" * 100, "00000012-" + "x" * 48),
        (["a", 1], "00000012-a_1"),
    ],
)
def test_a_key_is_the_number_and_what_the_id_has_of_plain_characters(original_id, key):
    assert make_key(12, original_id) == key


ids = st.none() | st.text() | st.integers() | st.lists(st.text(), max_size=3)


@given(number=st.integers(0, 10**12), original_id=ids)
def test_every_key_is_one_that_webdataset_splits_from_its_part(number, original_id):
    key = make_key(number, original_id)
    assert valid_key(key)
    # The expression of WebDataset and Energon.
    assert re.match(r"^((?:.*/|)[^.]+)[.]([^/]*)$", f"{key}.video0.jpg").groups() == (key, "video0.jpg")


@given(first=st.integers(0, 10**9), second=st.integers(0, 10**9), ids=st.tuples(ids, ids))
def test_two_numbers_never_share_a_key(first, second, ids):
    assert (make_key(first, ids[0]) == make_key(second, ids[1])) <= (first == second)


@pytest.mark.parametrize("key", ["", "a.b", "a/b", "a b", "ä", "__a__", "a\n", "../a"])
def test_a_name_that_readers_would_misread_is_no_key(key):
    assert not valid_key(key)


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="below zero"):
        make_key(-1, None)
