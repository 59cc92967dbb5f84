"""Looking: which frames of a video a round of perception sees: evenly spread ones, or more of them within spans."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm2energon.video.sampling import Sampling, choose
from mm2energon.videochat.frames import Shown
from mm2energon.videochat.spans import Span

#: Frames that are looked at even where the rate asks for fewer: qwen-vl-utils' FPS_MIN_FRAMES.
_FEWEST = 4
#: VideoChat-R1.5 samples its spans this much denser than the rest (its `sample_frames`); here that is the least.
_LEAST_DENSER = 1.5
#: Spans are looked at with up to so many times the asked rate, where the budget allows.
_MOST_DENSER = 4.0


@dataclass(frozen=True)
class Look:
    """The frames that a round sees."""

    #: Seconds since the first frame, rising.
    times: tuple[float, ...]
    #: Of each: whether it is within a span.
    inside: tuple[bool, ...]
    #: What was looked at more closely; none: the frames are spread evenly.
    spans: tuple[Span, ...] = ()

    @property
    def is_even(self) -> bool:
        """Whether all stretches were looked at alike."""
        return not self.spans or all(self.inside)


def look_evenly(shown: Shown, *, fps: float, budget: int) -> Look:
    """Frames at a rate over the whole video; where these are more than the budget, as many as it, evenly spread."""
    sampling = Sampling(fps=fps, min_frames=min(_FEWEST, budget), max_frames=budget)
    choice = choose(shown.times, shown.duration, sampling, tolerance_seconds=shown.tolerance)
    return _look(shown, choice.indices, ())


def look_closer(shown: Shown, spans: Sequence[Span], *, fps: float, budget: int) -> Look:
    """Frames that lie denser within the spans than elsewhere, and together are no more than the budget.

    Within them there are up to four times as many as the rate asks for; elsewhere as many as it asks for. Where that is
    above the budget, the spans have half of it, or what makes them half as dense again as the rest if that is more.
    """
    within = _within(shown, spans)
    inner, outer = np.flatnonzero(within), np.flatnonzero(~within)
    if not inner.size:
        return look_evenly(shown, fps=fps, budget=budget)
    lengths = _lengths(shown)
    seconds = float(lengths[inner].sum()), float(lengths[outer].sum())
    most = min(inner.size, budget, max(1, math.ceil(seconds[0] * fps * _MOST_DENSER)))
    rest = min(outer.size, math.ceil(seconds[1] * fps))
    if most + rest > budget:
        weighted = _LEAST_DENSER * seconds[0] / (_LEAST_DENSER * seconds[0] + seconds[1])
        most = min(most, max(budget - rest, budget // 2, round(budget * weighted)))
        rest = min(rest, budget - most)
    few = min(_FEWEST, budget, shown.times.size) - most - rest  # a short video has some frames in any case
    more = min(max(few, 0), inner.size - most)
    rest = min(rest + max(few - more, 0), outer.size)
    chosen = sorted([*_spread(shown, inner, most + more), *_spread(shown, outer, rest)])
    return _look(shown, chosen, tuple(spans))


def _look(shown: Shown, ordinals: Sequence[int], spans: tuple[Span, ...]) -> Look:
    within = _within(shown, spans)
    times = tuple(round(float(shown.times[one]), 6) for one in ordinals)
    return Look(times, tuple(bool(within[one]) for one in ordinals), spans)


def _within(shown: Shown, spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Per frame, whether it is on the screen in one of the spans."""
    within = np.zeros(shown.times.size, dtype=bool)
    slack = shown.tolerance + 1e-6
    for start, end in spans:
        first = max(0, int(np.searchsorted(shown.times, start + slack, side="right")) - 1)
        last = int(np.searchsorted(shown.times, end - slack, side="left"))
        within[first : max(last, first + 1)] = True
    return within


def _lengths(shown: Shown) -> NDArray[np.float64]:
    """Seconds that each frame is on the screen."""
    lengths: NDArray[np.float64] = np.diff(shown.times, append=max(shown.duration, float(shown.times[-1])))
    return lengths


def _spread(shown: Shown, ordinals: NDArray[np.int64], count: int) -> list[int]:
    """`count` of these frames, evenly over the time that they are on the screen together."""
    if count <= 0:
        return []
    if count == 1:
        return [int(ordinals[ordinals.size // 2])]
    lengths = _lengths(shown)[ordinals]
    ends = np.cumsum(lengths)
    choice = choose(ends - lengths, float(ends[-1]), Sampling(num_frames=count), tolerance_seconds=shown.tolerance)
    return [int(ordinals[one]) for one in choice.indices]
