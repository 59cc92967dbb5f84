"""Windows: neighbouring spans that an engine hears together, and the words of a window back to its spans.

Whisper hears 30 seconds at a time, whatever is in them: spans of a second each would cost a window each.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from mm2energon.speech.utterances import Span, Word

#: Seconds of a window, and of a silence inside one.
_MOST = 29.0
_SILENCE = 1.5


def windows(spans: Sequence[Span]) -> list[list[Span]]:
    """The spans, in order, in groups that fit a window."""
    groups: list[list[Span]] = []
    for span in spans:
        last = groups[-1] if groups else None
        if last and span.start - last[-1].end <= _SILENCE and span.end - last[0].start <= _MOST:
            last.append(span)
        else:
            groups.append([span])
    return groups


def by_span(words: Iterable[Word], spans: Sequence[Span]) -> list[list[Word]]:
    """Each word with the span that its middle lies in, or nearest to."""
    edges = [(one.end + other.start) / 2 for one, other in pairwise(spans)]
    found: list[list[Word]] = [[] for _ in spans]
    for word in words:
        found[bisect_left(edges, (word.start + word.end) / 2)].append(word)
    return found
