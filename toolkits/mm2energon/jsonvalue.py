"""One JSON value: the rule for what is one, and a quick way for those where it certainly says the same.

A value with a fault that leaves its end in sight (NaN, a byte that is not UTF-8, a bad escape) costs itself alone.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple, Union

import msgspec

#: Levels of lists and objects in one value; far above any annotation, and low enough to be written again anywhere.
MAX_DEPTH = 200
#: The same in files of ours that hold entries inside of something.
MAX_DEPTH_AROUND = MAX_DEPTH + 8
_MAX_DIGITS = 1000
_QUICK_DEPTH = 8
#: A value cut off by the end of a text fails at most this many characters before it: inside `-Infinity`, say.
LONGEST_TOKEN = 16
#: What json's messages about the inside of a text begin with.
_IN_TEXT = "Invalid "
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9A-Fa-f]{4})|\\.', re.DOTALL)
#: Characters in which the end of a text is looked for behind a fault: the rest of a file may be nothing but zeros.
_MOST_BEHIND_FAULT = 1 << 24


class Faulty(NamedTuple):
    """In the place of a value that is none: its text, as far as it is known, and what is wrong with it."""

    text: str
    fault: str


class Decoder:
    """Python's own decoder, which goes on behind what JSON does not allow or Python would not hold, and notes it."""

    def __init__(self, *, max_depth: int = MAX_DEPTH) -> None:
        self.too_deep = f"more than {max_depth} levels of lists and objects"
        self._max_depth = max_depth
        self._faults: list[str] = []
        self._json, self._loose_json = (
            json.JSONDecoder(parse_constant=self._constant, parse_int=self._int, parse_float=self._float, strict=strict)
            for strict in (True, False)
        )

    def value_at(self, text: str, start: int = 0) -> tuple[Any, int]:
        """The value that begins at `start`, or what is Faulty there, and where it ends.

        Args:
            text: decoded from UTF-8 with `surrogateescape`.

        Raises:
            json.JSONDecodeError: there is no value.
            RecursionError: it is nested so deep that its end cannot be found.
        """
        self._faults.clear()
        try:
            value, end = self._json.raw_decode(text, start)
        except json.JSONDecodeError as error:
            if not error.msg.startswith(_IN_TEXT):
                raise
            value, end = self._loose_value(text, start, error)
        raw = text[start:end]
        if not _is_utf8(raw):
            self._faults.append("a byte that is not UTF-8")
        elif raw.count("[") + raw.count("{") > self._max_depth and _is_deep(value, self._max_depth):
            self._faults.append(self.too_deep)
        return Faulty(raw, self._faults[0]) if self._faults else value, end

    def whole(self, text: str) -> Any:
        """The one value of a text, or what is Faulty with it."""
        text = text.strip(" \t\r\n")
        try:
            value, end = self.value_at(text)
        except json.JSONDecodeError as error:
            return Faulty(text, f"character {error.pos + 1}: {said(error)}")
        except RecursionError:
            return Faulty(text, self.too_deep)
        return value if end == len(text) else Faulty(text, f"character {end + 1}: something stands behind the value")

    def _loose_value(self, text: str, start: int, error: json.JSONDecodeError) -> tuple[Any, int]:
        """A value with control characters or bad escapes in its texts, which are noted, and where it ends.

        Raises:
            json.JSONDecodeError: its end is not found: the fault itself, or one by which it may lie behind the text.
        """
        plain = _ESCAPE.sub(lambda match: match[0] if match[1] else "\\\\", text)  # of the same length
        self._faults.clear()
        self._faults.append(f"character {error.pos - start + 1}: {said(error)}")
        try:
            return self._loose_json.raw_decode(plain, start)
        except json.JSONDecodeError as further:
            may_go_on = was_cut(further, text) and len(text) < _MOST_BEHIND_FAULT
            raise (further if may_go_on else error) from None

    def _constant(self, name: str) -> None:
        self._faults.append(f"{name} is no JSON number")

    def _int(self, text: str) -> int:
        if len(text) <= _MAX_DIGITS:
            return int(text)
        self._faults.append(f"a number of {len(text.lstrip('-'))} digits")
        return 0

    def _float(self, text: str) -> float:
        value = float(text)
        if math.isinf(value):
            self._faults.append(f"{text[:20]} is too large a number")
        return value


