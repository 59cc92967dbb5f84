"""Which entries of a file go into a mix: so many, by seed, with groups that stay together whole or out.

Groups are taken in an order that depends on a hash of their content and the seed alone. Where that does not come out at
the number that was asked for, the last of them are exchanged for others by trying all sums of their sizes.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from posixpath import normpath
from typing import Any

from mm2energon.formats.media import PLURALS
from mm2energon.jsonio import dumps
from mm2energon.pipeline.prepare import GroupBy
from mm2energon.pipeline.splits import Groups

#: Groups, taken and not, among which exchanges are tried, and bits of all the sums that are tried.
_TRIED = 1024
_TRIED_OF_A_SIZE = 16
_TRIED_BITS = 1 << 28


def add_to(groups: Groups, entry: Mapping[str, Any], group_by: GroupBy) -> None:
    """Add a ShareGPT entry, joined to those that it must stay together with."""
    turns = entry["conversations"]  # some files write them with the keys of messages
    said = dumps([[turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))] for turn in turns])
    if group_by == "none":
        groups.add((), own=[dumps([entry.get("id"), *_media(entry)]) + said])
    elif group_by == "id" and entry.get("id") is not None:
        groups.add([dumps(["id", entry["id"]])])
    else:
        groups.add((_media(entry) if group_by == "media" else []) or [said])


def _media(entry: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for plural in PLURALS.values():
        for medium in entry.get(plural) or ():
            found += map(normpath, medium if isinstance(medium, list) else [medium])
    return found


def choose(groups: Groups, count: int) -> array[int]:
    """The numbers of the entries that are taken, rising: `count` of them, or the nearest that groups allow."""
    import numpy as np

    members, ranks = groups.members(), groups.ranks()
    if not len(members):
        return array("Q")
    sizes = np.bincount(members, minlength=len(members))
    lowest = ranks.copy()
    np.minimum.at(lowest, members, ranks)
    roots = np.flatnonzero(sizes)
    order = roots[np.lexsort((roots, lowest[roots]))]
    taken = nearest(array("q", sizes[order].astype(np.int64).tobytes()), count)
    is_taken = np.zeros(len(members), bool)
    is_taken[order] = np.frombuffer(taken, bool)
    return array("Q", np.flatnonzero(is_taken[members]).astype(np.uint64).tobytes())


def nearest(sizes: Sequence[int], count: int) -> bytearray:
    """For each group whether it is taken, so that their sizes add up to `count`, or as nearly as they can.

    The first ones are preferred. Of two sums that are as near the lower one is taken.
    """
    taken = bytearray(len(sizes))
    total = 0
    for place, size in enumerate(sizes):
        if total + size <= count:
            taken[place] = 1
            total += size
    if total < count and total < sum(sizes):
        _exchange(sizes, taken, count - total)
    return taken


def _exchange(sizes: Sequence[int], taken: bytearray, lacking: int) -> None:
    """Take and put back groups, so that as nearly as possible that many more are taken."""
    places = range(len(sizes)) if len(sizes) <= _TRIED else _few_of_each(sizes, taken)
    largest, goal = max(map(sizes.__getitem__, places)), lacking
    tried: list[int] = []
    for place in sorted(places, key=sizes.__getitem__):
        goal += sizes[place] if taken[place] else 0
        tried.append(place)
        if (len(tried) + 1) * (goal + 2 * largest) > _TRIED_BITS:
            break
    tried.sort(key=lambda place: (not taken[place], place))
    chosen = _subset_near([sizes[place] for place in tried], goal)
    for number, place in enumerate(tried):
        taken[place] = number in chosen


def _few_of_each(sizes: Sequence[int], taken: bytearray) -> list[int]:
    """Groups of all sizes, some that are taken and some that are not; the smallest, where that is too many."""
    found: list[int] = []
    seen: Counter[tuple[int, int]] = Counter()
    for place, size in enumerate(sizes):
        kind = size, taken[place]
        seen[kind] += 1
        if seen[kind] <= _TRIED_OF_A_SIZE:
            found.append(place)
    return sorted(found, key=sizes.__getitem__)[:_TRIED]


def _subset_near(sizes: Sequence[int], goal: int) -> set[int]:
    """The numbers of sizes that add up to `goal`, or as nearly as they can; the first ones are preferred."""
    within = (1 << (goal + max(sizes, default=0) + 1)) - 1
    sums = [1]  # bit n of the i-th: the first i sizes can add up to n
    for size in sizes:
        sums.append((sums[-1] | sums[-1] << size) & within)
    off = next(off for off in range(goal + 1) if sums[-1] >> (goal - off) & 1 or sums[-1] >> (goal + off) & 1)
    rest = goal - off if sums[-1] >> (goal - off) & 1 else goal + off
    chosen = set()
    for number in reversed(range(len(sizes))):
        if not sums[number] >> rest & 1:
            chosen.add(number)
            rest -= sizes[number]
    return chosen
