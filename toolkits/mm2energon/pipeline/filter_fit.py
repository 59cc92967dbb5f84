"""Holds samples against the budget of a model, or cuts them to it: as many frames as fit, evenly spread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mm2energon.pipeline.budget import Budget, Meter
from mm2energon.pipeline.filter_rules import Bounds, check_frames, check_question
from mm2energon.pipeline.planned import PlannedMedia, take_frames
from mm2energon.sample import Sample

#: Frames that a video keeps: readers take no video of one frame.
_LEAST_FRAMES = 2


class BudgetCheck:
    """Holds samples against bounds, as a model counts."""

    def __init__(self, meter: Meter, bounds: Bounds, *, fit: bool) -> None:
        """
        Args:
            fit: take fewer frames where that lets a sample in.
        """
        self._meter = meter
        self._bounds = bounds
        self._fit = fit

    @property
    def estimates(self) -> bool:
        """Whether text is estimated."""
        return self._meter.estimates

    def take(self, sample: Sample, media: PlannedMedia) -> tuple[PlannedMedia, int]:
        """The media of a sample that are taken, and its tokens with these.

        Raises:
            SampleError: it is not taken.
        """
        check_question(sample, self._bounds.max_question_words)
        if self._fit:
            media = fit_frames(sample, media, self._bounds, self._meter)
        check_frames(sample, media, self._bounds.max_frames)
        return media, Budget(self._meter, self._bounds.max_tokens).take(sample, media).total


def fit_frames(sample: Sample, media: PlannedMedia, bounds: Bounds, meter: Meter) -> PlannedMedia:
    """The media with the most frames with which the sample is within its bounds; with the fewest, where none is.

    Each video is cut to the same number of frames at most, and none below two.
    """
    longest = max((len(video.frames) for video in media.videos), default=0)
    most = longest if bounds.max_frames is None else min(longest, bounds.max_frames)
    if most and bounds.max_tokens is not None:
        for_pictures = bounds.max_tokens - meter.text(sample)

        def fits(frames: int) -> bool:
            return meter.visual(_cut(media, frames), origin=sample.origin) <= for_pictures

        if not fits(most):
            most = _last_that_fits(min(_LEAST_FRAMES, most), most, fits)
    return _cut(media, most)


def _last_that_fits(low: int, high: int, fits: Callable[[int], bool]) -> int:
    """The largest number from `low` up, and below `high`, that fits; `low` when none does."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _cut(media: PlannedMedia, max_frames: int) -> PlannedMedia:
    return replace(media, videos=tuple(take_frames(video, max_frames) for video in media.videos))


def write_frames(entry: dict[str, Any], before: PlannedMedia, after: PlannedMedia) -> bool:
    """Put the frames of videos that were cut in the place of these videos in a ShareGPT entry; whether any were."""
    pairs = enumerate(zip(before.videos, after.videos, strict=True))
    cut = [place for place, (all_of_it, taken) in pairs if all_of_it is not taken]
    for place in cut:
        entry["videos"][place] = [frame.path for frame in after.videos[place].frames]
    return bool(cut)