def was_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Whether a fault may be none but the end of the text."""
    return error.pos >= len(text) - LONGEST_TOKEN or error.msg.startswith("Unterminated string")


def said(error: json.JSONDecodeError) -> str:
    """What json says of a fault, where the place stands before it."""
    return error.msg.removesuffix(" at").removesuffix(" starting")


def _nested(levels: int) -> Any:
    """The type of values of at most so many levels, by which msgspec refuses deeper ones at no cost."""
    kind: Any = Union[str, int, float, bool, None]  # noqa: UP007 (`|` of a type that is built in a loop)
    for _ in range(levels):
        kind = Union[str, int, float, bool, None, list[kind], dict[str, kind]]  # noqa: UP007
    return kind


_decode_value = msgspec.json.Decoder(_nested(_QUICK_DEPTH)).decode
_decode_items = msgspec.json.Decoder(list[_nested(_QUICK_DEPTH)]).decode  # type: ignore[misc]
_pass_over = msgspec.json.Decoder(list[msgspec.Raw]).decode
#: What the quick way raises; msgspec's own errors are ValueErrors since 0.21 alone.
UNSURE: tuple[type[Exception], ...] = (ValueError, msgspec.MsgspecError)
#: Digits become 0, all else 1.
_DIGITS = bytes(48 if chr(byte).isdecimal() else 49 for byte in range(128)) + b"1" * 128
_TOO_LONG = b"0" * (_MAX_DIGITS + 1)
_DIGITS_STEP = 100


def quick_value(text: bytes) -> Any:
    """The one value of a text, five times as fast as the Decoder, which knows more values than are told here.

    msgspec keeps integers whole, and refuses what the Decoder finds faulty, but for long numbers.

    Raises:
        UNSURE: it is none, or one of which only the Decoder can say what it is.
    """
    if len(text) > _MAX_DIGITS and _has_long_number(text):
        raise ValueError("a number may be too long")
    return _decode_value(text)


def quick_items(text: bytes) -> list[Any]:
    """The values of a text that stand between commas, as `quick_value`.

    A text that begins where a value begins, and that gives no error, holds these values whole: an end inside a value
    would leave a bracket or a quote open.
    """
    if len(text) > _MAX_DIGITS and _has_long_number(text):
        raise ValueError("a number may be too long")
    items: list[Any] = _decode_items(b"[%b]" % text)
    return items


def quick_item(text: bytes, place: int) -> Any:
    """One of the values of a text, all of which `quick_items` has read before; the others are passed over.

    Raises:
        UNSURE: as `quick_items`.
        IndexError: there are not so many.
    """
    return quick_value(bytes(_pass_over(b"[%b]" % text)[place]))


def _has_long_number(text: bytes) -> bool:
    """Whether there are more digits in a row than a number may have; looks at each hundredth byte first."""
    sample = text[::_DIGITS_STEP].translate(_DIGITS)
    return _TOO_LONG[: _MAX_DIGITS // _DIGITS_STEP] in sample and _TOO_LONG in text.translate(_DIGITS)


def _is_utf8(text: str) -> bool:
    """Whether a text decoded with `surrogateescape` came from good UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_deep(value: Any, max_depth: int) -> bool:
    level = [value]
    for _ in range(max_depth):
        children = (item.values() if isinstance(item, dict) else item for item in level)
        level = [child for some in children for child in some if isinstance(child, dict | list)]
        if not level:
            return False
    return True
