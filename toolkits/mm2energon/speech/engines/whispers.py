"""What the engines of Whisper have in common: its scores, the words of a window, and where a model must lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mm2energon.errors import InputError
from mm2energon.speech.engines.settings import Recognized
from mm2energon.speech.engines.windows import by_span
from mm2energon.speech.utterances import Span, Word

# The thresholds of Whisper's own transcribe(): https://github.com/openai/whisper/blob/main/whisper/transcribe.py
_NO_SPEECH = 0.6
_LOG_PROBABILITY = -1.0
_COMPRESSION = 2.4


@dataclass(frozen=True, slots=True)
class Heard:
    """A segment that Whisper wrote."""

    words: tuple[Word, ...]
    #: Reason code where its scores say that it should not be believed.
    doubt: str | None


def doubt_of(no_speech: float, log_probability: float, compression: float) -> str | None:
    """Why a segment should not be believed; None when it may be.

    Args:
        no_speech: probability that nobody speaks.
        log_probability: mean over its tokens.
        compression: ratio of its text and gzip's; text that repeats itself has a high one.
    """
    if no_speech > _NO_SPEECH and log_probability < _LOG_PROBABILITY:
        return "no-speech"
    return "repetition" if compression > _COMPRESSION else None


def recognized(spans: Sequence[Span], heard: Sequence[Heard]) -> Iterator[Recognized]:
    """The words of a window by its spans, each with the doubt of the segment that most of its words are of."""
    words = [word for one in heard for word in one.words]
    doubts = {id(word): one.doubt for one in heard for word in one.words}
    for span, own in zip(spans, by_span(words, spans), strict=True):
        score = sum(word.confidence for word in own) / len(own) if own else 0.0
        reasons = [doubts[id(word)] for word in own]
        doubt = max(set(reasons), key=reasons.count) if own else "no-speech"
        yield Recognized(span, tuple(own), score, doubt)


def model_is_missing(name: str, error: Exception, where: str) -> InputError:
    """The error for a model that is neither here nor to be had."""
    why = str(error).strip().partition("\n")[0][:200]
    return InputError(f"--model {name}: is not on this machine, and cannot be fetched ({why}); give --model {where}")
