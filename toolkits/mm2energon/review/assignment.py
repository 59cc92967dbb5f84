"""Assignment: entries are dealt to reviewers in even shares, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from mm2energon.errors import InputError
from mm2energon.review.tables import Ints

#: Entries for each reviewer after which the deal begins again: by then all have as many.
_ROUND = 60


def shuffled(numbers: Ints, seed: int) -> Ints:
    """Entries in the order in which they are dealt."""
    found: Ints = np.random.default_rng(seed).permutation(numbers)
    return found


def dealt(count: int, reviewers: Sequence[str], *, per_entry: int, seed: int) -> Ints:
    """For each of so many entries, the places of its reviewers; their shares differ by one at most.

    Each entry goes to those who have fewest so far; whom of several, chance decides, so that all pairs come together.

    Raises:
        InputError: there are fewer reviewers than an entry wants, or one is named twice.
    """
    size = len(reviewers)
    if len(set(reviewers)) < size:
        raise InputError(f"reviewers {', '.join(reviewers)}: one is named twice; each once was expected")
    if not 1 <= per_entry <= size:
        raise InputError(
            f"{per_entry} reviewers for each entry, of {size}; 1 to {size} were expected; name more reviewers"
        )
    chance, loads = random.Random(seed), [0] * size
    pattern = []
    for _ in range(min(count, _ROUND * size)):  # a multiple of all shares: behind it all loads are even
        chosen = sorted(range(size), key=lambda place: (loads[place], chance.random()))[:per_entry]
        for place in chosen:
            loads[place] += 1
        pattern.append(chosen)
    rows = np.array(pattern, np.int32).reshape(-1, per_entry)
    return np.resize(rows, (count, per_entry)) if count else rows
