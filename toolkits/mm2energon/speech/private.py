"""What is private in a text, as people write it and as engines hear it: e-mail addresses, phone numbers, numbers."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence

from mm2energon.speech.scripts import DENSE, joint


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: A letter or digit of a script with spaces: `我的邮箱是a@b.com` is an address from its `a` on.
_LETTER = f"[^\\W{DENSE}]"
_ADDRESS = f"(?:{_LETTER}|[.+%'-])*{_LETTER}"
_DOMAIN = f"(?:{_LETTER}|-)+"
_TOP = f"[^\\W\\d_{DENSE}]{{2,}}"
#: How `.` and its like are said within an address, and the words that end one.
_SAID = r"(?:dot|underscore|dash|hyphen|minus|plus|punto|ponto|point|punkt)"
_SAID_DOT = r"(?:dot|punto|ponto|point|punkt)"
_SAID_TOP = r"(?:com|org|net|edu|gov|info|app|dev|[a-z]{2})"
#: What stands before "at" where no address does: "look at example.com", "we met at gmail dot com".
_NO_NAMES = _words(
    "a am an and are arrived as available back been be being but by found go going good had has have he her here him "
    "i in is it just know look looked looking looks me meet met more not now on online or out page point read see she "
    "shop site start stay stop that the them there they this today up us visit was we website were who work worked "
    "working works you"
)
_EMAILS = (
    re.compile(rf"(?<!{_LETTER})(?<![.+%'-]){_ADDRESS}\s?@\s?{_DOMAIN}(?:\.{_DOMAIN})*\.{_TOP}"),
    # "jane dot doe at mail dot example dot com", "jane@gmail dot com", "jane at gmail.com"
    re.compile(
        rf"(?<!{_LETTER})(?P<name>{_ADDRESS})(?:\s{_SAID}\s{_ADDRESS}){{0,5}}"
        rf"(?:\s?@\s?|\s(?:at|arroba|arobase|chiocciola)\s){_DOMAIN}"
        rf"(?:\s{_SAID}\s{_DOMAIN}){{0,5}}(?:\s{_SAID_DOT}\s{_SAID_TOP}|\.{_TOP})(?!{_LETTER})",
        re.IGNORECASE,
    ),
)

#: A run of digits with what stands within a phone number, and not within a longer word or number.
_RUN = re.compile(r"(?<![A-Za-z0-9_])(?<!\d[.,:/])(?:\+\s?)?\(?\d(?:[\s().\-–/]{0,3}\d)*(?![A-Za-z0-9_])(?![.,:/]\d)")
_DATE = re.compile(
    r"(?:1\d|20)\d\d(?P<by>[-./ ])[01]?\d(?P=by)[0-3]?\d|[0-3]?\d(?P<at>[-./ ])[0-3]?\d(?P=at)(?:1\d|20)\d\d"
)
#: Years, one or several; grouped thousands; versions and addresses of machines; round numbers.
_NO_PHONES = (
    _DATE,
    re.compile(r"(?:1\d|20)\d\d(?:\D{1,3}(?:1\d|20)\d\d)+"),
    re.compile(r"\d{1,2}(?:([. ])\d{3})(?:\1\d{3})*|\d{1,3}(?:\.\d{3}){2,}|\d{1,2}\.\d+"),
    re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\d{1,3}\.\d(?:\.\d+)+"),
    re.compile(r"[1-9]\d*?0{5,}"),
)
_DIGITS = (7, 15)  # E.164 has 15 at most; below seven a number is no subscriber's

#: The digits as they are said, 0 to 9, by language; "oh" and "double" as on the phone.
_SPOKEN = (
    "zero one two three four five six seven eight nine oh double triple",
    "null eins zwei drei vier fünf sechs sieben acht neun zwo",
    "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "zéro un deux trois quatre cinq six sept huit neuf",
)
_SPOKEN_RUNS = tuple(
    re.compile(rf"\b(?:{'|'.join(words.split())})(?:[\s,.-]+(?:{'|'.join(words.split())})){{6,}}\b", re.IGNORECASE)
    for words in _SPOKEN
)
_SPOKEN_HAN = re.compile(r"[零〇一二三四五六七八九幺]{7,}")
#: A number with its separators: 5, 1,000.50, 10:30, 3/4, 1.2.3; not the digits of a name (MP3, v1.2).
_NUMBER = re.compile(r"(?<![A-Za-z0-9_])(?<!\d[.,:/])\d+(?:[.,:/]\d+)*")


def _is_address(found: re.Match[str]) -> bool:
    name = found.groupdict().get("name")
    return name is None or "@" in found[0] or name.casefold() not in _NO_NAMES


def _is_phone(found: re.Match[str]) -> bool:
    digits = sum(one.isdigit() for one in found[0])
    if not _DIGITS[0] <= digits <= _DIGITS[1]:
        return False
    if found[0].startswith(("+", "(", "00")):
        return True
    return not any(other.fullmatch(found[0]) for other in _NO_PHONES) and not _counts(re.findall(r"\d+", found[0]))


def _counts(groups: Sequence[str]) -> bool:
    """Whether somebody counts: 1 2 3 4 5 6 7, or down."""
    numbers = [int(one) for one in groups]
    steps = {after - before for before, after in zip(numbers, numbers[1:], strict=False)}
    return steps in ({1}, {-1})


def _is_spoken_phone(found: re.Match[str]) -> bool:
    said = re.findall(r"\w+", found[0].casefold())
    words = next(language.split() for language in _SPOKEN if set(said) <= set(language.split()))
    return not _counts([str(words.index(one)) for one in said])


def _is_han_phone(found: re.Match[str]) -> bool:
    return len(found[0]) <= _DIGITS[1] and found[0].lstrip("零〇") not in "一二三四五六七八九"


def _always(found: re.Match[str]) -> bool:
    return True


#: What can be masked -> what it looks like, and whether what looks so is it. In this order: a phone number is no longer
#: one when its digits are masked.
MASKS: dict[str, tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], bool]], ...]] = {
    "email": tuple((pattern, _is_address) for pattern in _EMAILS),
    "phone": (
        (_RUN, _is_phone),
        *((pattern, _is_spoken_phone) for pattern in _SPOKEN_RUNS),
        (_SPOKEN_HAN, _is_han_phone),
    ),
    "number": ((_NUMBER, _always),),
}


def mask(texts: Sequence[str], kinds: Sequence[str], counts: Counter[str]) -> list[str]:
    """Texts with `[email]` and so on in the place of what is private; what several hold together is masked in each.

    Args:
        texts: what one person says in a row: a number that is said in groups is one over the pauses.
        kinds: keys of `MASKS`.
        counts: counts what was masked, by kind.
    """
    clean = list(texts)
    for kind in MASKS:
        if kind in kinds:
            for pattern, is_it in MASKS[kind]:
                begins, together = _laid_out(clean)
                found = [one for one in pattern.finditer(together) if is_it(one)]
                for one in reversed(found):  # from the last on: the places of those before stay right
                    counts[kind] += 1
                    _put_out(clean, begins, one.span(), f"[{kind}]")
    return clean


def _laid_out(texts: Sequence[str]) -> tuple[list[int], str]:
    """Where each text begins in all of them together, and that."""
    begins, pieces, length = [], [], 0
    for number, text in enumerate(texts):
        between = joint(texts[number - 1], text) if number else ""
        begins.append(length + len(between))
        pieces += [between, text]
        length += len(between) + len(text)
    return begins, "".join(pieces)


def _put_out(texts: list[str], begins: Sequence[int], span: tuple[int, int], instead: str) -> None:
    """Replace a span of all texts together, in each text that has a part of it."""
    start, end = span
    number = bisect_right(begins, start) - 1
    while number < len(texts) and begins[number] < end:
        text = texts[number]
        first, last = max(0, start - begins[number]), end - begins[number]
        if text[first:last].strip():
            texts[number] = text[:first] + instead + text[last:]
        number += 1
