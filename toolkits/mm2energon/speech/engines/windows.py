"""Windows: neighbouring spans that an engine hears together, and the words of a window back to its spans.

Whisper hears 30 seconds at a time, whatever is in them: spans of a second each would cost a window each.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mm2energon.speech.utterances import Span, Word

#: Seconds of a window without what is heard around it, and of a silence inside one.
_MOST = 29.0
_SILENCE = 1.5


@dataclass(frozen=True, slots=True)
class Window:
    """Spans that are heard together."""

    spans: tuple[Span, ...]
    #: From before the first to after the last, never into what another window hears.
    heard: Span

    @property
    def speech_seconds(self) -> float:
        """Seconds of its spans."""
        return sum(span.end - span.start for span in self.spans)


def windows(spans: Sequence[Span], *, pad: float) -> list[Window]:
    """The spans, in order, in windows that fit an engine.

    Args:
        spans: in order, without overlap.
        pad: seconds that are heard before and after a window; half the silence to the next one where that is shorter.
    """
    groups: list[list[Span]] = []
    for span in spans:
        last = groups[-1] if groups else None
        if last and span.start - last[-1].end <= _SILENCE and span.end - last[0].start <= _MOST:
            last.append(span)
        else:
            groups.append([span])
    heard = padded([Span(group[0].start, group[-1].end) for group in groups], pad)
    return [Window(tuple(group), around) for group, around in zip(groups, heard, strict=True)]


def padded(spans: Sequence[Span], pad: float) -> list[Span]:
    """Spans with a pad before and after each, where they do not share it: nothing is heard twice."""
    between = [(other.start - one.end) / 2 for one, other in pairwise(spans)]
    before, after = [float("inf"), *between], [*between, float("inf")]  # one more than spans where there are none
    return [
        Span(max(0.0, span.start - min(pad, left)), span.end + min(pad, right))
        for span, left, right in zip(spans, before, after, strict=False)
    ]


def by_span(words: Iterable[Word], spans: Sequence[Span]) -> list[list[Word]]:
    """Each word with the span that its middle lies in, or nearest to."""
    edges = [(one.end + other.start) / 2 for one, other in pairwise(spans)]
    found: list[list[Word]] = [[] for _ in spans]
    for word in words:
        found[bisect_left(edges, (word.start + word.end) / 2)].append(word)
    return found
