"""Numbers as people read them, and the ticks that an axis has."""

from __future__ import annotations

import math
from collections.abc import Sequence

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
#: From here on a number is shown by its first digits.
_LONG = 10_000
#: Steps of ticks, of each power of ten.
_STEPS = (1, 2, 5, 10)
_LEAST_TICKS_OF_LOG = 3


def short(value: float, unit: str = "") -> str:
    """A number in few letters: `0.25`, `1,536`, `12.3k`, `1.5 MB`; bytes and pixels always with a prefix."""
    if not math.isfinite(value):
        return str(value)
    least = 1000 if unit in ("B", "px") else _LONG
    for size, prefix in _PREFIXES:
        if abs(value) >= size and abs(value) >= least:
            digits = _trimmed(value / size, 3)
            return f"{digits} {prefix}{unit}" if unit else f"{digits}{prefix}"
    digits = f"{value:,.0f}" if abs(value) >= 1000 else _trimmed(value, 3)
    return f"{digits} {unit}" if unit else digits


def whole(value: int) -> str:
    """A count, with commas."""
    return f"{value:,}"


def counted(number: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 image`, `2,000 images`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(part: float, of: float) -> str:
    """A share: `0 %`, `0.4 %`, `12 %`; never 0 or 100 of what is not."""
    if not of:
        return "0 %"
    share = 100 * part / of
    if 0 < share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    return f"{share:.1f} %" if share < 10 and share != int(share) else f"{share:.0f} %"


def linear_ticks(least: float, most: float, *, about: int = 5, are_whole: bool = False) -> list[float]:
    """Round numbers between two others."""
    step = nice_step((most - least) / max(about, 1), is_whole=are_whole)
    first, last = math.ceil(least / step - 1e-9), math.floor(most / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def log_ticks(least: float, most: float) -> list[float]:
    """Round numbers between two others above 0, for an axis of powers: 1, 10, 100, with 2 and 5 where there is room."""
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    for factors in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        ticks = [factor * 10.0**power for power in decades for factor in factors]
        inside = [tick for tick in ticks if least <= tick <= most]
        if len(inside) >= _LEAST_TICKS_OF_LOG:
            return inside[:: math.ceil(len(inside) / 6)]
    return inside or [least, most]


def nice_step(least: float, *, is_whole: bool = False) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50, ... (and of their tenths) that is not below a number."""
    if least <= 0 or not math.isfinite(least):
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in _STEPS if factor * power >= least * (1 - 1e-9))
    return max(1.0, step) if is_whole else step


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which that share of sorted values lies: one of them, never between two."""
    place = min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))
    return ordered[place]


def _trimmed(value: float, digits: int) -> str:
    """So many digits, without zeros at the end."""
    shown = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e" in shown and abs(value) >= 1 else shown
