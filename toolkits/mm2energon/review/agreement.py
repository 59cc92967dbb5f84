"""Agreement: how far two reviewers decide alike, and how far beyond chance.

Cohen's kappa is (p_o - p_e) / (1 - p_e): p_o is the share of entries that both decide alike, p_e the share that they
would by chance, each with the shares of decisions that they have made (J. Cohen, A coefficient of agreement for nominal
scales, Educational and Psychological Measurement 20, 1960, pages 37-46).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mm2energon.review.model import Agreement


def agreement_of(
    reviewers: tuple[str, str], labels: Sequence[str], first: NDArray[np.int32], second: NDArray[np.int32]
) -> Agreement:
    """How far two reviewers agree.

    Args:
        first: of each entry that both have decided, the label that the first one gave, by its place.
    """
    size = len(labels)
    table = np.bincount(first * size + second, minlength=size * size).reshape(size, size)
    rows = tuple(tuple(int(count) for count in row) for row in table)
    count = int(table.sum())
    if not count:
        return Agreement(reviewers, 0, tuple(labels), rows, None, None, "no entry was decided by both")
    alike = int(np.trace(table))
    by_chance = int(table.sum(axis=1) @ table.sum(axis=0))
    share = alike / count
    if by_chance == count * count:
        why = "both gave one and the same decision to all entries, so that chance alone explains it"
        return Agreement(reviewers, count, tuple(labels), rows, share, None, why)
    # As whole numbers, so that nothing is lost where the two differ by little.
    kappa = (alike * count - by_chance) / (count * count - by_chance)
    return Agreement(reviewers, count, tuple(labels), rows, share, kappa)
