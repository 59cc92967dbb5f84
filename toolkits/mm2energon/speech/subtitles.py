"""Subtitles: SubRip (SRT) and WebVTT (https://www.w3.org/TR/webvtt1/), written and read.

Both by ourselves: pysubs2, which knows more formats, takes what stands in braces for styling, and of WebVTT knows
neither voices nor escapes, notes nor names of cues. It is what the tests read ours with.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from mm2energon.speech.scripts import joined
from mm2energon.speech.utterances import Utterance

_TIME = r"(-?(?:\d+:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,3})?)"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
_NUMBER = re.compile(r"\s*\d+\s*$")
#: Blocks of WebVTT that are no cues.
_NO_CUES = ("NOTE", "STYLE", "REGION")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)*\s+([^>]*)>")
_RUBY_TEXT = re.compile(r"<rt\b[^>]*>.*?(?:</rt>|(?=</ruby>))", re.DOTALL)
_VTT_TAGS = re.compile(r"<[^>]*>")
#: What SubRip's readers take for styling, among other text in angles and braces.
_SRT_TAGS = re.compile(r"</?(?:[ibus]|font)(?:\s[^>]*)?>|\{\\[^}]*\}|\{/?[ibus]\}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cue:
    """What stands in a transcript between two times, in seconds."""

    start: float
    end: float
    text: str
    #: Who says it, where that is told.
    speaker: str | None = None


def write_srt(utterances: Iterable[Utterance]) -> bytes:
    """SubRip, each line with its speaker. An arrow in the text is written as Whisper's own writer does: `->`."""
    blocks = []
    for number, one in enumerate(_in_time(utterances), 1):
        text = _one_line(f"{one.speaker}: {one.text}").replace("-->", "->")
        blocks.append(f"{number}\n{_times(one, ',')}\n{text}\n")
    return "\n".join(blocks).encode()


def write_vtt(utterances: Iterable[Utterance]) -> bytes:
    """WebVTT, each cue with its voice."""
    blocks = ["WEBVTT\n"]
    for one in _in_time(utterances):
        speaker, text = (html.escape(_one_line(text), quote=False) for text in (one.speaker, one.text))
        blocks.append(f"{_times(one, '.')}\n<v {speaker}>{text}\n")
    return "\n".join(blocks).encode()


def _in_time(utterances: Iterable[Utterance]) -> list[Utterance]:
    return sorted(utterances, key=lambda one: one.start)


def _one_line(text: str) -> str:
    return joined(text.splitlines())


def _times(one: Utterance, point: str) -> str:
    """Both times; a cue ends after it begins."""
    first = max(0, round(one.start * 1000))
    return f"{_clock(first, point)} --> {_clock(max(first + 1, round(one.end * 1000)), point)}"


def _clock(milliseconds: int, point: str) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def read_srt(text: str, names: Collection[str]) -> Iterator[Cue]:
    """The cues of SubRip, also with blank lines within a text.

    Args:
        names: speakers whose name and a colon may begin a text.

    Raises:
        ValueError: a line of times cannot be read, or there is no cue at all.
    """
    lines = text.splitlines()
    places = list(_places_of_times(lines))
    if not places and text.strip():
        raise ValueError("no line with times in it")
    for place, following in zip(places, [*places[1:], None], strict=False):
        said = lines[place + 1 : following]
        if following is not None and said and _NUMBER.match(said[-1]):
            said.pop()  # the next cue's
        yield from _cues(lines[place], [("", _SRT_TAGS.sub("", "\n".join(said)))], names)


def read_vtt(text: str, names: Collection[str]) -> Iterator[Cue]:
    """The cues of WebVTT, each with its voice.

    Args:
        names: speakers whose name and a colon may begin a text that has no voice.

    Raises:
        ValueError: a line of times cannot be read, or it does not begin as WebVTT does and has no cue.
    """
    found = False
    for block in re.split(r"\n{2,}", "\n".join(line.rstrip() for line in text.splitlines())):
        lines = block.strip("\n").split("\n")
        # A cue ends where the next one's times stand, be there a blank line or not.
        places = [] if lines[0].startswith(_NO_CUES) else list(_places_of_times(lines))
        for place, following in zip(places, [*places[1:], None], strict=False):
            found = True
            yield from _cues(lines[place], _voices("\n".join(lines[place + 1 : following])), names)
    if not found and text.strip() and not text.startswith("WEBVTT"):
        raise ValueError("no WEBVTT at its begin, and no line with times in it")


def _places_of_times(lines: Iterable[str]) -> Iterator[int]:
    for place, line in enumerate(lines):
        if _TIMES.match(line):
            yield place
        elif re.match(r"\s*-?\d+:[\d:.,]*\s*-->", line):
            raise ValueError(f"{line.strip()!r}: times such as 00:00:01,000 --> 00:00:02,500 were expected")


def _voices(text: str) -> Iterator[tuple[str, str]]:
    """What each voice says in a cue, in plain text."""
    text = _RUBY_TEXT.sub("", text)
    before, *rest = _VOICE.split(text)
    for name, said in zip(["", *rest[::2]], [before, *rest[1::2]], strict=True):
        yield html.unescape(name).strip(), html.unescape(_VTT_TAGS.sub("", said))


def _cues(times: str, pieces: Iterable[tuple[str, str]], names: Collection[str]) -> Iterator[Cue]:
    """The cues of a line of times: one for each voice."""
    start, end = (_seconds(clock) for clock in _TIMES.findall(times)[0])
    for voice, piece in pieces:
        text = joined(piece.splitlines())
        name, colon, said = text.partition(":")
        by_name = {one.casefold(): one for one in names}
        if not voice and colon and name.casefold() in by_name:
            voice, text = by_name[name.casefold()], said.strip()
        if text:
            yield Cue(start, end, text, voice or None)


def _seconds(clock: str) -> float:
    sign = -1 if clock.startswith("-") else 1
    parts = clock.lstrip("-").replace(",", ".").split(":")
    return float(sign * sum(float(part) * 60**power for power, part in enumerate(reversed(parts))))
