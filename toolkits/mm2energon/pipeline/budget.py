"""Budget: what a sample costs a model in tokens, by its planned media and its text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, SampleError
from mm2energon.pipeline.ledger import sha256_of
from mm2energon.pipeline.planned import PlannedMedia, PlannedVideo
from mm2energon.sample import Sample
from mm2energon.tokens import MODELS, Vision, load_tokenizer, require_template, text_tokens, tokenizer_file
from mm2energon.tokens.idefics import IdeficsVision
from mm2energon.tokens.minicpm import MiniCpmVision
from mm2energon.tokens.qwen import QwenVision


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


@dataclass(frozen=True)
class Counting:
    """How tokens are counted."""

    #: Name of a row of `MODELS`.
    model: str
    #: Folder of the model's tokenizer; None: text is estimated.
    tokenizer: Path | None = None
    #: Pixels that the training gives one image, and one frame, at most; None: what the model's makers give it.
    image_pixels: int | None = None
    frame_pixels: int | None = None
    #: The training splits no image into slices or tiles.
    whole_images: bool = False

    def options(self) -> dict[str, Any]:
        """What decides the figures, for the options of a run, which name no places of a machine."""
        return {
            "model": self.model,
            "tokenizer": tokenizer_digest(self.tokenizer),
            "image_pixels": self.image_pixels,
            "frame_pixels": self.frame_pixels,
            "whole_images": self.whole_images,
        }

    def vision(self) -> Vision:
        """How the model cuts pictures under these limits.

        Raises:
            InputError: it knows no such limits.
        """
        vision = MODELS[self.model].vision
        if self.whole_images:
            if not isinstance(vision, (MiniCpmVision, IdeficsVision)):
                raise InputError(f"--whole-images: {self.model} never splits an image; leave it out")
            vision = vision.whole()
        if self.image_pixels is None and self.frame_pixels is None:
            return vision
        if not isinstance(vision, QwenVision):
            option = "--image-pixels" if self.image_pixels is not None else "--frame-pixels"
            raise InputError(f"{option}: {self.model} knows no such limit; leave it out")
        return replace(vision, image_pixels=self.image_pixels, frame_pixels=self.frame_pixels)


def tokenizer_digest(tokenizer: Path | None) -> str | None:
    """What tells one tokenizer from another, wherever it lies."""
    return None if tokenizer is None else sha256_of(tokenizer_file(tokenizer))


class Meter:
    """Counts for one model."""

    def __init__(self, counting: Counting) -> None:
        """
        Raises:
            InputError: the tokenizer cannot be read, or is another model's; or the model knows no such limits.
            DependencyError: the package of tokenizers is missing.
        """
        row = MODELS[counting.model]
        self.model = counting.model
        self._vision = counting.vision()
        self._template = row.template
        self._tokenizer = None
        if counting.tokenizer is not None:
            self._tokenizer = load_tokenizer(counting.tokenizer)
            require_template(self._tokenizer, row.template, path=counting.tokenizer)

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
            return text_tokens(sample.turns, self._template, self._tokenizer)
        except SampleError as error:
            raise SampleError(f"{sample.origin}: {error}", error.code) from error

    def visual(self, media: PlannedMedia, *, origin: str) -> int:
        """What the media of a sample cost.

        Raises:
            SampleError: as `measure`.
        """
        try:
            images = [
                self._vision.image_tokens(picture.width, picture.height, number=number)
                for number, picture in enumerate(media.images)
            ]
            return sum(images) + sum(self._video(video) for video in media.videos)
        except SampleError as error:
            raise SampleError(f"{origin}: {error}", error.code) from error

    def _video(self, video: PlannedVideo) -> int:
        # Readers want frames of one size; where they differ, none counts less than the largest.
        sizes = {(frame.width, frame.height) for frame in video.frames}
        width, height = max(sizes, key=lambda size: size[0] * size[1], default=(1, 1))
        return self._vision.video_tokens(len(video.frames), width, height, fps=video.fps)


@dataclass(frozen=True)
class Budget:
    """What a sample may cost a model."""

    meter: Meter
    #: None: whatever it costs.
    max_tokens: int | None = None
    #: Less was taken of the sample already, where that was possible.
    is_fitted: bool = False

    def take(self, sample: Sample, media: PlannedMedia) -> Tokens:
        """What a sample costs.

        Raises:
            SampleError: more than it may; or the model takes no picture of such a shape.
        """
        tokens = self.meter.measure(sample, media)
        if self.max_tokens is not None and tokens.total > self.max_tokens:
            advice = "take fewer frames or smaller pictures (mm2energon filter --fit), or split the conversation"
            if self.is_fitted:
                advice = "it is the least that --fit takes; split the conversation, or leave it out"
            raise SampleError(
                f"{sample.origin}: {tokens} as {tokens.model} counts them; at most {self.max_tokens} were expected; "
                f"{advice}",
                "too-many-tokens",
            )
        return tokens
