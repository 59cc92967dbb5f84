"""Budget: what a sample costs a model in tokens, by its planned media and its text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.pipeline.ledger import sha256_of
from mm2energon.pipeline.planned import PlannedMedia, PlannedVideo
from mm2energon.sample import Sample
from mm2energon.tokens import MODELS, load_tokenizer, require_template, text_tokens, tokenizer_file


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one sample costs."""

    #: Name of a row of `MODELS`.
    model: str
    #: Of its images and videos, with the marks around them.
    visual: int
    #: Of its text, with what the chat template puts around each turn.
    text: int
    #: The text was not counted by the model's tokenizer; the visual part is exact.
    estimated: bool

    @property
    def total(self) -> int:
        """Of the whole sequence."""
        return self.visual + self.text

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"model": self.model, "visual": self.visual, "text": self.text, "estimated": self.estimated}

    def __str__(self) -> str:
        about = "about " if self.estimated else ""
        return f"{about}{self.total} tokens ({self.visual} of pictures, {about}{self.text} of text)"


class Meter:
    """Counts for one model."""

    def __init__(self, model: str, tokenizer: Path | None = None) -> None:
        """
        Args:
            model: name of a row of `MODELS`.
            tokenizer: folder of the model's tokenizer; None: text is estimated.

        Raises:
            InputError: the tokenizer cannot be read, or is another model's.
            DependencyError: its package is missing.
        """
        self.model = model
        self._row = MODELS[model]
        self._tokenizer = None
        if tokenizer is not None:
            self._tokenizer = load_tokenizer(tokenizer)
            require_template(self._tokenizer, self._row.template, path=tokenizer)

    def measure(self, sample: Sample, media: PlannedMedia) -> Tokens:
        """What a sample costs.

        Raises:
            SampleError: the model takes no picture of such a shape.
        """
        return Tokens(self.model, self.visual(media, origin=sample.origin), self.text(sample), self.estimates)

    @property
    def estimates(self) -> bool:
        """Whether the text is estimated."""
        return self._tokenizer is None

    def text(self, sample: Sample) -> int:
        """What the turns of a sample cost.

        Raises:
            SampleError: `not-unicode`.
        """
        try:
            return text_tokens(sample.turns, self._row.template, self._tokenizer)
        except SampleError as error:
            raise SampleError(f"{sample.origin}: {error}", error.code) from error

    def visual(self, media: PlannedMedia, *, origin: str) -> int:
        """What the media of a sample cost.

        Raises:
            SampleError: as `measure`.
        """
        vision = self._row.vision
        try:
            images = [
                vision.image_tokens(picture.width, picture.height, number=number)
                for number, picture in enumerate(media.images)
            ]
            return sum(images) + sum(self._video(video) for video in media.videos)
        except SampleError as error:
            raise SampleError(f"{origin}: {error}", error.code) from error

    def _video(self, video: PlannedVideo) -> int:
        # Readers want frames of one size; where they differ, none counts less than the largest.
        sizes = {(frame.width, frame.height) for frame in video.frames}
        width, height = max(sizes, key=lambda size: size[0] * size[1], default=(1, 1))
        return self._row.vision.video_tokens(len(video.frames), width, height, fps=video.fps)


def tokenizer_digest(tokenizer: Path | None) -> str | None:
    """What tells one tokenizer from another in the options of a run, which name no places of a machine."""
    return None if tokenizer is None else sha256_of(tokenizer_file(tokenizer))


@dataclass(frozen=True)
class Budget:
    """What a sample may cost a model."""

    meter: Meter
    #: None: whatever it costs.
    max_tokens: int | None = None

    def take(self, sample: Sample, media: PlannedMedia) -> Tokens:
        """What a sample costs.

        Raises:
            SampleError: more than it may; or the model takes no picture of such a shape.
        """
        tokens = self.meter.measure(sample, media)
        if self.max_tokens is not None and tokens.total > self.max_tokens:
            raise SampleError(
                f"{sample.origin}: {tokens} as {tokens.model} counts them; at most {self.max_tokens} were expected; "
                "take fewer frames or smaller pictures (mm2energon filter --fit), or split the conversation",
                "too-many-tokens",
            )
        return tokens
