"""Cohen's kappa is what the formula says, worked out here by hand, and what the literature says of its examples."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.review.agreement import agreement_of
from mm2energon.review.model import Agreement


def of_table(table: list[list[int]]) -> Agreement:
    """The agreement of two reviewers whose decisions come to a table."""
    pairs = [
        (row, column) for row, counts in enumerate(table) for column, count in enumerate(counts) for _ in range(count)
    ]
    first, second = (np.array([pair[side] for pair in pairs], np.int32) for side in (0, 1))
    return agreement_of(("anna", "bob"), [f"label {place}" for place in range(len(table))], first, second)


def by_hand(table: list[list[int]]) -> Fraction | None:
    """(p_o - p_e) / (1 - p_e), in fractions."""
    count = sum(map(sum, table))
    observed = Fraction(sum(table[place][place] for place in range(len(table))), count)
    rows, columns = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    chance = sum(Fraction(row, count) * Fraction(column, count) for row, column in zip(rows, columns, strict=True))
    return None if chance == 1 else (observed - chance) / (1 - chance)


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        # Two readers of 50 grant applications, p_o = 0.7, p_e = 0.5 (the usual textbook example).
        ([[20, 5], [10, 15]], 0.4),
        # 100 entries, both with p_o = 0.6, but other marginals.
        ([[45, 15], [25, 15]], 0.1304),
        ([[25, 35], [5, 35]], 0.2593),
        # Cohen 1960, three categories, N = 200: p_o = 0.70, p_e = 0.41.
        ([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.4915),
        ([[0, 5], [5, 0]], -1.0),
        ([[7, 0], [0, 3]], 1.0),
    ],
)
def test_kappa_is_that_of_the_literature(table: list[list[int]], kappa: float) -> None:
    found = of_table(table)
    assert found.table == tuple(map(tuple, table))
    assert found.count == sum(map(sum, table))
    assert found.kappa == pytest.approx(kappa, abs=5e-5)
    assert found.undefined == ""


@given(
    st.integers(2, 3).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 30), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_kappa_is_what_fractions_say(table: list[list[int]]) -> None:
    found = of_table(table)
    if not found.count:
        assert (found.kappa, found.agreement, found.undefined) == (None, None, "no entry was decided by both")
        return
    expected = by_hand(table)
    assert found.agreement == pytest.approx(sum(table[place][place] for place in range(len(table))) / found.count)
    if expected is None:
        assert found.kappa is None
        assert "chance" in found.undefined
    else:
        assert found.kappa == pytest.approx(float(expected))


def test_two_who_accept_everything_agree_but_not_beyond_chance() -> None:
    found = of_table([[12, 0], [0, 0]])
    assert (found.agreement, found.kappa) == (1.0, None)
    assert found.undefined.startswith("both gave one and the same decision to all entries")
