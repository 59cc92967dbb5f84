"""Backchannels: signs of listening, such as "mhm", that a listener gives while the other one has the floor."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from mm2energon.speech.utterances import Side, Utterance


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: No more than sounds; an answer only where a question comes before.
_SOUNDS = _words(
    "mhm mhmm mm mmm mmhm mmhmm mm-hm mm-hmm m-hm hm hmm uh-huh uhhuh uh um er ah aha oh ooh "
    "嗯 嗯嗯 哦 噢 啊 呃 うん うんうん ええ へえ 응 음"
)
#: What may be an answer as well, and is a sign only while the other one speaks on.
_WORDS = _words(
    "yeah yep yes okay ok right sure really wow exactly indeed true nice great cool alright "
    "对 是 是的 好 好的 对对 はい そう 네 예 ja genau stimmt oui si sí claro vale"
)
_PHRASES = frozenset({"i see", "got it", "of course", "all right"})
#: Phrases of sounds.
_SOUND_PHRASES = frozenset({"uh huh", "mm hmm", "mm hm"})
_NOT_SPOKEN = re.compile(r"[^\w\s'-]+")
#: Words that a sign has at most.
_MOST_WORDS = 3
#: How a question ends, in writing; without its mark in Japanese and Chinese.
_QUESTION = re.compile(r"[?？؟][\"'”’»)\]]*$|[か吗嗎][。.]?$")

Kind = Literal["sound", "word"]


def signs_of_listening(utterances: Sequence[Utterance], sides: Sequence[Side], *, pause: float) -> list[bool]:
    """Which utterances are but signs of listening.

    A sign is one that lies within an utterance of the other side; a mere sound is one also where the other side spoke
    last, did not ask, and goes on as if nothing had been said. What answers a question, or comes when the other one
    has finished, is an answer.

    Args:
        utterances: by their start.
        sides: of each, in that order.
        pause: seconds below which a turn goes on.
    """
    kinds = [kind_of(one.text) for one in utterances]
    floors = {side: _Floor(utterances, sides, kinds, side) for side in ("user", "assistant")}
    others = {"user": floors["assistant"], "assistant": floors["user"]}
    between = _between(utterances, sides, kinds, pause)
    return [
        kind is not None and (others[side].holds(one) or (kind == "sound" and is_between))
        for one, side, kind, is_between in zip(utterances, sides, kinds, between, strict=True)
    ]


class _Floor:
    """What one side says, besides signs: whether something lies within it is told without looking at all of it."""

    def __init__(
        self, utterances: Sequence[Utterance], sides: Sequence[Side], kinds: Sequence[Kind | None], side: Side
    ) -> None:
        said = [
            one
            for one, its, kind in zip(utterances, sides, kinds, strict=True)
            if its == side and kind is None and one.end > one.start
        ]
        self._starts = [one.start for one in said]
        self._ends = list(accumulate((one.end for one in said), max))

    def holds(self, one: Utterance) -> bool:
        """Whether an utterance lies within one of this side."""
        before = bisect_right(self._starts, one.start)
        return before > 0 and self._ends[before - 1] >= one.end


def _between(
    utterances: Sequence[Utterance], sides: Sequence[Side], kinds: Sequence[Kind | None], pause: float
) -> list[bool]:
    """Whether the other side spoke last, did not ask, and goes on before its turn would be over."""
    after: list[int | None] = []
    following: int | None = None
    for number in reversed(range(len(utterances))):
        after.append(following)
        following = number if kinds[number] is None else following
    after.reverse()
    between = []
    last: int | None = None
    for number, following in enumerate(after):
        between.append(
            last is not None
            and following is not None
            and sides[last] == sides[following] != sides[number]
            and utterances[following].start - utterances[last].end < pause
            and not _QUESTION.search(utterances[last].text)
        )
        last = number if kinds[number] is None else last
    return between


def kind_of(text: str) -> Kind | None:
    """What sort of sign a text may be: a mere sound, or a word that may be an answer as well; None: neither."""
    words = _NOT_SPOKEN.sub(" ", text.casefold()).split()
    if not 0 < len(words) <= _MOST_WORDS:
        return None
    if all(word in _SOUNDS for word in words) or " ".join(words) in _SOUND_PHRASES:
        return "sound"
    is_sign = all(word in _SOUNDS | _WORDS for word in words) or " ".join(words) in _PHRASES
    return "word" if is_sign else None
