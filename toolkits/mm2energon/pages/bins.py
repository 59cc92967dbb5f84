"""How often values lie where: the bars of a histogram, by rules that leave no choice to whoever draws it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mm2energon.pages.numbers import nice_step

_BARS = 24
#: Whole numbers that each get a bar of their own, when they lie no farther apart than this.
_MOST_APART = 24
#: The largest value is so many times the smallest, and the median, where powers are drawn.
_SPREAD, _SKEW = 10, 5
_BELOW_FIRST = 0.75


@dataclass(frozen=True)
class Bins:
    """Bars of a histogram: bar n goes from edge n up to edge n + 1."""

    edges: Sequence[float]
    counts: Sequence[int]
    is_log: bool = False
    #: All values are whole numbers.
    are_whole: bool = False
    #: Values of 0, which have no place on an axis of powers.
    zeros: int = 0

    @property
    def total(self) -> int:
        """How many values there are."""
        return sum(self.counts) + self.zeros

    @property
    def has_bar_for_each(self) -> bool:
        """Whether every value has a bar of its own."""
        widths = [end - begin for begin, end in zip(self.edges, self.edges[1:], strict=False)]
        return self.are_whole and max(widths) <= 1

    def cumulative(self) -> list[float]:
        """At each edge, the share of values that lie below it."""
        sums = np.cumsum([self.zeros, *self.counts])
        return [float(one) / max(1, self.total) for one in sums]


def bins_of(values: Sequence[float]) -> Bins:
    """The bars of some values.

    Whole numbers that are near each other have a bar each; values that spread over powers of ten have an axis of them.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return Bins((0.0, 1.0), (0,))
    are_whole = bool(np.all(numbers == np.round(numbers)))
    least, most = float(numbers.min()), float(numbers.max())
    if are_whole and most - least <= _MOST_APART:
        return _counted(numbers, np.arange(least, most + 2) - 0.5, are_whole=True)
    if least == most:
        return _counted(numbers, np.array([least - abs(least) / 20, most + abs(most) / 20]))
    above = numbers[numbers > 0]
    if least >= 0 and _is_spread(above):
        zeros = len(numbers) - len(above)
        return _counted(
            above, _log_edges(float(above.min()), most, are_whole), is_log=True, are_whole=are_whole, zeros=zeros
        )
    step = nice_step((most - least) / _BARS, is_whole=are_whole)
    first, last = math.floor(least / step), math.floor(most / step) + 1
    shift = 0.5 if are_whole and step == 1 else 0.0
    return _counted(numbers, np.arange(first, last + 1, dtype=np.float64) * step - shift, are_whole=are_whole)


def _is_spread(above: npt.NDArray[np.float64]) -> bool:
    if not len(above):
        return False
    most = float(above.max())
    return most >= _SPREAD * float(above.min()) and most >= _SKEW * float(np.median(above))


def _log_edges(least: float, most: float, are_whole: bool) -> npt.NDArray[np.float64]:
    """Edges in even steps of powers; those of whole numbers lie between these, none of them twice."""
    edges = np.logspace(math.log10(least), math.log10(most), _BARS + 1)
    edges[0], edges[-1] = least, np.nextafter(most, np.inf)
    if not are_whole:
        return edges
    between = np.unique(np.append(np.ceil(edges[:-1]) - 0.5, most + 0.5))
    between[0] = least * _BELOW_FIRST if least <= 1 else between[0]  # half of 1 would be far below it, in powers
    return between


def _counted(
    numbers: npt.NDArray[np.float64],
    edges: npt.NDArray[np.float64],
    *,
    is_log: bool = False,
    are_whole: bool = False,
    zeros: int = 0,
) -> Bins:
    counts, _ = np.histogram(numbers, edges)
    return Bins([float(edge) for edge in edges], [int(count) for count in counts], is_log, are_whole, zeros)
