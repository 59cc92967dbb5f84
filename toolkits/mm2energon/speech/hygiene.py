"""Hygiene: what is blocked or masked in the words of a recording before anybody trains on them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
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


def masked(one: Utterance, kinds: Sequence[str], counts: Counter[str]) -> Utterance:
    """An utterance without what is private.

    Args:
        kinds: keys of `private.MASKS`.
        counts: counts what was masked, by kind.
    """
    text = mask(one.text, kinds, counts)
    # The words hold what was masked, and nothing needs them from here on.
    return one if text == one.text else replace(one, text=text, words=())


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
