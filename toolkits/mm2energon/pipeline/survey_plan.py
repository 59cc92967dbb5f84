"""Which samples a survey reads: spread over the shards by a seed, in units of work that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.pipeline.survey_sample import SurveyLook
from mm2energon.pipeline.verify_metadata import layout_of
from mm2energon.shards.reader import DatasetIndex
from mm2energon.shards.tars import BLOCK_BYTES
from mm2energon.targets import Target

#: Samples of a shard, as its metadata says, that are believed.
_MOST_SAMPLES = 1 << 40
#: Samples of a shard that are looked at, and kept in memory, at a time.
_AT_A_TIME = 2000


@dataclass(frozen=True)
class SurveyOptions:
    """How a dataset is surveyed."""

    model: str = "qwen2.5-vl"
    #: Folder or file of the model's tokenizer; None: tokens of text are estimated.
    tokenizer: Path | None = None
    #: Samples that are read at most; 0: all.
    most: int = 5000
    #: Samples that are shown.
    shown: int = 24
    seed: int = 42


class SurveyPlan:
    """Which samples of a dataset are read."""

    def __init__(
        self,
        root: Path,
        index: DatasetIndex,
        target: Target,
        options: SurveyOptions,
        stored: StoredDataset | None = None,
    ) -> None:
        self._root, self._index, self._target, self._options = root, index, target, options
        self._stored = stored
        self._split_of = {name: split for split, names in index.splits.items() for name in names}
        #: Shard that is in a split -> samples that it has, by the metadata.
        self.shards = {n: min(count, _MOST_SAMPLES) for n, count in index.counts.items() if n in self._split_of}
        self._places = spread_places(self.shards, most=options.most, seed=options.seed)
        #: Samples that there are, and that are read.
        self.samples = sum(self.shards.values())
        self.chosen = sum(map(len, self._places.values()))

    def looks(self) -> Iterator[SurveyLook]:
        """The units of work, in order."""
        wanted = min(self.chosen, self._options.shown)
        numbers = sorted(Random(self._options.seed).sample(range(self.chosen), wanted))
        begin = 0
        for name, places in self._places.items():
            step = self._at_a_time(name, len(places))
            for first in range(0, len(places), step):
                some = places[first : first + step]
                here = frozenset(some[number - begin] for number in numbers if begin <= number < begin + len(some))
                yield self._look(name, some, here)
                begin += len(some)

    def _at_a_time(self, name: str, count: int) -> int:
        """How many samples of a shard are one unit; all, where the file has no room for them: it ends soon."""
        path = self._root / name
        has_room = path.is_file() and self.shards[name] * BLOCK_BYTES <= path.stat().st_size
        return _AT_A_TIME if has_room else max(1, count)

    def _look(self, name: str, places: Sequence[int], shown: frozenset[int]) -> SurveyLook:
        written = self._index.manifest.get("options", {})
        return SurveyLook(
            root=self._root.absolute() if self._stored is None else Path(),
            name=name,
            split=self._split_of[name],
            count=self.shards[name],
            places=places,
            shown=shown,
            layout=layout_of(self._index, self._target).name,
            target=self._target.name,
            model=self._options.model,
            tokenizer=self._options.tokenizer,
            frames_of_grid=1.0 if written.get("second_per_grid_ts") == "pai" else 2.0,
            takes_odd=written.get("odd_frames") == "keep",
            in_store=None if self._stored is None else self._stored.of_shard(name),
        )


def spread_places(counts: Mapping[str, int], *, most: int, seed: int) -> dict[str, Sequence[int]]:
    """Shard -> places of the samples that are read of it, in order.

    All, where there are no more; else so many, one at random out of each of as many equal stretches of the dataset.
    """
    total = sum(counts.values())
    if not most or total <= most:
        return {name: range(count) for name, count in counts.items()}
    random = Random(seed)
    chosen = [random.randrange(k * total // most, (k + 1) * total // most) for k in range(most)]
    found: dict[str, Sequence[int]] = {}
    at = 0
    for (name, count), begin in zip(counts.items(), accumulate(counts.values(), initial=0), strict=False):
        first = at
        while at < most and chosen[at] < begin + count:
            at += 1
        found[name] = [number - begin for number in chosen[first:at]]
    return found
