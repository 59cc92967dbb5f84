"""Subsets: so many samples of a split, chosen by seed, as a split file of Energon's that leaves the others out.

Energon (4.0 to 6.0, 7.2 and later) takes such a file by `split_config`. A sample is chosen by the hash of its name and
the seed, so that the same seed chooses the same samples wherever the shards lie, and more of them beside the former.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from braceexpand import braceexpand

from mm2energon.errors import InputError
from mm2energon.shards.index import idx_path
from mm2energon.shards.reader import DatasetIndex, open_rows

#: What Energon would take for a pattern in a name that is left out.
_PATTERNS = frozenset("{}\\")
#: The rank of a sample that is not to be taken.
_NEVER = (1 << 64) - 1


@dataclass(frozen=True)
class Part:
    """One split of a dataset, as Energon loads it."""

    root: Path
    name: str
    #: Shards in order -> samples in them, those of `excluded` included.
    shards: Mapping[str, int]
    #: `shard/key` of samples that the dataset's own split.yaml leaves out.
    excluded: frozenset[str]

    @property
    def samples(self) -> int:
        """Samples that are loaded."""
        return sum(self.shards.values()) - len(self.excluded)


def part_of(root: Path, index: DatasetIndex, name: str) -> Part:
    """A split of a dataset; one that is not there has no shards.

    Raises:
        InputError: it lists a shard that is not there, or that the dataset has no count of.
    """
    left_out = {one for pattern in index.excluded for one in braceexpand(pattern)}
    listed = (shard for pattern in index.splits.get(name, ()) for shard in braceexpand(pattern))
    shards = [shard for shard in dict.fromkeys(listed) if shard not in left_out]
    if lost := [shard for shard in shards if shard not in index.counts]:
        raise InputError(f"{root}: split.yaml lists {lost[0]}, of which .info.json has no count; see mm2energon verify")
    files = (path for shard in shards for path in (root / shard, idx_path(root / shard)))
    if gone := next((path for path in files if not path.is_file()), None):
        raise InputError(f"{gone}: is not there, but belongs to the dataset; see mm2energon verify")
    counts = {shard: index.counts[shard] for shard in shards}
    return Part(root, name, counts, frozenset(one for one in left_out if one.rpartition("/")[0] in counts))


@dataclass(frozen=True)
class Subset:
    """The samples of a part that are taken."""

    part: Part
    shards: Sequence[str]
    #: `shard/key` of those samples in these shards that are not.
    excluded: Sequence[str]
    #: With so many workers, of all ranks together, each is sure to have a sample. They share the shards out in rows,
    #: and one that finds none in its row looks for ever.
    most_workers: int

    def split_file(self) -> bytes:
        """The YAML that Energon reads; names are quoted as in JSON, which is YAML too."""
        lines = ["split_parts:", f"  {json.dumps(self.part.name)}:", *(f"  - {json.dumps(one)}" for one in self.shards)]
        lines += ["exclude:" if self.excluded else "exclude: []", *(f"- {json.dumps(one)}" for one in self.excluded)]
        return "\n".join(lines).encode() + b"\n"


def choose(part: Part, index: DatasetIndex, count: int, *, seed: int, whole_shards: bool) -> Subset:
    """Exactly `count` samples of a part, those of lowest rank.

    Args:
        whole_shards: of as few shards as hold so many; only what they hold beyond that is left out.

    Raises:
        InputError: it has fewer, or there is no index to tell its samples by.
    """
    if count > part.samples:
        raise InputError(
            f"{part.root}: has {part.samples} samples of {part.name}, {count} were asked for; ask for fewer"
        )
    shards = _shards_for(part, count, seed) if whole_shards else part.shards
    chosen = _chosen(part, index, shards, count, seed)
    names: list[str] = []
    left_out: list[str] = []
    row = longest_row = 0
    for shard, keys in _keys(part, index, shards):
        takes = list(islice(chosen, len(keys)))
        if not any(takes):
            continue
        names.append(shard)
        for key, is_taken in zip(keys, takes, strict=True):
            row = 0 if is_taken else row + 1
            longest_row = max(longest_row, row)
            if not is_taken:
                left_out.append(f"{shard}/{key}")
    if odd := next((name for name in left_out if not _PATTERNS.isdisjoint(name)), None):
        raise InputError(f"{part.root}: Energon takes the name {odd!r} for a pattern; no subset can be had without it")
    return Subset(part, names, left_out, sum(part.shards[name] for name in names) // (longest_row + 1))


def _shards_for(part: Part, count: int, seed: int) -> set[str]:
    """As few shards as hold so many samples, in the order of their ranks."""
    left_out = Counter(one.rpartition("/")[0] for one in part.excluded)
    taken: set[str] = set()
    for shard in sorted(part.shards, key=lambda name: _rank(seed, name)):
        if count <= 0:
            break
        taken.add(shard)
        count -= part.shards[shard] - left_out[shard]
    return taken


def _chosen(part: Part, index: DatasetIndex, shards: Collection[str], count: int, seed: int) -> Iterator[bool]:
    """For each sample in the shards, in order, whether it is taken."""
    ranks = array("Q")
    for shard, keys in _keys(part, index, shards):
        for name in (f"{shard}/{key}" for key in keys):
            ranks.append(_NEVER if name in part.excluded else _rank(seed, name))
    highest = sorted(ranks)[count - 1]
    ties = count - sum(rank < highest for rank in ranks)
    for rank in ranks:
        yield rank < highest or (rank == highest and ties > 0)
        ties -= rank == highest


def _keys(part: Part, index: DatasetIndex, shards: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Each of the shards that is in the part, and the keys of its samples.

    Raises:
        InputError: the index does not hold as many as are counted.
    """
    with open_rows(part.root) as rows:
        for number, shard in enumerate(index.counts):
            if shard in part.shards and shard in shards:
                keys = rows.keys_of_shard(number)
                if len(keys) != part.shards[shard]:
                    raise InputError(
                        f"{part.root}: its index has {len(keys)} samples of {shard}, .info.json {part.shards[shard]}; "
                        "see mm2energon verify"
                    )
                yield shard, keys


def _rank(seed: int, name: str) -> int:
    digest = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _NEVER
