"""Splits as they were dealt when all samples lay in memory, written plainly: what every other way must come to."""

from __future__ import annotations

import hashlib
from itertools import permutations, product

SPLITS = ("train", "val", "test")
LAST = 2**64 - 1


def digest(seed, name):
    name = name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name
    return int.from_bytes(hashlib.blake2b(f"{seed}\0".encode() + name, digest_size=8).digest(), "big")


def first_of_group(shared):
    """For each sample the first one that can be reached from it by strings that two share."""
    by_name = {}
    for number, names in enumerate(shared):
        for name in names:
            by_name.setdefault(name, []).append(number)
    found = [None] * len(shared)
    for number in range(len(shared)):
        reached = [number] if found[number] is None else []
        while reached:
            one = reached.pop()
            if found[one] is None:
                found[one] = number
                reached += [other for name in shared[one] for other in by_name[name]]
    return found


def assign(samples, ratios, seed):
    """The split of each of `samples`, which are (names that it shares, names of its own)."""
    roots = first_of_group([names for names, _ in samples])
    groups = {}
    for (names, own), root in zip(samples, roots, strict=True):
        rank = min((digest(seed, name) for name in [*names, *own]), default=LAST)
        size, lowest = groups.get(root, (0, LAST))
        groups[root] = size + 1, min(lowest, rank)
    order = sorted(groups, key=lambda root: (-groups[root][0], groups[root][1], root))
    whole = sum(ratios.values())
    targets = {split: len(samples) * share / whole for split, share in ratios.items() if share > 0}
    dealt = dict(zip(order, deal([groups[root][0] for root in order], targets), strict=True))
    return [dealt[root] for root in roots]


def deal(sizes, targets):
    """The split of each group; the largest stands first."""
    names, shares = list(targets), list(targets.values())
    left, lack = list(shares), [1.0] * len(shares)
    dealt = []
    for size in sizes:
        fitting = [n for n in range(len(shares)) if left[n] >= size]
        if fitting:
            split = max(fitting, key=lambda n: (lack[n], shares[n]))
        else:
            split = max(range(len(shares)), key=lambda n: (left[n], shares[n]))
        dealt.append(split)
        left[split] -= size
        lack[split] = left[split] / shares[split]
    if len(sizes) <= 7:
        dealt = nearest(sizes, dealt, shares)
    else:
        fill_empty(dealt, shares)
        polish(sizes, dealt, shares, names)
    return [names[split] for split in dealt]


def nearest(sizes, dealt, shares):
    best = None
    for choice in product(range(len(shares)), repeat=len(sizes)):
        if len(set(choice)) < min(len(shares), len(sizes)):
            continue
        held = [sum(size for size, split in zip(sizes, choice, strict=True) if split == n) for n in range(len(shares))]
        miss = sum(abs(count - share) for count, share in zip(held, shares, strict=True))
        badness = round(miss, 6), sum(a != b for a, b in zip(dealt, choice, strict=True))
        if best is None or badness < best[0]:
            best = badness, list(choice)
    return best[1]


def fill_empty(dealt, shares):
    empty = [n for n in range(len(shares)) if n not in dealt]
    for split in sorted(empty, key=lambda n: -shares[n]):
        group = next(g for g in reversed(range(len(dealt))) if dealt.count(dealt[g]) > 1)
        dealt[group] = split


def polish(sizes, dealt, shares, names):
    kinds = sorted(set(sizes), reverse=True)
    if len(kinds) > 64:
        return
    splits = range(len(shares))
    stacks = {(n, size): [] for n in splits for size in kinds}
    for group, size in enumerate(sizes):
        stacks[dealt[group], size].append(group)
    over = [sum(size * len(stacks[n, size]) for size in kinds) - shares[n] for n in splits]
    while sum(map(abs, over)) > 1e-6:
        ways = [(0.0, "", "", 0, 0)]
        for a, b in permutations(splits, 2):
            may_move = sum(len(stacks[a, size]) for size in kinds) > 1
            for given in kinds:
                for taken in [0, *kinds] if may_move else kinds:
                    if stacks[a, given] and (not taken or stacks[b, taken]):
                        net = given - taken
                        gain = abs(over[a]) + abs(over[b]) - abs(over[a] - net) - abs(over[b] + net)
                        ways.append((gain, names[a], names[b], given, taken))
        gain, giver, taker, given, taken = max(ways)
        if gain < 1e-6:
            return
        a, b = names.index(giver), names.index(taker)
        moves = [(a, b, given)] + ([(b, a, taken)] if taken else [])
        groups = [stacks[here, size].pop() for here, _, size in moves]
        for group, (here, there, size) in zip(groups, moves, strict=True):
            dealt[group] = there
            stacks[there, size].append(group)
            over[here] -= size
            over[there] += size
