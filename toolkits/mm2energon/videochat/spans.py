"""Spans: the stretches of a video that a model names, read as tolerantly as models write, and made fit for use."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

#: Start and end in seconds from the first frame.
Span = tuple[float, float]

#: Spans that are taken from one reply, at most: the first ones.
MAX_SPANS = 64
#: Characters that are read of one list.
_MAX_LETTERS = 20_000
_GLUE = re.compile(r"<glue>(.*?)(?=</glue>|<glue>|\Z)", re.IGNORECASE | re.DOTALL)
#: The innermost brackets of a list, with what stands in them.
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
#: The numbers of a list: `1. 5 - 8`, each on a line of its own.
_ORDINAL = re.compile(r"^[ \t]*\d{1,3}[.)]\s", re.MULTILINE)
#: 1:02:03.5 and 2:03, 1h2m3s and 90 s, -0.5 (a minus behind a number is a dash between two), nan, inf, and `end)`.
_TIME = re.compile(
    rf"(?P<clock>\d{{1,4}}(?::\d{{1,2}}){{1,2}}(?:\.\d{{1,6}}|,\d{{3}}(?![\d:]))?)"
    rf"|(?P<said>\d{{1,4}}\s?h(?:ours?|rs?)?\s?(?:\d{{1,3}}\s?m(?:in(?:utes?)?)?\s?)?(?:(?:{_NUMBER})\s?s(?:ec(?:onds?)?)?)?"
    rf"|(?:{_NUMBER})\s?m(?:in(?:utes?)?)?(?![a-z])\s?(?:(?:{_NUMBER})\s?s(?:ec(?:onds?)?)?)?)"
    r"|(?P<word>\bnan\b|-?\binf(?:inity)?\b|\bend\b(?=['\"\s]*[)\]]))"
    rf"|(?P<number>(?:(?<![\d.\w])(?<!\d\s)[-+])?(?:{_NUMBER})(?:e[-+]?\d{{1,3}})?)",
    re.IGNORECASE,
)
_UNITS = re.compile(rf"({_NUMBER})\s?([hms])", re.IGNORECASE)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
#: The end of any video.
_LATEST = 1e12


def parse_spans(reply: str) -> list[Span]:
    """The spans in the last `<glue>` of a reply, as they stand there; an unfinished one has what there is of it.

    `[(5.2, 10.4), (1:02, 1:10)]`, `5.2 - 10.4 s`, `[{"start": 5, "end": 8}]` are all read; what is none is passed over.
    """
    found = [spans for text in _GLUE.findall(reply) if (spans := _spans_of(text[:_MAX_LETTERS]))]
    return found[-1] if found else []


def tidy(spans: Iterable[Span], duration: float) -> list[Span]:
    """The spans within a video: the right way round, cut to it, in order, and one where several overlap or touch.

    What lies beyond the end is left out. A moment (start = end) is a span, of the one frame that is shown then.
    """
    cut = []
    for ends in spans:
        start, end = min(ends), max(ends)
        if math.isfinite(start) and math.isfinite(end) and end >= 0 and start < duration:
            cut.append((max(start, 0.0), min(end, duration)))
    merged: list[Span] = []
    for start, end in sorted(cut):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _spans_of(text: str) -> list[Span]:
    groups = [times for inner in _BRACKETS.findall(text) if len(times := _times(inner)) > 1]
    if not groups:
        groups = [_times(_ORDINAL.sub("", text))]
    pairs = [pair for times in groups for pair in zip(times[::2], times[1::2], strict=False)]
    return [pair for pair in pairs if all(map(math.isfinite, pair))][:MAX_SPANS]


def _times(text: str) -> list[float]:
    return [_seconds(match) for match in _TIME.finditer(text)]


def _seconds(match: re.Match[str]) -> float:
    if clock := match["clock"]:
        parts = [float(part) for part in clock.replace(",", ".").split(":")]
        return sum(part * 60.0**place for place, part in enumerate(reversed(parts)))
    if said := match["said"]:
        return sum(float(number) * _SECONDS[unit.lower()] for number, unit in _UNITS.findall(said))
    if word := match["word"]:
        return math.nan if word.lower() == "nan" else -_LATEST if word.startswith("-") else _LATEST
    return float(match["number"])
