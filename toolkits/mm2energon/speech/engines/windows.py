"""Windows: spans that an engine hears together, and the words of a window back to its spans.

Whisper hears 30 seconds at a time, whatever is in them. So the turns of a speaker, a few seconds each, are heard one
after another, with what is heard around each, and nothing in the place of what the others say meanwhile.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span, Word

#: Seconds of a window at most.
_MOST = 29.5


@dataclass(frozen=True, slots=True)
class Window:
    """Spans that are heard together."""

    spans: tuple[Span, ...]
    #: Each with what is heard before and after it.
    heard: tuple[Span, ...]

    @property
    def speech_seconds(self) -> float:
        """Seconds of its spans."""
        return sum(span.end - span.start for span in self.spans)

    @property
    def starts(self) -> list[float]:
        """When each span's sound begins in the window, in seconds."""
        return list(accumulate((span.end - span.start for span in self.heard[:-1]), initial=0.0))

    def sound(self, sound: Sound) -> NDArray[np.float32]:
        """What is heard in it: float32, 16 kHz."""
        last = self.heard[-1]
        whole = np.zeros(round((self.starts[-1] + last.end - last.start) * RATE) + 1, np.float32)
        for start, span in zip(self.starts, self.heard, strict=True):
            piece = sound.piece(span)
            first = round(start * RATE)
            whole[first : first + len(piece)] = piece[: len(whole) - first]
        return whole

    def words(self, words: Iterable[Word]) -> list[list[Word]]:
        """Words at times of the window, by the spans that they were said in, at the times of the sound.

        A word goes to the span that its middle lies in, or nearest to; none is put where nothing was heard, as Whisper
        may do, which takes the silence that fills its 30 seconds for sound.
        """
        starts = self.starts
        found: list[list[Word]] = [[] for _ in self.spans]
        for word in words:
            number = max(0, bisect_right(starts, (word.start + word.end) / 2) - 1)
            found[number].append(_moved(word, self.heard[number].start - starts[number], self.heard[number]))
        return found


def _moved(word: Word, shift: float, heard: Span) -> Word:
    start = min(max(word.start + shift, heard.start), heard.end)
    end = min(max(word.end + shift, start), heard.end)
    return Word(word.text, round(start, 3), round(end, 3), word.confidence)


def windows(spans: Sequence[Span], *, pad: float) -> list[Window]:
    """The spans, in order, in windows that fit an engine.

    Args:
        spans: in order, without overlap.
        pad: seconds that are heard before and after each; half the silence to the next one where that is shorter.
    """
    groups: list[list[tuple[Span, Span]]] = []
    seconds = 0.0
    for span, heard in zip(spans, padded(spans, pad), strict=True):
        more = heard.end - heard.start
        if not groups or seconds + more > _MOST:
            groups.append([])
            seconds = 0.0
        groups[-1].append((span, heard))
        seconds += more
    return [Window(tuple(span for span, _ in group), tuple(heard for _, heard in group)) for group in groups]


def padded(spans: Sequence[Span], pad: float) -> list[Span]:
    """Spans with a pad before and after each, where they do not share it: nothing is heard twice."""
    between = [(other.start - one.end) / 2 for one, other in pairwise(spans)]
    before, after = [float("inf"), *between], [*between, float("inf")]  # one more than spans where there are none
    return [
        Span(max(0.0, span.start - min(pad, left)), span.end + min(pad, right))
        for span, left, right in zip(spans, before, after, strict=False)
    ]
