"""Shares: how many entries of each input a mix takes, by number or by percent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.roots import is_url

#: By how much percents may miss 100 in sum.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class MixInput:
    """An annotation file, and how much of it is taken."""

    path: Path
    #: Entries, or percent of them; None: all.
    share: float | None = None
    is_percent: bool = False

    def __str__(self) -> str:
        """The share."""
        return "all" if self.share is None else f"{self.share:.12g}{'%' * self.is_percent}"


def named_input(text: str, *, percent: bool) -> MixInput:
    """What `IN[:SHARE]` of a command line says; `20%` is a percentage whatever the others are.

    Raises:
        InputError: the share is none, or it is a URL.
    """
    if is_url(text):
        raise InputError(f"{text}: is a URL; a file of this machine was expected here; copy it")
    name, colon, number = text.rpartition(":")
    if not colon or Path(text).is_file():
        return MixInput(Path(text).absolute())
    percent = percent or number.endswith("%")
    try:
        share = float(number.removesuffix("%"))
    except ValueError:
        share = -1.0
    if percent and not 0 <= share <= 100:
        raise InputError(f"{text}: {number!r} is no percentage; a number from 0 to 100 was expected")
    if not percent and not (0 <= share < math.inf and share == int(share)):
        raise InputError(f"{text}: {number!r} is no number of entries; a whole number from 0 up was expected")
    return MixInput(Path(name).absolute(), share, percent)


def check_total(inputs: Sequence[MixInput], total: int | None) -> None:
    """Refuse shares that do not make up a whole.

    Raises:
        InputError: there is a total, and they are no percents, or not 100 together.
    """
    if total is None:
        return
    if not all(one.is_percent for one in inputs):
        raise InputError("--total: each input needs a share in percent of it; IN:SHARE with --percent was expected")
    if abs((whole := sum(one.share or 0 for one in inputs)) - 100) > _TOLERANCE:
        raise InputError(f"--total: the shares are {whole:g} percent together; 100 were expected")


def count_of(inputs: Sequence[MixInput], number: int, usable: int, *, total: int | None) -> int:
    """How many entries of an input are asked for.

    Args:
        number: which of the inputs.
        usable: entries that it has.

    Raises:
        InputError: more than that.
    """
    one = inputs[number]
    if one.share is None:
        return usable
    if not one.is_percent:
        count = int(one.share)
    elif total is None:
        count = math.floor(usable * one.share / 100 + 0.5)
    else:
        count = _parts([other.share or 0 for other in inputs], total)[number]
    if count > usable:
        raise InputError(f"{one.path}: has {usable} entries that can be written, {count} were asked for; ask for fewer")
    return count


def _parts(percents: Sequence[float], total: int) -> list[int]:
    """The total in whole parts, the rest to those that lack the largest fraction."""
    exact = [total * percent / 100 for percent in percents]
    parts = [math.floor(part + _TOLERANCE) for part in exact]
    by_lack = sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))
    for place in by_lack[: total - sum(parts)]:
        parts[place] += 1
    return parts
