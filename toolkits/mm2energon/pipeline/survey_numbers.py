"""What a survey counts with: figures of any number of values, in a memory that does not grow with them."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Hashable, Iterable
from random import Random
from typing import Any, Generic, TypeVar

from mm2energon.pages.bins import bins_of
from mm2energon.pages.numbers import quantile

Name = TypeVar("Name", bound=Hashable)

#: Values of which the distribution is drawn; of more, so many that stand for all.
_MOST_VALUES = 200_000
#: Different things that are counted at a time; of more, those that were seen once are forgotten.
_MOST_NAMES = 100_000
_SHARES = {"p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}


class Spread:
    """How some values are spread: their ends and their sum exactly, the rest by those that are kept."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.least = float("inf")
        self.most = float("-inf")
        self._kept = array("d")
        self._random = Random(0)

    def add(self, value: float) -> None:
        """Take one value in."""
        self.count += 1
        self.total += value
        self.least, self.most = min(self.least, value), max(self.most, value)
        if len(self._kept) < _MOST_VALUES:
            self._kept.append(value)
        elif (place := self._random.randrange(self.count)) < _MOST_VALUES:
            self._kept[place] = value

    def extend(self, values: Iterable[float]) -> None:
        """Take several in."""
        for value in values:
            self.add(value)

    @property
    def mean(self) -> float:
        """The mean of all."""
        return self.total / self.count if self.count else 0.0

    def ordered(self) -> list[float]:
        """The values that are kept, the smallest first."""
        return sorted(self._kept)

    def share_above(self, limit: float) -> float:
        """The share of values above a limit."""
        return sum(value > limit for value in self._kept) / len(self._kept) if self._kept else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The figures, and the bars of the histogram."""
        if not self.count:
            return {"count": 0}
        kept = self.ordered()
        bins = bins_of(kept)
        figures = {"count": self.count, "sum": _plain(self.total), "min": _plain(self.least), "max": _plain(self.most)}
        return {
            **figures,
            "mean": round(self.mean, 6),
            **{name: _plain(quantile(kept, share)) for name, share in _SHARES.items()},
            "histogram": {
                "edges": [_plain(edge) for edge in bins.edges],
                "counts": list(bins.counts),
                "zeros": bins.zeros,
            },
        }


class Tally(Generic[Name]):
    """Counts many different things; where there are too many, those that came once are forgotten."""

    def __init__(self) -> None:
        self._counts: Counter[Name] = Counter()
        #: All that was counted.
        self.total = 0
        #: Some were forgotten, so that the number of different ones is not known.
        self.is_cut = False

    def add(self, name: Name) -> None:
        """Count one."""
        self.total += 1
        self._counts[name] += 1
        if len(self._counts) > _MOST_NAMES:
            self.is_cut = True
            self._counts = Counter({name: count for name, count in self._counts.items() if count > 1})
            if len(self._counts) > _MOST_NAMES // 2:
                self._counts = Counter(dict(self._counts.most_common(_MOST_NAMES // 2)))

    def top(self, number: int) -> list[tuple[Name, int]]:
        """The most frequent, those that were first seen first among equals."""
        return self._counts.most_common(number)

    def __len__(self) -> int:
        return len(self._counts)


def _plain(value: float) -> float:
    """A whole number as one, any other with six digits behind the point."""
    return int(value) if value == int(value) else round(value, 6)
