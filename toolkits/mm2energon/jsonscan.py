"""JSON values one after another from a text of any length: flat memory, and one rule for what is JSON.

A value with a fault that leaves its end in sight (NaN, a byte that is not UTF-8) costs itself alone.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

#: Levels of lists and objects in one value; far above any annotation, and low enough to be written again anywhere.
MAX_DEPTH = 200
_MAX_DIGITS = 1000
_CHUNK_BYTES = 1 << 20
_SPACE = re.compile(r"[ \t\n\r]*")
#: A value cut off by the end of the window fails at most this many characters before it: inside `-Infinity`, say.
_LONGEST_TOKEN = 16


class Value(NamedTuple):
    """A JSON value; or, with what is wrong with it, its text as far as it is known."""

    value: Any
    fault: str | None = None


class Decoder:
    """Python's own decoder, which goes on behind what JSON does not allow or Python would not hold, and notes it."""

    def __init__(self) -> None:
        self._faults: list[str] = []
        self._json = json.JSONDecoder(parse_constant=self._constant, parse_int=self._int, parse_float=self._float)

    def value_at(self, text: str, start: int = 0) -> tuple[Value, int]:
        """The value that begins at `start`, and where it ends.

        Args:
            text: decoded from UTF-8 with `surrogateescape`.

        Raises:
            json.JSONDecodeError: there is no value.
            RecursionError: it is nested so deep that its end cannot be found.
        """
        self._faults.clear()
        value, end = self._json.raw_decode(text, start)
        raw = text[start:end]
        if not _is_utf8(raw):
            self._faults.append("a byte that is not UTF-8")
        elif raw.count("[") + raw.count("{") > MAX_DEPTH and _is_deep(value):
            self._faults.append(f"more than {MAX_DEPTH} levels of lists and objects")
        fault = self._faults[0] if self._faults else None
        return Value(raw if fault else value, fault), end

    def whole(self, text: str) -> Value:
        """The one value of a text."""
        text = text.strip(" \t\r\n")
        try:
            value, end = self.value_at(text)
        except json.JSONDecodeError as error:
            return Value(text, f"character {error.pos + 1}: {error.msg}")
        except RecursionError:
            return Value(text, f"more than {MAX_DEPTH} levels of lists and objects")
        return value if end == len(text) else Value(text, f"character {end + 1}: something stands behind the value")

    def _constant(self, name: str) -> None:
        self._faults.append(f"{name} is no JSON number")

    def _int(self, text: str) -> int:
        if len(text) <= _MAX_DIGITS:
            return int(text)
        self._faults.append(f"a number of {len(text)} digits")
        return 0

    def _float(self, text: str) -> float:
        value = float(text)
        if math.isinf(value):
            self._faults.append(f"{text[:20]} is too large a number")
        return value


def scan(file: IO[bytes]) -> Iterator[Value]:
    """The values of a file, one after another; of an array at the top, its items.

    Raises:
        ValueError: there is no JSON at some place; nothing behind it can be read.
    """
    text = _Window(file)
    while mark := text.next_character():
        if mark == "[":
            yield from _items(text)
        else:
            yield text.value()


def _items(text: _Window) -> Iterator[Value]:
    text.step()
    if text.next_character() == "]":
        text.step()
        return
    while True:
        text.next_character()
        yield text.value()
        mark = text.next_character()
        if mark not in ("]", ","):
            raise ValueError(f"{text.place()}: {'no comma or ]' if mark else 'the file ends inside the array'}")
        text.step()
        if mark == "]":
            return


class _Window:
    """A stretch of a file's text that moves on as it is read, and grows where a value is longer."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._to_text = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._decoder = Decoder()
        self._text = ""
        self._at = 0
        self._lines_before = 0
        self._characters_before = 0

    def place(self, ahead: int = 0) -> str:
        """Where the window stands in the file, for a message."""
        at = self._at + ahead
        line = self._lines_before + self._text.count("\n", 0, at) + 1
        return f"line {line}, character {self._characters_before + at + 1} of the file"

    def step(self) -> None:
        """Pass over one character."""
        self._at += 1

    def next_character(self) -> str:
        """The next character that is not white space, which stays; empty at the end of the file."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._grow():
                return ""

    def value(self) -> Value:
        """The value that begins here; the window moves behind it."""
        while True:
            try:
                value, end = self._decoder.value_at(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._was_cut(error) and self._grow():
                    continue
                raise ValueError(f"{self.place(error.pos - self._at)}: {error.msg}") from error
            except RecursionError as error:
                raise ValueError(f"{self.place()}: more than {MAX_DEPTH} levels of lists and objects") from error
            if end > len(self._text) - _LONGEST_TOKEN and self._grow():
                continue  # a number may go on behind the window, of which `1e-` is not a part yet
            self._at = end
            return value

    def _was_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the fault may be none but the end of the window."""
        return error.pos >= len(self._text) - _LONGEST_TOKEN or error.msg.startswith("Unterminated string")

    def _grow(self) -> bool:
        """Read on, at least as much as is held, so that a long value is not looked at many times; False at the end."""
        data = self._file.read(max(_CHUNK_BYTES, len(self._text) - self._at))
        more = self._to_text.decode(data, final=not data)
        if not data and not more:
            return False
        self._lines_before += self._text.count("\n", 0, self._at)
        self._characters_before += self._at
        self._text = self._text[self._at :] + more
        self._at = 0
        return True


def _is_utf8(text: str) -> bool:
    """Whether a text decoded with `surrogateescape` came from good UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        children = (item.values() if isinstance(item, dict) else item for item in level)
        level = [child for some in children for child in some if isinstance(child, dict | list)]
        if not level:
            return False
    return True
