"""Hygiene: what is blocked or masked in the words of a recording before anybody trains on them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.speech.private import mask
from mm2energon.speech.scripts import DENSE
from mm2energon.speech.utterances import LeftOut, Utterance


@dataclass(frozen=True)
class Hygiene:
    """What is asked for."""

    #: Words and phrases with which an utterance is left out, whatever their case.
    blocked: tuple[str, ...] = ()
    #: Keys of `private.MASKS`.
    masked: tuple[str, ...] = ()


def masked(
    utterances: Sequence[Utterance], kinds: Sequence[str], counts: Counter[str], *, pause: float
) -> list[Utterance]:
    """Utterances without what is private, also where a pause parts it, as the groups of a phone number are.

    Args:
        utterances: by their start.
        kinds: keys of `private.MASKS`.
        counts: counts what was masked, by kind.
        pause: seconds below which a speaker goes on.
    """
    clean = list(utterances)
    for row in _in_a_row(utterances, pause):
        texts = mask([utterances[number].text for number in row], kinds, counts)
        for number, text in zip(row, texts, strict=True):
            if text != clean[number].text:
                # The words hold what was masked, and nothing needs them from here on.
                clean[number] = replace(clean[number], text=text, words=())
    return clean


def _in_a_row(utterances: Sequence[Utterance], pause: float) -> Iterator[list[int]]:
    """The numbers of what each speaker says without a long pause."""
    rows: dict[str, list[int]] = {}
    for number, one in enumerate(utterances):
        row = rows.get(one.speaker)
        if row is not None and one.start - utterances[row[-1]].end < pause:
            row.append(number)
            continue
        if row is not None:
            yield row
        rows[one.speaker] = [number]
    yield from rows.values()


def without_blocked(utterances: Iterable[Utterance], words: Sequence[str]) -> tuple[list[Utterance], list[LeftOut]]:
    """The utterances that say none of the blocked words, and those that do."""
    pattern = _any_of(words)
    kept, left_out = [], []
    for one in utterances:
        if pattern is not None and (found := pattern.search(_plain(one.text))):
            message = f"it says {found[0]!r}, which --blocked-words lists; words that it lacks were expected"
            left_out.append(LeftOut(one, "blocked-words", message))
        else:
            kept.append(one)
    return kept, left_out


def _plain(text: str) -> str:
    """A text with its case and its accents in one form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _any_of(words: Iterable[str]) -> re.Pattern[str] | None:
    """What finds the words, at the edges of words where their script has such; the longest first."""
    plain = sorted({_plain(" ".join(word.split())) for word in words} - {""}, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(_edged, plain))) if plain else None


def _edged(word: str) -> str:
    before = f"(?<![^\\W{DENSE}])" if _has_edge(word[0]) else ""
    after = f"(?![^\\W{DENSE}])" if _has_edge(word[-1]) else ""
    return before + r"\s+".join(map(re.escape, word.split())) + after


def _has_edge(letter: str) -> bool:
    return re.match(f"[^\\W{DENSE}]", letter) is not None


def read_blocked(path: Path) -> tuple[str, ...]:
    """Words and phrases of a file, one a line; lines that begin with # are remarks.

    Raises:
        InputError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--blocked-words {path}: cannot be read ({error}); a text file in UTF-8 was expected; name one"
        ) from error
    return tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
