"""JSON values one after another from a file of any length, with flat memory.

In an array nearly all entries are found without being looked for: what stands between two of them (`}, {"id"`) is
learned from the file, and a stretch up to such a place that reads without an error holds whole entries. Whatever does
not read like that is scanned by Python's decoder.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

from mm2energon.jsonvalue import LONGEST_TOKEN, MAX_DEPTH, UNSURE, Decoder, quick_items, said, was_cut

_CHUNK_BYTES = 1 << 20
_SPACE = re.compile(rb"[ \t\n\r]*")
#: From behind a value up to the first text of the next, which mostly is its first key.
_TO_FIRST_KEY = re.compile(rb'[ \t\n\r]*,[ \t\n\r]*[\[{][\[{ \t\n\r]*"[^"\\]{0,64}"')
_MOST_CLOSING = 4
#: Bytes given to Python's decoder at the least; it fails where they hold no whole value.
_PIECE_BYTES = 1 << 12
#: Bytes of entries read at once: within them the cost of a call is shared, and they stay in the processor's cache.
_MOST_AT_ONCE = 1 << 16
_LEAST_AT_ONCE = 1 << 9
#: Values scanned, after quick reading has failed some times in a row, before it is tried again.
_LONGEST_PAUSE = 255


def scan(file: IO[bytes], *, max_depth: int = MAX_DEPTH) -> Iterator[list[Any]]:
    """The values of a file, or what is Faulty in their place, some at a time; of an array at the top, its items.

    Args:
        file: one that can seek, at the place where to begin.
        max_depth: levels of lists and objects above which a value is Faulty.

    Raises:
        ValueError: there is no JSON at some place; nothing behind it can be read.
    """
    for stretch in scan_stretches(file, max_depth=max_depth):
        yield stretch[2]


def scan_stretches(file: IO[bytes], *, max_depth: int = MAX_DEPTH) -> Iterator[tuple[int, int, list[Any]]]:
    """As `scan`, with where the values begin and end in the file: what stands there is these, and commas between them.

    Raises:
        ValueError: as `scan`.
    """
    text = _Window(file, Decoder(max_depth=max_depth))
    while mark := text.next_character():
        if mark == b"[":
            yield from _items(text)
        else:
            begin = text.offset
            values = [text.value()]
            yield begin, text.offset, values


def _items(text: _Window) -> Iterator[tuple[int, int, list[Any]]]:
    text.step()
    if text.next_character() == b"]":
        text.step()
        return
    while True:
        text.next_character()
        begin = text.offset
        items = text.items()
        yield begin, text.offset, items
        mark = text.next_character()
        if mark not in (b"]", b","):
            raise ValueError(f"{text.place()}: {'no comma or ]' if mark else 'the file ends inside the array'}")
        text.step()
        if mark == b"]":
            return


class _Window:
    """A stretch of a file that moves on as it is read, and grows where a value is longer."""

    def __init__(self, file: IO[bytes], decoder: Decoder) -> None:
        self._file = file
        self._start = file.tell()
        self._decoder = decoder
        self._data = b""
        self._at = 0
        self._bytes_before = 0
        self._at_end = False
        #: From the brackets that end an item to the first key of the next; empty when nothing is known.
        self._between = b""
        self._closing = 0
        self._reach = _LEAST_AT_ONCE
        #: Bytes given to the decoder, likely to hold the next value whole.
        self._piece = _PIECE_BYTES
        self._pause = self._scan_next = 0

    @property
    def offset(self) -> int:
        """Bytes of the file before the window."""
        return self._start + self._bytes_before + self._at

    def place(self, ahead: str = "") -> str:
        """Where the window stands in the file, for a message that ends the reading.

        Args:
            ahead: text behind that place to be counted too.
        """
        line, character = 1 + ahead.count("\n"), 1 + len(ahead)
        left = self._bytes_before + self._at
        to_text = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._file.seek(self._start)
        while left:
            data = self._file.read(min(left, _CHUNK_BYTES))
            left = left - len(data) if data else 0
            character += len(to_text.decode(data, final=not left))
            line += data.count(b"\n")
        return f"line {line}, character {character} of the file"

    def step(self) -> None:
        """Pass over one character."""
        self._at += 1

    def next_character(self) -> bytes:
        """The next byte that is not white space, which stays; empty at the end of the file."""
        while True:
            space = _SPACE.match(self._data, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._data):
                return self._data[self._at : self._at + 1]
            if not self._grow():
                return b""

    def items(self) -> list[Any]:
        """The item that begins here, or some of them; the window moves behind them."""
        if self._scan_next:
            self._scan_next -= 1
        elif self._between and (items := self._quick_items()):
            return items
        value = self.value()
        self._learn()
        return [value]

    def value(self) -> Any:
        """The value that begins here; the window moves behind it.

        Raises:
            ValueError: there is none.
        """
        while True:
            text, is_rest = self._text(self._piece)
            self._piece *= 2
            try:
                value, end = self._decoder.value_at(text)
            except json.JSONDecodeError as error:
                if not is_rest and was_cut(error, text):
                    continue
                raise ValueError(f"{self.place(text[: error.pos])}: {said(error)}") from error
            except RecursionError as error:
                raise ValueError(f"{self.place()}: {self._decoder.too_deep}") from error
            if end > len(text) - LONGEST_TOKEN and not is_rest:
                continue  # a number may go on behind the text, of which `1e-` is not a part yet
            length = len(text[:end].encode("utf-8", "surrogateescape"))
            self._at += length
            self._piece = max(_PIECE_BYTES, 2 * length)
            self._reach = max(self._reach, 2 * length)
            return value

    def _learn(self) -> None:
        """What stands between the item that ends here and the next; brackets before it tell it from what is inside."""
        if found := _TO_FIRST_KEY.match(self._data, self._at):
            last = self._data[max(0, self._at - _MOST_CLOSING) : self._at]
            self._closing = max(1, len(last) - len(last.rstrip(b"]}")))
            self._between = self._data[self._at - self._closing : found.end()]

    def _quick_items(self) -> list[Any]:
        """The items up to the farthest place within reach that looks like one between two; none when they do not read.

        The reach adapts: to long items, and to those that only the decoder can read.
        """
        while len(self._data) - self._at < self._reach and self._grow():
            pass
        place = self._data.rfind(self._between, self._at, self._at + self._reach)
        if place < 0:
            self._reach = min(2 * self._reach, max(_MOST_AT_ONCE, len(self._data)))
        else:
            end = place + self._closing
            try:
                items = quick_items(self._data[self._at : end])
            except UNSURE:
                self._reach = max(self._reach // 4, _LEAST_AT_ONCE)
            else:
                self._at = end
                self._reach = max(self._reach, min(2 * self._reach, _MOST_AT_ONCE))
                self._pause = 0
                return items
        self._scan_next = self._pause = min(2 * self._pause + 1, _LONGEST_PAUSE)
        return []

    def _text(self, size: int) -> tuple[str, bool]:
        """The text of that many bytes from here, and whether it is all that is left of the file."""
        while len(self._data) - self._at < size and self._grow():
            pass
        is_rest = self._at_end and len(self._data) - self._at <= size
        to_text = codecs.getincrementaldecoder("utf-8")("surrogateescape")  # leaves a character that is cut off
        return to_text.decode(self._data[self._at : self._at + size], final=is_rest), is_rest

    def _grow(self) -> bool:
        """Read on, at least as much as is held, so that a long value is not looked at many times; False at the end."""
        data = b"" if self._at_end else self._file.read(max(_CHUNK_BYTES, len(self._data) - self._at))
        if not data:
            self._at_end = True
            return False
        self._data = self._data[self._at :] + data
        self._bytes_before += self._at
        self._at = 0
        return True
