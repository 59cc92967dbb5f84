"""Splits: which group of samples goes to train, val or test.

Groups (samples that share a medium) stay together. They are dealt in an order that depends on a hash of their content
and the seed alone, the largest first, each to the split that lags most behind its share and still has room for it, so
that every split gets small and large groups alike. Then groups are exchanged while that brings the ratio nearer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.pipeline.dealing import deal
from mm2energon.pipeline.numbers import Numbers, stretches, zeros

if TYPE_CHECKING:  # numpy is imported where it is needed: a tenth of a second
    import numpy as np
    from numpy.typing import NDArray

SPLITS = ("train", "val", "test")

#: Where a sample stands in the hashed order that has nothing to be hashed.
_LAST = (1 << 64) - 1


class Groups:
    """Samples joined by what they share; hashes in files, so that there may be more of them than memory holds."""

    def __init__(self, *, seed: int, folder: Path | None = None, path: Path | None = None) -> None:
        """
        Args:
            folder: where the files lie, which have no names and go with the object; None: where temporary files do.
            path: begins the names of files that stay, instead, and which are read if they are there.
        """
        self._seeded = hashlib.blake2b(f"{seed}\0".encode(), digest_size=8)
        self._folder = folder
        self._ranks = Numbers({"rank": "Q"}, folder=folder, path=path and path.with_name(f"{path.name}.ranks"))
        shared = {"digest": "Q", "sample": "I"}
        self._shared = Numbers(shared, folder=folder, path=path and path.with_name(f"{path.name}.shared"))
        self._count = len(self._ranks)

    def __len__(self) -> int:
        return self._count

    def add(self, shared: Iterable[str | bytes], *, own: Iterable[str | bytes] = ()) -> None:
        """Add the next sample, joined to every other one with which it shares a string.

        Args:
            own: strings that join it to nothing, and only give it its place in the hashed order.
        """
        rank = _LAST
        for name in shared:
            digest = self._hash64(name)
            self._shared.append(digest, self._count)
            rank = min(rank, digest)
        for name in own:
            rank = min(rank, self._hash64(name))
        self._ranks.append(rank)
        self._count += 1

    def extend(self, others: Groups) -> None:
        """Add the samples of others behind these."""
        for block in others._shared.blocks():
            rows = block.copy()
            rows["sample"] += self._count
            self._shared.extend(rows)
        for block in others._ranks.blocks():
            self._ranks.extend(block)
        self._count += len(others)

    def flush(self) -> None:
        """Let others who read the files see all samples."""
        self._ranks.flush()
        self._shared.flush()

    def close(self) -> None:
        """Let go of the files."""
        self._ranks.close()
        self._shared.close()

    def members(self) -> NDArray[Any]:
        """For each sample, the number of the first sample of its group: uint32, shape (samples,)."""
        import numpy as np

        lowest = zeros(len(self), "I", folder=self._folder)
        for start, end in stretches(len(self)):
            lowest[start:end] = np.arange(start, end)
        before = None
        for rows in self._shared.sorted_by("digest"):
            linked = rows if before is None else np.concatenate([before, rows])
            joins = linked["digest"][1:] == linked["digest"][:-1]
            _join(lowest, linked["sample"][:-1][joins], linked["sample"][1:][joins])
            before = rows[-1:]
        for start, end in stretches(len(self)):
            lowest[start:end] = _followed(lowest, lowest[start:end])
        return lowest

    def ranks(self) -> NDArray[Any]:
        """Where each sample stands in the hashed order: uint64, shape (samples,)."""
        return self._ranks.mapped()["rank"]

    def in_order(self, members: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """The groups, in blocks of (`size`, `root`): the largest first, equal ones in the hashed order.

        Args:
            members: as `members` says.
        """
        import numpy as np

        sizes, lacking = zeros(len(self), "I", folder=self._folder), zeros(len(self), "Q", folder=self._folder)
        for (start, end), rows in zip(stretches(len(self)), self._ranks.blocks(), strict=True):
            np.add.at(sizes, members[start:end], np.uint32(1))
            np.maximum.at(lacking, members[start:end], ~rows["rank"])  # what a rank lacks to the last one
        groups = Numbers({"rank": "Q", "order": "I", "size": "I", "root": "I"}, folder=self._folder)
        for start, end in stretches(len(self)):
            roots = np.flatnonzero(sizes[start:end])
            rows = np.zeros(len(roots), groups.dtype)
            rows["root"], rows["size"] = start + roots, sizes[start:end][roots]
            rows["order"], rows["rank"] = ~rows["size"], ~lacking[start:end][roots]
            groups.extend(rows)
        by_rank = groups.like()
        for rows in groups.sorted_by("rank"):
            by_rank.extend(rows)
        return by_rank.sorted_by("order")

    def _hash64(self, name: str | bytes) -> int:
        digest = self._seeded.copy()
        digest.update(name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name)
        return int.from_bytes(digest.digest(), "big")


def _join(lowest: NDArray[Any], one: NDArray[Any], other: NDArray[Any]) -> None:
    """Join the groups of the samples `one[i]` and `other[i]`.

    Args:
        lowest: leads each sample to a lower one of its group, or to itself, where it is the first.
    """
    import numpy as np

    one, other = _followed(lowest, one), _followed(lowest, other)
    apart = one != other
    roots, places = np.unique(np.concatenate([one[apart], other[apart]]), return_inverse=True)
    ones, others = np.split(places, 2)
    lowest[roots] = roots[_components(len(roots), ones, others)]


def _followed(lowest: NDArray[Any], numbers: NDArray[Any]) -> NDArray[Any]:
    """The first samples of their groups, to which they lead straight from now on."""
    import numpy as np

    found: NDArray[Any] = lowest[numbers]
    while not np.array_equal(further := lowest[found], found):
        found = further
    lowest[numbers] = found
    return found


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


def assign(groups: Groups, ratios: Mapping[str, float], *, folder: Path | None = None) -> NDArray[Any]:
    """The split of each sample, as its place in SPLITS: uint8, shape (samples,).

    Args:
        ratios: split name -> share, of any sum; at least one is positive.
        folder: where the files lie that are needed meanwhile; None: where temporary files do.
    """
    import numpy as np

    members, targets = groups.members(), _targets(ratios, len(groups))
    ordered = Numbers({"size": "I", "root": "I"}, folder=folder)
    for rows in groups.in_order(members):
        ordered.extend(rows[["size", "root"]].astype(ordered.dtype))
    dealt = deal(ordered, targets, folder=folder)
    places = np.array([SPLITS.index(name) for name in targets], np.uint8)
    split_of = zeros(len(groups), "B", folder=folder)
    for (start, end), rows in zip(stretches(len(ordered)), ordered.blocks(), strict=True):
        split_of[rows["root"]] = places[dealt[start:end]]
    for start, end in stretches(len(groups)):  # the first of a group stands before the others, and leads to itself
        split_of[start:end] = split_of[members[start:end]]
    return split_of


def _targets(ratios: Mapping[str, float], total: int) -> dict[str, float]:
    whole = sum(ratios.values())
    return {split: total * share / whole for split, share in ratios.items() if share > 0}
