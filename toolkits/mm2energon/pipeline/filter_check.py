"""What decides over samples: the budget of a model, or a preset."""

from __future__ import annotations

from typing import Protocol

from mm2energon.pipeline.budget import Budget, Meter
from mm2energon.pipeline.filter_fit import fit
from mm2energon.pipeline.filter_rules import Bounds, check_frames, check_question
from mm2energon.pipeline.planned import PlannedMedia
from mm2energon.sample import Sample


class Check(Protocol):
    """Holds samples against a budget, or a preset."""

    @property
    def estimates(self) -> bool:
        """Whether text is estimated."""

    def take(self, sample: Sample, media: PlannedMedia) -> tuple[PlannedMedia, int]:
        """The media of a sample as they are taken, and its tokens with these.

        Raises:
            SampleError: it is not taken.
        """


class BudgetCheck:
    """Holds samples against bounds, as a model counts."""

    def __init__(self, meter: Meter, bounds: Bounds, *, fit: bool, list_fps: float) -> None:
        """
        Args:
            fit: take less of a sample where that lets it in.
            list_fps: the rate at which lists of frames are taken.
        """
        self._meter = meter
        self._bounds = bounds
        self._fit = fit
        self._list_fps = list_fps

    @property
    def estimates(self) -> bool:
        """As `Check.estimates`."""
        return self._meter.estimates

    def take(self, sample: Sample, media: PlannedMedia) -> tuple[PlannedMedia, int]:
        """As `Check.take`."""
        check_question(sample, self._bounds.max_question_words)
        if self._fit:
            media = fit(sample, media, self._bounds, self._meter, list_fps=self._list_fps)
        check_frames(sample, media, self._bounds.max_frames)
        budget = Budget(self._meter, self._bounds.max_tokens, is_fitted=self._fit)
        return media, budget.take(sample, media).total
