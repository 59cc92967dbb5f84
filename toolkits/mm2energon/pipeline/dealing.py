"""Dealing: each group of samples to a split, in a given order, so that all splits come near to their shares."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.pipeline.numbers import Numbers, stretches, zeros

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Samples by which the splits may miss their shares before groups are exchanged, at the very least.
_NEAR_ENOUGH = 1e-6
#: So few groups are dealt by trying every way: 3 ** 7 of them.
_ALL_TRIED = 7
#: Different group sizes up to which exchanges are tried; with more, small groups have evened the splits out already.
_POLISHED_SIZES = 64
#: Groups that are numbers of Python at a time, which take more room than those of a file.
_AT_A_TIME = 1 << 16


def deal(groups: Numbers, targets: Mapping[str, float], *, folder: Path | None = None) -> NDArray[Any]:
    """The split of each group, as its place in `targets`: uint8, shape (groups,).

    Args:
        groups: rows with `size`, the largest first.
        targets: split -> how many samples it should have.
        folder: where the file of what is returned lies, which has no name.
    """
    dealt = zeros(len(groups), "B", folder=folder)
    shares = list(targets.values())
    _deal_by_lack(groups, dealt, shares)
    if len(groups) <= _ALL_TRIED:
        sizes = [size for block in _sizes(groups) for size in block]
        dealt[:] = _nearest(sizes, dealt.tolist(), shares)
    else:
        _fill_empty(dealt, shares)
        _polish(groups, dealt, targets)
    return dealt


def _sizes(groups: Numbers) -> Iterator[list[int]]:
    for rows in groups.blocks():
        for start in range(0, len(rows), _AT_A_TIME):
            yield rows["size"][start : start + _AT_A_TIME].tolist()


def _deal_by_lack(groups: Numbers, dealt: NDArray[Any], shares: Sequence[float]) -> None:
    """Each group to the split that lags most behind its share and still has room for it."""
    left = list(shares)
    lack = [1.0] * len(shares)
    every = range(len(shares))

    def by_lack(split: int) -> tuple[float, float]:
        return lack[split], shares[split]

    def by_left(split: int) -> tuple[float, float]:
        return left[split], shares[split]

    start = 0
    for sizes in _sizes(groups):
        choices = bytearray()
        for size in sizes:
            fitting = [split for split in every if left[split] >= size]
            split = max(fitting, key=by_lack) if fitting else max(every, key=by_left)
            choices.append(split)
            left[split] -= size
            lack[split] = left[split] / shares[split]
        dealt[start : start + len(sizes)] = memoryview(choices)
        start += len(sizes)


def _nearest(sizes: Sequence[int], dealt: Sequence[int], shares: Sequence[float]) -> Sequence[int]:
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
    return min((choice for choice in choices if len(set(choice)) == filled), key=badness)


def _fill_empty(dealt: NDArray[Any], shares: Sequence[float]) -> None:
    """Give each split that got nothing the smallest group of a split that has several."""
    counts = _counted(dealt, 0, len(dealt), len(shares))
    for empty in sorted((split for split, count in enumerate(counts) if not count), key=lambda one: -shares[one]):
        group = next(group for group in reversed(range(len(dealt))) if counts[dealt[group]] > 1)
        counts[dealt[group]] -= 1
        dealt[group] = empty
        counts[empty] += 1


def _counted(dealt: NDArray[Any], start: int, end: int, splits: int) -> list[int]:
    """How many of the groups from `start` to `end` each split has."""
    import numpy as np

    counts = np.zeros(splits, np.int64)
    for begin, stop in stretches(end - start):
        counts += np.bincount(dealt[start + begin : start + stop], minlength=splits)
    return [int(count) for count in counts]


class _Held:
    """The groups of one size that one split has: a stack, of which those that it was dealt lie below, by their order.

    They are not listed: where no other lies on top, those that are left are those that are dealt to the split.
    """

    def __init__(self, dealt: NDArray[Any], split: int, count: int, run: tuple[int, int]) -> None:
        self._dealt, self._split, self._count = dealt, split, count
        self._start, self._end = run
        self._on_top = array("q")

    def __len__(self) -> int:
        return self._count

    def append(self, group: int) -> None:
        self._on_top.append(group)
        self._count += 1

    def pop(self) -> int:
        self._count -= 1
        if self._on_top:
            return self._on_top.pop()
        while True:
            start = max(self._start, self._end - _AT_A_TIME)
            found = (self._dealt[start : self._end] == self._split).nonzero()[0]
            self._end = start + int(found[-1]) if len(found) else start
            if len(found):
                return self._end


def _polish(groups: Numbers, dealt: NDArray[Any], targets: Mapping[str, float]) -> None:
    """Move groups, and exchange groups of two splits, as long as that brings the splits nearer to their shares."""
    if len(runs := _runs(groups)) > _POLISHED_SIZES:
        return
    # split -> size -> groups
    held: dict[str, dict[int, _Held]] = {name: {} for name in targets}
    for size, run in runs.items():
        for split, count in enumerate(_counted(dealt, *run, len(targets))):
            held[list(targets)[split]][size] = _Held(dealt, split, count, run)
    over = {name: sum(size * len(g) for size, g in held[name].items()) - targets[name] for name in targets}
    while sum(map(abs, over.values())) > _NEAR_ENOUGH:
        gain, giver, taker, given, taken = max(_exchanges(held, over))
        if gain < _NEAR_ENOUGH:
            return
        moves = [(giver, taker, given)] + ([(taker, giver, taken)] if taken else [])
        moved = [held[here][size].pop() for here, _, size in moves]
        for group, (here, there, size) in zip(moved, moves, strict=True):
            dealt[group] = list(targets).index(there)
            held[there][size].append(group)
            over[here] -= size
            over[there] += size


def _runs(groups: Numbers) -> dict[int, tuple[int, int]]:
    """Each size, and where its groups begin and end; of too many sizes only some."""
    import numpy as np

    starts: dict[int, int] = {}
    place = 0
    for rows in groups.blocks():
        sizes, firsts = np.unique(rows["size"], return_index=True)
        for size, first in zip(reversed(sizes.tolist()), reversed(firsts.tolist()), strict=True):
            starts.setdefault(size, place + first)
        place += len(rows)
        if len(starts) > _POLISHED_SIZES:
            break
    ends = [*list(starts.values())[1:], place]
    return {size: (start, end) for (size, start), end in zip(starts.items(), ends, strict=True)}


def _exchanges(
    held: Mapping[str, Mapping[int, _Held]], over: Mapping[str, float]
) -> Iterator[tuple[float, str, str, int, int]]:
    """(how much nearer, giver, taker, size given, size taken in return: 0 for none) of each exchange there is."""
    yield 0.0, "", "", 0, 0
    for giver, taker in permutations(held, 2):
        present = [size for size, groups in held[giver].items() if len(groups)]
        wanted = [size for size, groups in held[taker].items() if len(groups)]
        may_move = sum(len(groups) for groups in held[giver].values()) > 1
        for given, taken in product(present, [0, *wanted] if may_move else wanted):
            net = given - taken
            before = abs(over[giver]) + abs(over[taker])
            yield before - abs(over[giver] - net) - abs(over[taker] + net), giver, taker, given, taken
