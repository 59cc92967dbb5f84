"""What the engines of Whisper have in common: its scores, its languages, and the words of a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mm2energon.errors import InputError
from mm2energon.speech.engines.settings import Recognized
from mm2energon.speech.engines.windows import Window, windows
from mm2energon.speech.sound import Sound
from mm2energon.speech.utterances import Span, Word

#: Seconds of sound around a window.
PAD = 0.2
#: Windows of a voice by which its language is told: its longest.
_ASKED = 3
# The thresholds of Whisper's own transcribe(): https://github.com/openai/whisper/blob/main/whisper/transcribe.py
_NO_SPEECH = 0.6
_LOG_PROBABILITY = -1.0
_COMPRESSION = 2.4


@dataclass(frozen=True, slots=True)
class Heard:
    """A segment that Whisper wrote, its words at times of the window."""

    words: tuple[Word, ...]
    #: Probability that nobody speaks.
    no_speech: float
    #: Mean over its tokens.
    log_probability: float
    #: Ratio of its text and gzip's; text that repeats itself has a high one.
    compression: float

    @property
    def doubt(self) -> str | None:
        """Reason code where its scores say that it should not be believed."""
        if self.no_speech > _NO_SPEECH and self.log_probability < _LOG_PROBABILITY:
            return "no-speech"
        return "repetition" if self.compression > _COMPRESSION else None

    @property
    def is_worth_another_try(self) -> bool:
        """Whether Whisper's transcribe() would try again at a higher temperature."""
        return self.doubt != "no-speech" and (self.doubt is not None or self.log_probability < _LOG_PROBABILITY)


def word_at(text: str, start: float, end: float, probability: float) -> Word:
    """A word as Whisper gives it."""
    sure = float(probability)
    return Word(text, float(start), float(end), min(1.0, sure) if sure > 0 else 0.0)  # NaN is not above 0


def recognized(window: Window, heard: Sequence[Heard]) -> Iterator[Recognized]:
    """The words of a window by its spans, each span with the doubt of the segment that most of its words are of."""
    by_segment = [(one.doubt, window.words(one.words)) for one in heard]
    for number, span in enumerate(window.spans):
        own = [word for _, words in by_segment for word in words[number]]
        doubts = Counter(doubt for doubt, words in by_segment for _ in words[number])
        score = sum(word.confidence for word in own) / len(own) if own else 0.0
        yield Recognized(span, tuple(own), score, doubts.most_common(1)[0][0] if own else "no-speech")


def tell_languages(
    tell: Callable[[Any], Mapping[str, float]], sound: Sound, spans: Sequence[Span]
) -> Mapping[str, float]:
    """Language -> seconds, by the longest windows of a voice.

    Args:
        tell: a piece of sound -> language -> probability.
        sound: one voice.
        spans: where it speaks.
    """
    found: dict[str, float] = {}
    longest = sorted(windows(spans, pad=PAD), key=lambda one: -one.speech_seconds)[:_ASKED]
    for window in longest:
        for language, probability in tell(window.sound(sound)).items():
            found[language] = found.get(language, 0.0) + probability * window.speech_seconds
    return found


def language_of(asked: str, known: Mapping[str, str] | Collection[str], *, model: str) -> str:
    """The code of a language that a model knows.

    Args:
        asked: a code (`en`, `en-US`), or a name where the names are known.
        known: codes of the languages, or code -> name.
        model: as it was given.

    Raises:
        InputError: the model does not know it.
    """
    names = {name.casefold(): code for code, name in known.items()} if isinstance(known, Mapping) else {}
    code = asked.casefold()
    code = names.get(code, code.replace("_", "-").partition("-")[0])
    if code in known:
        return code
    if list(known) == ["en"]:
        raise InputError(
            f"--language {asked}: --model {model} knows English alone; en was expected, or a model of many languages: "
            "those whose name does not end in .en"
        )
    raise InputError(
        f"--language {asked}: --model {model} does not know it; expected one of {', '.join(sorted(known))}"
    )
