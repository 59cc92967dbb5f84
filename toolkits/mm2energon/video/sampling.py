"""Sampling: which frames of a video are taken, decided from their times alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import InputError

#: Times nearer than this are the same instant: far below a frame, far above the rounding of a float.
SAME_INSTANT_SECONDS = 1e-7

#: Decimals of a measured rate; below them is the rounding of the time stamps.
RATE_DECIMALS = 6


@dataclass(frozen=True)
class Sampling:
    """How frames are picked: exactly one of an interval, a rate and a number of frames.

    Raises:
        InputError: none or several are set, or a value is out of range.
    """

    interval_seconds: float | None = None
    fps: float | None = None
    num_frames: int | None = None
    #: Bounds on what an interval or a rate gives; beyond them the frames are spread evenly over the video.
    min_frames: int | None = None
    max_frames: int | None = None

    def __post_init__(self) -> None:
        rules = [self.interval_seconds, self.fps, self.num_frames]
        if sum(rule is not None for rule in rules) != 1:
            raise InputError(f"sampling: {self}; expected exactly one of interval_seconds, fps and num_frames; set one")
        for name in ("interval_seconds", "fps"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and isfinite(value) and value > 0):
                raise InputError(f"sampling: {name} is {value!r}; expected a positive number; give one, such as 0.5")
        for name in ("num_frames", "min_frames", "max_frames"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"sampling: {name} is {value!r}; expected a whole number from 1 up; give one")
        if self.min_frames is not None and self.max_frames is not None and self.min_frames > self.max_frames:
            raise InputError(
                f"sampling: min_frames {self.min_frames} is above max_frames {self.max_frames}; "
                "expected min_frames <= max_frames; swap or drop one"
            )


@dataclass(frozen=True)
class Choice:
    """Which frames are taken: ordinals in presentation order, rising, and the true rate of what was taken."""

    indices: tuple[int, ...]
    fps: float


def choose(
    times: Sequence[float] | NDArray[np.float64],
    end_seconds: float,
    sampling: Sampling,
    *,
    tolerance_seconds: float = 0.0,
) -> Choice:
    """Choose frames by their times.

    An interval takes, at t = start + k * interval while t < end, the frame on the screen at t (pts <= t < next pts),
    and no frame twice. A number of frames takes that many, evenly over time from the first frame to the last.

    Args:
        times: pts of the shown frames in seconds, not falling, at least one.
        end_seconds: when the last frame leaves the screen.
        tolerance_seconds: by how much a pts may have been rounded in the file (half a tick of its time base): a frame
            whose pts is that little after t counts as on the screen, so that 67 ms still stands for 1/15 s.
    """
    shown = np.asarray(times, dtype=np.float64)
    if shown.size == 0:
        raise ValueError("times must hold at least one frame")
    tolerance = max(tolerance_seconds, 0.0) + SAME_INSTANT_SECONDS
    since_start = shown - shown[0]
    length = end_seconds - float(shown[0])
    if sampling.num_frames is not None:
        return _spread(since_start, length, _bounded(sampling.num_frames, sampling), tolerance)

    interval = _interval(sampling)
    indices, asked = _at_interval(since_start, length, interval, tolerance)
    count = min(_bounded(len(indices), sampling), shown.size)
    if count != len(indices):
        return _spread(since_start, length, count, tolerance)
    if len(indices) == asked:  # no instant showed a frame that was taken already
        return Choice(indices, float(1 / interval))
    return Choice(indices, _rate(since_start, indices, float(1 / interval)))


def spread_evenly(count: int, wanted: int) -> list[int]:
    """`wanted` of `count` frames that are there, from the first to the last: Qwen's rule (halves to the even place)."""
    return [int(place) for place in np.round(np.linspace(0, count - 1, wanted))]


def middles(count: int, wanted: int) -> list[int]:
    """`wanted` of `count` frames that are there, from the middle of as many stretches of them, rounded down.

    All of them where as many are wanted. T2Vid and Video-ChatGPT take frames so: the ends of the stretches are rounded,
    halves to the even place.
    """
    if wanted == count:
        return list(range(count))
    ends = np.round(np.arange(wanted + 1) * ((count - 1) / wanted)).astype(int)
    return [int(place) for place in (ends[:-1] + ends[1:]) // 2]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _interval(sampling: Sampling) -> Fraction:
    """The interval in seconds; by way of the decimal text, so that 0.1 is a tenth and fps 29.97 gives 29.97 back."""
    if sampling.interval_seconds is not None:
        return Fraction(str(sampling.interval_seconds))
    return 1 / Fraction(str(sampling.fps))


def _bounded(count: int, sampling: Sampling) -> int:
    if sampling.min_frames is not None:
        count = max(count, sampling.min_frames)
    if sampling.max_frames is not None:
        count = min(count, sampling.max_frames)
    return count


def _at_interval(
    since_start: NDArray[np.float64], length: float, interval: Fraction, tolerance: float
) -> tuple[tuple[int, ...], int]:
    """The frames on the screen at 0, interval, 2 * interval, ... below `length`, and how many instants that were."""
    # The end is a sum of a rounded pts and a rounded duration: an instant within twice the tolerance of it is outside.
    asked = int(max(length - 2 * tolerance, 0.0) / float(interval)) + 1
    # Per frame, the first instant not before it; a frame is shown when the frame after it starts at a later instant.
    first = np.ceil((since_start - tolerance) * interval.denominator / interval.numerator)
    first = np.append(np.clip(first, 0, asked), asked)
    shown = np.flatnonzero(first[:-1] < first[1:])
    return tuple(int(index) for index in shown), asked


def _spread(since_start: NDArray[np.float64], length: float, count: int, tolerance: float) -> Choice:
    """`count` frames evenly over time, the nearest to each instant; all frames when there are no more than `count`.

    For a constant rate this is Qwen's rule, round(linspace(0, frames - 1, count)), halves to the even ordinal.
    Where a long still makes that take a frame twice, the frames are spread evenly over their ordinals instead.
    """
    size = since_start.size
    if count >= size:
        indices = tuple(range(size))
    else:
        nearest = _nearest(since_start, np.linspace(0.0, since_start[-1], count), tolerance)
        if len(set(nearest)) < count:
            nearest = [int(index) for index in np.round(np.linspace(0, size - 1, count))]
        indices = tuple(nearest)
    source_fps = _rate(since_start, tuple(range(size)), 1 / length if length > 0 else 1.0)
    return Choice(indices, _rate(since_start, indices, source_fps))


def _nearest(since_start: NDArray[np.float64], instants: NDArray[np.float64], tolerance: float) -> list[int]:
    after = np.clip(np.searchsorted(since_start, instants), 1, since_start.size - 1)
    before = after - 1
    lead = (since_start[after] - instants) - (instants - since_start[before])
    tie = np.abs(lead) <= 2 * tolerance
    chosen = np.where(tie, np.where(before % 2 == 0, before, after), np.where(lead < 0, after, before))
    return [int(index) for index in chosen]


def _rate(since_start: NDArray[np.float64], indices: tuple[int, ...], fallback: float) -> float:
    """(n - 1) / (last - first) of the frames taken; `fallback` when they span no time."""
    span = float(since_start[indices[-1]] - since_start[indices[0]])
    if span <= 0:
        return round(fallback, RATE_DECIMALS) or fallback
    return round((len(indices) - 1) / span, RATE_DECIMALS) or (len(indices) - 1) / span
