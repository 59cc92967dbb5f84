"""Backchannels: signs of listening, such as "mhm", that a listener gives while the other one has the floor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from mm2energon.speech.utterances import Utterance


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Never an answer that anybody would train on.
_SOUNDS = _words(
    "mhm mhmm mm mmm mmhm mmhmm hm hmm uh-huh uhhuh uh um er ah aha oh ooh 嗯 嗯嗯 哦 噢 啊 呃 うん ええ 응 음"
)
#: What may be an answer as well, and is a sign only while the other one speaks on.
_WORDS = _words(
    "yeah yep yes okay ok right sure really wow exactly indeed true nice great cool alright "
    "对 是 是的 好 好的 对对 はい そう 네 예 ja genau stimmt oui si claro vale"
)
_PHRASES = frozenset({"uh huh", "mm hmm", "i see", "got it", "of course", "all right"})
_NOT_SPOKEN = re.compile(r"[^\w\s'-]+")
#: Words that a sign has at most.
_MOST_WORDS = 3


def is_backchannel(one: Utterance, others: Sequence[Utterance], *, pause: float) -> bool:
    """Whether an utterance is but a sign of listening.

    Args:
        others: what the other side says, in time.
        pause: seconds in which the other side's turn goes on after it.
    """
    kind = _kind(one.text)
    if kind is None:
        return False
    if any(other.start <= one.start and one.end <= other.end for other in others):
        return True
    before = any(other.start < one.start < other.end + pause for other in others)
    after = any(one.start <= other.start < one.end + pause for other in others)
    return kind == "sound" and before and after


def _kind(text: str) -> Literal["sound", "word"] | None:
    words = _NOT_SPOKEN.sub(" ", text.casefold()).split()
    if not 0 < len(words) <= _MOST_WORDS:
        return None
    if all(word in _SOUNDS for word in words) or words in (["uh", "huh"], ["mm", "hmm"]):
        return "sound"
    is_sign = all(word in _SOUNDS | _WORDS for word in words) or " ".join(words) in _PHRASES
    return "word" if is_sign else None
