"""Scripts that are written without spaces between words: how texts in them are joined, and their words counted."""

from __future__ import annotations

import re

#: Characters of scripts without any space, as a class of a regular expression has them: CJK punctuation, kana, Han
#: with its extensions, full-width forms.
DENSE = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
#: Thai, Lao, Burmese and Khmer: a space ends a clause there, and not a word.
_CLAUSES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_IS_DENSE = re.compile(f"[{DENSE}]")
_IS_NO_WORD = re.compile(f"[{DENSE}{_CLAUSES}]")


def joint(before: str, after: str) -> str:
    """What stands between two texts of one turn: nothing where a script has no spaces."""
    return "" if _IS_DENSE.match(before[-1:]) or _IS_DENSE.match(after[:1]) else " "


def joined(texts: list[str]) -> str:
    """Lines of one text on one line."""
    text = ""
    for one in (" ".join(one.split()) for one in texts):
        text += joint(text, one) + one if text and one else one
    return text


def count_words(text: str) -> int:
    """Words of a text; of a script that does not part them each letter is one. Mere punctuation is none."""
    return sum(map(_words_in, text.split()))


def _words_in(piece: str) -> int:
    letters = [one for one in piece if one.isalnum()]
    dense = sum(_IS_NO_WORD.match(one) is not None for one in letters)
    return dense + (dense < len(letters))
