"""Hygiene: what is blocked or masked in the words of a recording before anybody trains on them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.speech.utterances import LeftOut, Utterance

#: What can be masked -> what it looks like, also as speech recognition writes it, and what stands for it.
_EMAIL = re.compile(r"[\w.+-]+(?:@| at )[\w-]+(?:(?:\.| dot )[\w-]+)+", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.])\+?\(?\d(?:[\s().-]{0,2}\d){6,14}(?![\w])")
_DIGIT = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double)"
_SPOKEN_PHONE = re.compile(rf"\b{_DIGIT}(?:[\s,-]+{_DIGIT}){{6,}}\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])\d[\d.,]*\d(?!\w)|(?<!\w)\d(?!\w)")
#: In this order: a phone number is no longer one when its digits are masked.
MASKS: dict[str, tuple[re.Pattern[str], ...]] = {
    "email": (_EMAIL,),
    "phone": (_PHONE, _SPOKEN_PHONE),
    "number": (_NUMBER,),
}


@dataclass(frozen=True)
class Hygiene:
    """What is asked for."""

    #: Words and phrases with which an utterance is left out, whatever their case.
    blocked: tuple[str, ...] = ()
    #: Keys of `MASKS`.
    masked: tuple[str, ...] = ()


def clean(
    utterances: Iterable[Utterance], hygiene: Hygiene, masked: Counter[str]
) -> tuple[list[Utterance], list[LeftOut]]:
    """The utterances with what is private masked, and those that hold a blocked word.

    Args:
        masked: counts what was masked, by kind.
    """
    block = _blocker(hygiene.blocked)
    kept, left_out = [], []
    for one in utterances:
        if found := block(one.text):
            left_out.append(LeftOut(one, "blocked-words", f"it says {found!r}, which is blocked"))
        else:
            kept.append(_mask(one, hygiene, masked))
    return kept, left_out


def _blocker(words: Iterable[str]) -> Callable[[str], str | None]:
    """What tells the blocked word of a text."""
    # Longest first; at the edges of words, where the script has such.
    parts = [re.escape(word) for word in sorted(words, key=len, reverse=True)]
    if not parts:
        return lambda text: None
    edged = [(r"\b" if part[0].isascii() else "") + part + (r"\b" if part[-1].isascii() else "") for part in parts]
    pattern = re.compile("|".join(edged), re.IGNORECASE)

    def block(text: str) -> str | None:
        found = pattern.search(text)
        return found[0] if found else None

    return block


def _mask(one: Utterance, hygiene: Hygiene, masked: Counter[str]) -> Utterance:
    text = one.text
    for kind, patterns in MASKS.items():
        if kind not in hygiene.masked:
            continue
        for pattern in patterns:
            text, count = pattern.subn(f"[{kind}]", text)
            masked[kind] += count
    # The words hold what was masked, and nothing needs them from here on.
    return one if text == one.text else replace(one, text=text, words=())


def read_blocked(path: Path) -> tuple[str, ...]:
    """Words and phrases of a file, one a line; lines that begin with # are remarks.

    Raises:
        InputError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--blocked-words {path}: cannot be read ({error}); a text file in UTF-8 was expected"
        ) from error
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
