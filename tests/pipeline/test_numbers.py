"""Numbers: rows in files, sorted as in memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.pipeline import numbers
from mm2energon.pipeline.numbers import Numbers, zeros

FIELDS = {"key": "Q", "place": "I", "small": "B"}


def filled(keys, **where):
    rows = Numbers(FIELDS, **where)
    for place, key in enumerate(keys):
        rows.append(key, place, place % 256)
    return rows


def places(blocks):
    return [(int(row["key"]), int(row["place"])) for block in blocks for row in block]


@pytest.mark.parametrize("block_rows", [1, 2, 3, 7, 64])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1), max_size=60))
def test_rows_are_sorted_by_a_field_and_equal_ones_keep_their_order(block_rows, keys, monkeypatch):
    monkeypatch.setattr(numbers, "BLOCK_ROWS", block_rows)
    rows = filled(keys)
    expected = sorted(((key, place) for place, key in enumerate(keys)), key=lambda one: one[0])
    assert places(rows.sorted_by("key")) == expected
    assert places(rows.blocks()) == [(key, place) for place, key in enumerate(keys)]


def test_rows_of_a_file_are_there_for_the_next_who_opens_it(tmp_path):
    filled([5, 3], path=tmp_path / "rows").flush()
    rows = Numbers(FIELDS, path=tmp_path / "rows")
    rows.append(4, 2, 2)
    assert len(rows) == 3 and rows.mapped()["key"].tolist() == [5, 3, 4]


def test_a_file_without_a_name_leaves_nothing(tmp_path):
    rows = filled(range(10), folder=tmp_path)
    assert places(rows.sorted_by("key")) and zeros(5, "I", folder=tmp_path).tolist() == [0] * 5
    assert not list(tmp_path.iterdir())


def test_there_may_be_no_rows_at_all():
    assert list(filled([]).sorted_by("key")) == [] and len(filled([]).mapped()) == len(zeros(0, "Q", folder=None)) == 0


def test_what_is_sorted_does_not_lie_in_memory(monkeypatch):
    monkeypatch.setattr(numbers, "BLOCK_ROWS", 1000)
    keys = np.random.default_rng(1).integers(0, 2**64, 40_000, np.uint64)
    rows = Numbers(FIELDS)
    block = np.zeros(len(keys), rows.dtype)
    block["key"] = keys
    rows.extend(block)
    before, count = 0, 0
    tracemalloc.start()
    try:
        for some in rows.sorted_by("key"):
            assert (np.diff(some["key"].astype(object)) >= 0).all() and some["key"][0] >= before
            before, count = some["key"][-1], count + len(some)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == len(keys) and peak < 400_000 < len(keys) * rows.dtype.itemsize
