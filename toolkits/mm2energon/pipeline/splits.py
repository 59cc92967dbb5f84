"""Splits: which group of samples goes to train, val or test.

Groups (samples that share a medium) stay together. They are dealt in an order that depends on a hash of their content
and the seed alone, the largest first, each to the split that lags most behind its share and still has room for it, so
that every split gets small and large groups alike. Then groups are exchanged while that brings the ratio nearer.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # numpy is imported where it is needed: a tenth of a second
    import numpy as np
    from numpy.typing import NDArray

SPLITS = ("train", "val", "test")

#: Samples by which the splits may miss their shares before groups are exchanged, at the very least.
_NEAR_ENOUGH = 1e-6
#: So few groups are dealt by trying every way: 3 ** 7 of them.
_ALL_TRIED = 7
#: Different group sizes up to which exchanges are tried; with more, small groups have evened the splits out already.
_POLISHED_SIZES = 64


class Groups:
    """Samples joined by what they share; flat arrays of hashes, so that millions fit."""

    def __init__(self, *, seed: int) -> None:
        self._seeded = hashlib.blake2b(f"{seed}\0".encode(), digest_size=8)
        self._rank = array("Q")
        self._shared = array("Q")
        self._shared_by = array("I")

    def add(self, shared: Iterable[str | bytes], *, own: Iterable[str | bytes] = ()) -> None:
        """Add the next sample, joined to every other one with which it shares a string.

        Args:
            own: strings that join it to nothing, and only give it its place in the hashed order.
        """
        digests = [self._hash64(name) for name in shared]
        self._shared.extend(digests)
        self._shared_by.extend([len(self._rank)] * len(digests))
        digests += [self._hash64(name) for name in own]
        self._rank.append(min(digests, default=(1 << 64) - 1))

    def members(self) -> NDArray[np.int64]:
        """For each sample, the number of the first sample of its group."""
        import numpy as np

        digests, samples = np.asarray(self._shared), np.asarray(self._shared_by)
        order = np.argsort(digests, kind="stable")
        digests, samples = digests[order], samples[order]
        joins = digests[1:] == digests[:-1]
        return _components(len(self._rank), samples[:-1][joins], samples[1:][joins])

    def ranks(self) -> NDArray[np.uint64]:
        """Where each sample stands in the hashed order."""
        import numpy as np

        return np.asarray(self._rank)

    def _hash64(self, name: str | bytes) -> int:
        digest = self._seeded.copy()
        digest.update(name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name)
        return int.from_bytes(digest.digest(), "big")


def _components(count: int, one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.int64]:
    """The lowest number that can be reached from each number below `count` by the links `one[i]` - `other[i]`."""
    import numpy as np

    lowest = np.arange(count)
    while True:
        one, other = lowest[one], lowest[other]
        apart = one != other
        one, other = one[apart], other[apart]
        if not len(one):
            return lowest
        np.minimum.at(lowest, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(further := lowest[lowest], lowest):
            lowest = further


def assign(groups: Groups, ratios: Mapping[str, float]) -> NDArray[np.uint8]:
    """The split of each sample, as its place in SPLITS.

    Args:
        ratios: split name -> share, of any sum; at least one is positive.
    """
    import numpy as np

    members, ranks = groups.members(), groups.ranks()
    sizes = np.bincount(members, minlength=len(members))
    lowest = ranks.copy()
    np.minimum.at(lowest, members, ranks)
    roots = np.flatnonzero(sizes)
    order = roots[np.lexsort((roots, lowest[roots], -sizes[roots]))]
    dealt = _deal(array("q", sizes[order].tobytes()), _targets(ratios, len(members)))
    split_of = np.zeros(len(members), np.uint8)
    split_of[order] = np.frombuffer(dealt, np.uint8)
    return split_of[members]


def _targets(ratios: Mapping[str, float], total: int) -> dict[str, float]:
    whole = sum(ratios.values())
    return {split: total * share / whole for split, share in ratios.items() if share > 0}


def _deal(sizes: Sequence[int], targets: Mapping[str, float]) -> bytearray:
    """The split of each group, the largest of which stands first."""
    names = list(targets)
    shares = [targets[name] for name in names]
    left = list(shares)
    lack = [1.0] * len(shares)
    every = range(len(shares))
    choices = bytearray()

    def by_lack(split: int) -> tuple[float, float]:
        return lack[split], shares[split]

    def by_left(split: int) -> tuple[float, float]:
        return left[split], shares[split]

    for size in sizes:
        fitting = [split for split in every if left[split] >= size]
        split = max(fitting, key=by_lack) if fitting else max(every, key=by_left)
        choices.append(split)
        left[split] -= size
        lack[split] = left[split] / shares[split]
    if len(sizes) <= _ALL_TRIED:
        choices = _nearest(sizes, choices, shares)
    else:
        _fill_empty(choices, shares)
        _polish(sizes, choices, targets)
    return choices.translate(bytes(SPLITS.index(name) for name in names).ljust(256, b"\0"))


def _nearest(sizes: Sequence[int], dealt: bytearray, shares: Sequence[float]) -> bytearray:
    """Of all ways to deal a few groups, the nearest to the shares that leaves no split empty without need.

    Among equals it is the one that changes least of what was dealt.
    """

    def badness(choice: tuple[int, ...]) -> tuple[float, int]:
        held = [0] * len(shares)
        for size, split in zip(sizes, choice, strict=True):
            held[split] += size
        miss = sum(abs(count - share) for count, share in zip(held, shares, strict=True))
        return round(miss, 6), sum(before != split for before, split in zip(dealt, choice, strict=True))

    filled = min(len(shares), len(sizes))
    choices: Iterator[tuple[int, ...]] = product(range(len(shares)), repeat=len(sizes))
    return bytearray(min((choice for choice in choices if len(set(choice)) == filled), key=badness))


def _fill_empty(dealt: bytearray, shares: Sequence[float]) -> None:
    """Give each split that got nothing the smallest group of a split that has several."""
    counts = [dealt.count(split) for split in range(len(shares))]
    for empty in sorted((split for split, count in enumerate(counts) if not count), key=lambda one: -shares[one]):
        for group in reversed(range(len(dealt))):
            if counts[dealt[group]] > 1:
                counts[dealt[group]] -= 1
                dealt[group] = empty
                counts[empty] += 1
                break


def _polish(sizes: Sequence[int], dealt: bytearray, targets: Mapping[str, float]) -> None:
    """Move groups, and exchange groups of two splits, as long as that brings the splits nearer to their shares."""
    if len(runs := _runs(sizes)) > _POLISHED_SIZES:
        return
    # split -> size -> groups, by rank
    held = {
        name: {size: array("q", (n for n in range(*run) if dealt[n] == split)) for size, run in runs.items()}
        for split, name in enumerate(targets)
    }
    over = {name: sum(size * len(g) for size, g in held[name].items()) - targets[name] for name in targets}
    while sum(map(abs, over.values())) > _NEAR_ENOUGH:
        gain, giver, taker, given, taken = max(_exchanges(held, over))
        if gain < _NEAR_ENOUGH:
            return
        moves = [(giver, taker, given)] + ([(taker, giver, taken)] if taken else [])
        groups = [held[here][size].pop() for here, _, size in moves]
        for group, (here, there, size) in zip(groups, moves, strict=True):
            dealt[group] = list(targets).index(there)
            held[there][size].append(group)
            over[here] -= size
            over[there] += size


def _runs(sizes: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Each size, and where its groups begin and end, when these are ordered by size."""
    starts = [place for place, size in enumerate(sizes) if not place or size != sizes[place - 1]]
    return {sizes[start]: (start, end) for start, end in zip(starts, [*starts[1:], len(sizes)], strict=True)}


def _exchanges(
    held: Mapping[str, Mapping[int, Sequence[int]]], over: Mapping[str, float]
) -> Iterator[tuple[float, str, str, int, int]]:
    """(how much nearer, giver, taker, size given, size taken in return: 0 for none) of each exchange there is."""
    yield 0.0, "", "", 0, 0
    for giver, taker in permutations(held, 2):
        present = [size for size, groups in held[giver].items() if groups]
        wanted = [size for size, groups in held[taker].items() if groups]
        may_move = sum(len(groups) for groups in held[giver].values()) > 1
        for given, taken in product(present, [0, *wanted] if may_move else wanted):
            net = given - taken
            before = abs(over[giver]) + abs(over[taker])
            yield before - abs(over[giver] - net) - abs(over[taker] + net), giver, taker, given, taken
