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

SPLITS = ("train", "val", "test")

#: Samples by which the splits may miss their shares before groups are exchanged, at the very least.
_NEAR_ENOUGH = 1e-6
#: So few groups are dealt by trying every way: 3 ** 7 of them.
_ALL_TRIED = 7
#: Different group sizes up to which exchanges are tried; with more, small groups have evened the splits out already.
_POLISHED_SIZES = 64


class Groups:
    """Samples joined by what they share (union-find); flat arrays, so that millions fit."""

    def __init__(self) -> None:
        self._parent = array("q")
        self._rank = array("Q")
        self._first_with: dict[int, int] = {}

    def add(self, shared: Iterable[str], *, own: Iterable[str] = (), seed: int) -> None:
        """Add the next sample, joined to every earlier one with which it shares a string.

        Args:
            own: strings that join it to nothing, and only give it its place in the hashed order.
        """
        number = len(self._parent)
        self._parent.append(number)
        lowest = (1 << 64) - 1
        for name in shared:
            digest = _hash64(f"{seed}\0{name}")
            lowest = min(lowest, digest)
            first = self._first_with.setdefault(digest, number)
            if first != number:
                self._join(first, number)
        self._rank.append(min([lowest, *(_hash64(f"{seed}\0{name}") for name in own)]))

    def members(self) -> list[int]:
        """For each sample, the number of the sample that stands for its group."""
        return [self._root(number) for number in range(len(self._parent))]

    def rank(self, number: int) -> int:
        """Where a sample stands in the hashed order."""
        return self._rank[number]

    def _join(self, one: int, other: int) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        self._parent[high] = low

    def _root(self, number: int) -> int:
        root = number
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[number] != root:
            self._parent[number], number = root, self._parent[number]
        return root


def assign(groups: Groups, ratios: Mapping[str, float]) -> list[str]:
    """The split of each sample.

    Args:
        ratios: split name -> share, of any sum; at least one is positive.
    """
    members = groups.members()
    sizes: dict[int, int] = {}
    ranks: dict[int, int] = {}
    for number, root in enumerate(members):
        sizes[root] = sizes.get(root, 0) + 1
        ranks[root] = min(ranks.get(root, groups.rank(number)), groups.rank(number))
    order = sorted(sizes, key=lambda root: (-sizes[root], ranks[root], root))
    split_of = _deal(order, sizes, _targets(ratios, len(members)))
    return [split_of[root] for root in members]


def _targets(ratios: Mapping[str, float], total: int) -> dict[str, float]:
    whole = sum(ratios.values())
    return {split: total * share / whole for split, share in ratios.items() if share > 0}


def _deal(order: Sequence[int], sizes: Mapping[int, int], targets: Mapping[str, float]) -> dict[int, str]:
    left = dict(targets)
    split_of: dict[int, str] = {}
    for root in order:
        size = sizes[root]
        fitting = [split for split in targets if left[split] >= size]
        if fitting:
            split = max(fitting, key=lambda name: (left[name] / targets[name], targets[name]))
        else:
            split = max(targets, key=lambda name: (left[name], targets[name]))
        split_of[root] = split
        left[split] -= size
    if len(order) <= _ALL_TRIED:
        return _nearest(order, sizes, split_of, targets)
    _fill_empty(order, split_of, targets)
    _polish(order, sizes, split_of, targets)
    return split_of


def _nearest(
    order: Sequence[int], sizes: Mapping[int, int], dealt: Mapping[int, str], targets: Mapping[str, float]
) -> dict[int, str]:
    """Of all ways to deal a few groups, the nearest to the shares that leaves no split empty without need.

    Among equals it is the one that changes least of what was dealt.
    """

    def badness(choice: tuple[str, ...]) -> tuple[float, int]:
        held = dict.fromkeys(targets, 0)
        for root, split in zip(order, choice, strict=True):
            held[split] += sizes[root]
        miss = sum(abs(held[split] - targets[split]) for split in targets)
        return round(miss, 6), sum(dealt[root] != split for root, split in zip(order, choice, strict=True))

    filled = min(len(targets), len(order))
    choices: Iterator[tuple[str, ...]] = product(targets, repeat=len(order))
    best = min((choice for choice in choices if len(set(choice)) == filled), key=badness)
    return dict(zip(order, best, strict=True))


def _fill_empty(order: Sequence[int], split_of: dict[int, str], targets: Mapping[str, float]) -> None:
    """Give each split that got nothing the smallest group of a split that has several."""
    counts = dict.fromkeys(targets, 0)
    for split in split_of.values():
        counts[split] += 1
    for empty in sorted((split for split in targets if not counts[split]), key=lambda name: -targets[name]):
        for root in reversed(order):
            if counts[split_of[root]] > 1:
                counts[split_of[root]] -= 1
                split_of[root] = empty
                counts[empty] += 1
                break


def _polish(
    order: Sequence[int], sizes: Mapping[int, int], split_of: dict[int, str], targets: Mapping[str, float]
) -> None:
    """Move groups, and exchange groups of two splits, as long as that brings the splits nearer to their shares."""
    held: dict[str, dict[int, list[int]]] = {split: {} for split in targets}  # split -> size -> groups, by rank
    for root in order:
        held[split_of[root]].setdefault(sizes[root], []).append(root)
    over = {split: sum(size * len(g) for size, g in held[split].items()) - targets[split] for split in targets}
    while len(set(sizes.values())) <= _POLISHED_SIZES and sum(map(abs, over.values())) > _NEAR_ENOUGH:
        gain, giver, taker, given, taken = max(_exchanges(held, over))
        if gain < _NEAR_ENOUGH:
            return
        moves = [(giver, taker, given)] + ([(taker, giver, taken)] if taken else [])
        roots = [held[here][size].pop() for here, _, size in moves]
        for root, (here, there, size) in zip(roots, moves, strict=True):
            split_of[root] = there
            held[there].setdefault(size, []).append(root)
            over[here] -= size
            over[there] += size


def _exchanges(
    held: Mapping[str, Mapping[int, list[int]]], over: Mapping[str, float]
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


def _hash64(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
