"""Shares are even, the same for the same seed, and each entry goes to as many different reviewers as it should."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.errors import InputError
from mm2energon.review.assignment import dealt, shuffled

NAMES = tuple("abcdefg")


@given(st.data(), st.integers(0, 700), st.integers(1, 7), st.integers(0, 5))
def test_shares_differ_by_one_at_most(data: st.DataObject, count: int, size: int, seed: int) -> None:
    per_entry = data.draw(st.integers(1, size))
    to = dealt(count, NAMES[:size], per_entry=per_entry, seed=seed)
    assert to.shape == (count, per_entry)
    shares = np.bincount(to.ravel(), minlength=size)
    assert shares.sum() == count * per_entry
    assert shares.max() - shares.min() <= 1
    assert all(len(set(row)) == per_entry for row in to.tolist())
    assert (to == dealt(count, NAMES[:size], per_entry=per_entry, seed=seed)).all()


def test_all_pairs_of_reviewers_meet() -> None:
    to = dealt(600, NAMES[:4], per_entry=2, seed=1)
    met = Counter(tuple(sorted(row)) for row in to.tolist())
    assert set(met) == set(combinations(range(4), 2))
    assert min(met.values()) > 50


def test_entries_are_dealt_in_another_order_with_another_seed_and_none_is_lost() -> None:
    numbers = np.arange(50, dtype=np.int32)
    assert sorted(shuffled(numbers, 3).tolist()) == numbers.tolist()
    assert shuffled(numbers, 3).tolist() == shuffled(numbers, 3).tolist() != shuffled(numbers, 4).tolist()


@pytest.mark.parametrize(("names", "per_entry"), [(("a",), 2), ((), 1), (("a", "b"), 0), (("a", "a"), 1)])
def test_too_few_reviewers_are_refused(names: tuple[str, ...], per_entry: int) -> None:
    with pytest.raises(InputError, match="expected"):
        dealt(10, names, per_entry=per_entry, seed=0)
