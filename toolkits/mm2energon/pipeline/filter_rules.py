"""What a filter asks of a sample: bounds, and the rules of published filters, to the letter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.errors import SampleError
from mm2energon.pipeline.planned import PlannedMedia
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Sample
from mm2energon.tokens import encode, estimate, load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: The token that Llama's tokenizers put before a text.
_BEGIN_TOKENS = 1


@dataclass(frozen=True)
class Bounds:
    """What a sample may be; None: anything."""

    max_tokens: int | None = None
    #: Frames of one video.
    max_frames: int | None = None
    #: Words of the first question.
    max_question_words: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "max_tokens": self.max_tokens,
            "max_frames": self.max_frames,
            "max_question_words": self.max_question_words,
        }


@dataclass(frozen=True)
class Preset:
    """The rules of a published filter, as it counts: every frame alike, the texts of all turns joined by line breaks.

    There is exactly one `<video>`, in the first turn. The marks around a frame and the chat template are not counted.
    """

    #: Whose tokenizer it uses.
    published_as: str
    frame_tokens: int
    bounds: Bounds


#: Name -> row: `utils/preprocess/*-filter.py` of xjtupanda/T2Vid. Its words are what spaces part, and it wants fewer
#: than 30 of them for LongQLoRA, fewer than 500 for LongAlpaca; of the two, each script as it is published has one.
PRESETS: Mapping[str, Preset] = {
    "t2vid-minicpm": Preset("openbmb/MiniCPM-Llama3-V-2_5", 96, Bounds(8192, 90, 29)),
    "t2vid-idefics3": Preset("HuggingFaceM4/Idefics3-8B-Llama3", 169, Bounds(10_240, 65, 499)),
}


class PresetCheck:
    """Holds samples against a preset, in the order of its own questions."""

    def __init__(self, preset: Preset, bounds: Bounds, tokenizer: Path | None) -> None:
        """
        Args:
            bounds: the preset's own, or others in their place.
            tokenizer: folder of the tokenizer that it uses; None: text is estimated.
        """
        self._preset = preset
        self._bounds = bounds
        self._tokenizer: Tokenizer | None = None if tokenizer is None else load_tokenizer(tokenizer)

    @property
    def estimates(self) -> bool:
        """Whether text is estimated."""
        return self._tokenizer is None

    def take(self, sample: Sample, media: PlannedMedia) -> tuple[PlannedMedia, int]:
        """The media of a sample that is taken, all of them, and its tokens.

        Raises:
            SampleError: it is not.
        """
        check_frames(sample, media, self._bounds.max_frames)
        _check_one_video(sample)
        _check_words(sample, sample.turns[0].text.split(" "), self._bounds.max_question_words)
        frames = sum(len(video.frames) for video in media.videos)
        return media, self._count(sample, frames)

    def _count(self, sample: Sample, frames: int) -> int:
        text = "\n".join(turn.text for turn in sample.turns)
        words = self._text_tokens(text, sample.origin)
        tokens, most = words + self._preset.frame_tokens * frames, self._bounds.max_tokens
        if most is not None and tokens > most:
            about = "about " if self._tokenizer is None else ""
            raise SampleError(
                f"{sample.origin}: {about}{tokens} tokens ({self._preset.frame_tokens} for each of {frames} frames, "
                f"{about}{words} of text); at most {most} were expected; leave it out, or take fewer frames with "
                "--model and --fit",
                "too-many-tokens",
            )
        return tokens

    def _text_tokens(self, text: str, origin: str) -> int:
        if self._tokenizer is None:
            return _BEGIN_TOKENS + estimate(text)
        try:
            return len(encode(self._tokenizer, text))
        except SampleError as error:
            raise SampleError(f"{origin}: {error}", error.code) from error


def check_frames(sample: Sample, media: PlannedMedia, max_frames: int | None) -> None:
    """Refuse a sample with a longer video.

    Raises:
        SampleError: `too-many-frames`.
    """
    longest = max((len(video.frames) for video in media.videos), default=0)
    if max_frames is not None and longest > max_frames:
        raise SampleError(
            f"{sample.origin}: a video of {longest} frames; at most {max_frames} were expected; leave it out, or "
            "take fewer with --model and --fit",
            "too-many-frames",
        )


def check_question(sample: Sample, max_words: int | None) -> None:
    """Refuse a sample whose first question is longer; tags are no words.

    Raises:
        SampleError: `long-question`.
    """
    if max_words is None:
        return
    text = next((turn.text for turn in sample.turns if turn.role == "user"), "")
    for tag in (IMAGE_TAG, VIDEO_TAG, AUDIO_TAG):
        text = text.replace(tag, " ")
    _check_words(sample, text.split(), max_words)


def _check_words(sample: Sample, words: list[str], max_words: int | None) -> None:
    if max_words is not None and len(words) > max_words:
        raise SampleError(
            f"{sample.origin}: a question of {len(words)} words; at most {max_words} were expected; "
            "raise --max-question-words, or leave it out",
            "long-question",
        )


def _check_one_video(sample: Sample) -> None:
    found, first = sample.count_tags(VIDEO_TAG), sample.turns[0].text
    if found != 1 or len(sample.videos) != 1:
        raise SampleError(
            f"{sample.origin}: {found} {VIDEO_TAG} tags, {len(sample.videos)} videos; one of each was expected; "
            "leave it out, or filter by --model",
            "tag-count",
        )
    if VIDEO_TAG not in first:
        raise SampleError(
            f"{sample.origin}: {VIDEO_TAG} is not in the first turn, where it was expected; move it there", "tag-place"
        )
