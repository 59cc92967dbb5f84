"""Bins: every value is counted once, where it lies, whatever the values are."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.pages.bins import Bins, bins_of

VALUES = st.one_of(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=60),
    st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=60),
    st.lists(st.integers(1, 3).map(lambda power: 10.0 ** (3 * power)), min_size=1, max_size=60),
)


@given(VALUES)
def test_every_value_lies_in_one_bar(values):
    bins = bins_of(values)
    assert bins.total == len(values)
    assert all(a < b for a, b in zip(bins.edges, bins.edges[1:], strict=False))
    assert bins.zeros == (sum(value == 0 for value in values) if bins.is_log else 0)
    drawn = [value for value in values if not (bins.is_log and value == 0)]
    for begin, end, count in zip(bins.edges, bins.edges[1:], bins.counts, strict=False):
        assert count == sum(begin <= value < end for value in drawn) or end == bins.edges[-1]
    assert bins.edges[0] <= min(drawn) and max(drawn) <= bins.edges[-1]
    assert len(bins.counts) <= 60


@given(VALUES)
def test_the_curve_rises_to_all_of_them(values):
    curve = bins_of(values).cumulative()
    assert curve == sorted(curve) and math.isclose(curve[-1], 1.0)


def test_whole_numbers_that_are_near_have_a_bar_each():
    bins = bins_of([2, 2, 2, 4, 6])
    assert bins == Bins([1.5, 2.5, 3.5, 4.5, 5.5, 6.5], [3, 0, 1, 0, 1], are_whole=True)
    assert bins.has_bar_for_each


def test_values_that_spread_have_an_axis_of_powers():
    assert bins_of([1, 2, 3, 4, 5, 10_000]).is_log
    assert bins_of([0.75, 1.33, 1.33, 1.78, 15.0]).is_log
    assert bins_of([0.01, 0.02, 0.03, 400.5]).is_log
    assert not bins_of(range(100, 1000)).is_log


@pytest.mark.parametrize("value", [0, 7, 0.25, 1e12, 19200.5])
def test_a_single_value_has_a_bar(value):
    bins = bins_of([value] * 3)
    assert sum(bins.counts) == 3 and bins.edges[0] <= value <= bins.edges[-1]


def test_no_values_are_no_error():
    assert bins_of([]).total == 0
