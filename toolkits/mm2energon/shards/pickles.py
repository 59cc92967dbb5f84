"""Parts that are lists of pictures: written as plain pickles, and read without the pickle machine.

Readers such as Pai-Megatron-Patch and Megatron-Bridge unpickle `jpgs` and `videos`. What is written here is lists and
bytes and nothing else, so that restricted unpicklers load it. Reading knows the opcodes of lists and bytes alone
(https://docs.python.org/3/library/pickletools.html), and stops at any other before its argument is looked at: a hostile
file can neither name a function, nor make room for more than it holds, nor stand for more pictures than it has bytes.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any, Final

from mm2energon.errors import SampleError

#: Protocol 4 holds bytes of any size, and every reader's Python knows it.
_PROTOCOL = 4
_NEWEST_PROTOCOL = 5
#: Values, marks and references of one pickle; two days of video at 2 frames a second have a third of it.
_MOST_VALUES = 1 << 20
#: Lists, of which each video is one.
_MOST_LISTS = 10_000
#: A picture that is referred to again and again may come to so many times the size of the pickle.
_MOST_REPEATED = 64
_MARK: Final = object()

_PROTO, _FRAME, _STOP = 0x80, 0x95, ord(".")
_EMPTY_LIST, _MARK_CODE, _APPEND, _APPENDS, _MEMOIZE = (ord("]"), ord("("), ord("a"), ord("e"), 0x94)
#: Opcode -> how the length of the bytes behind it is written.
_BYTES = {ord("C"): struct.Struct("<B"), ord("B"): struct.Struct("<I"), 0x8E: struct.Struct("<Q")}
#: Opcodes that store in the memo, and that fetch from it -> how the place in it is written.
_STORE = {ord("q"): struct.Struct("<B"), ord("r"): struct.Struct("<I")}
_FETCH = {ord("h"): struct.Struct("<B"), ord("j"): struct.Struct("<I")}
_BYTE, _EIGHT = struct.Struct("<B"), struct.Struct("<Q")


def dump_images(images: Sequence[bytes]) -> list[bytes]:
    """A pickle of a list of encoded pictures (or sounds), in pieces; an empty list when there are none."""
    return _dump(list(images))


def dump_videos(videos: Sequence[Sequence[bytes]]) -> list[bytes]:
    """A pickle of a list of videos, each a list of its encoded frames, in pieces."""
    return _dump([list(frames) for frames in videos])


def load_nested_bytes(data: bytes, *, origin: str = "pickled part") -> list[bytes] | list[list[bytes]]:
    """The list of bytes, or list of lists of bytes, that a pickle holds.

    Args:
        origin: where the pickle was found, for the message.

    Raises:
        SampleError: `bad-part`, when it holds anything else or is damaged.
    """
    try:
        return _checked(_Unpickling(data).value(), size=len(data))
    except (ValueError, struct.error) as error:
        raise SampleError(
            f"{origin}: {error}; a pickled list of bytes, or a list of lists of bytes, was expected; "
            "write the shard again, and do not unpickle it by other means",
            "bad-part",
        ) from error


class _Pieces(list[bytes]):
    """A file that keeps what is written to it, piece by piece: a picture of 64 KB or more is kept, not copied."""

    write = list.append


def _dump(value: list[Any]) -> list[bytes]:
    pieces = _Pieces()
    pickler = pickle.Pickler(pieces, _PROTOCOL)
    # Without the memo, two equal pictures are written alike whether or not they are one object in memory.
    pickler.fast = True
    pickler.dump(value)
    return pieces


class _Unpickling:
    """One pass over the opcodes of a pickle."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._values = 0
        self._lists = 0

    def value(self) -> Any:
        """What the opcodes build.

        Raises:
            ValueError, struct.error: they are others, or too many, or cut off.
        """
        while (opcode := self._number(_BYTE)) != _STOP:
            if form := _BYTES.get(opcode):
                self._push(self._bytes(self._number(form)))
            elif opcode == _EMPTY_LIST:
                self._lists += 1
                if self._lists > _MOST_LISTS:
                    raise ValueError(f"more than {_MOST_LISTS} pickled lists")
                self._push([])
            elif opcode == _MARK_CODE:
                self._push(_MARK)
            elif opcode in (_APPEND, _APPENDS):
                self._append(1 if opcode == _APPEND else self._since_mark())
            else:
                self._bookkeeping(opcode)
        if len(self._stack) != 1 or self._at != len(self._data):
            raise ValueError("a pickle that ends too early, or too late")
        return self._stack[0]

    def _bookkeeping(self, opcode: int) -> None:
        """The opcodes that build nothing: the memo, and the marks of protocols."""
        if opcode == _MEMOIZE:
            self._store(len(self._memo))
        elif form := _FETCH.get(opcode):
            place = self._number(form)
            if place not in self._memo:
                raise ValueError(f"a reference to value {place}, which the pickle does not hold")
            self._push(self._memo[place])
        elif form := _STORE.get(opcode):
            self._store(self._number(form))
        elif opcode == _PROTO:
            if (protocol := self._number(_BYTE)) > _NEWEST_PROTOCOL:
                raise ValueError(f"pickle protocol {protocol}")
        elif opcode == _FRAME:
            if self._number(_EIGHT) > len(self._data) - self._at:
                raise ValueError("a pickle that is cut off")
        else:
            raise ValueError(f"the pickle operation {opcode:#04x}")

    def _number(self, form: struct.Struct) -> int:
        number: int = form.unpack_from(self._data, self._at)[0]
        self._at += form.size
        return number

    def _bytes(self, length: int) -> bytes:
        begin, end = self._at, self._at + length
        if end > len(self._data):
            raise ValueError("a pickle that is cut off")
        self._at = end
        return self._data[begin:end]

    def _push(self, value: Any) -> None:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES} pickled values")
        self._stack.append(value)

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise ValueError("a pickle operation without its value")
        return self._stack[-1]

    def _store(self, place: int) -> None:
        self._memo[place] = self._top()
        if len(self._memo) > self._values or place > _MOST_VALUES:
            raise ValueError("a pickle that remembers more than it holds")

    def _since_mark(self) -> int:
        """How many values lie above the last mark, which is taken away."""
        for count, value in enumerate(reversed(self._stack)):
            if value is _MARK:
                del self._stack[-1 - count]
                return count
        raise ValueError("a pickle operation without its mark")

    def _append(self, count: int) -> None:
        """Move so many values from the top of the stack into the list below them."""
        if count == 0:
            self._top()
            return
        items = self._stack[-count:]
        del self._stack[-count:]
        if len(items) < count or any(item is _MARK for item in items):
            raise ValueError("a pickle operation without its value")
        below = self._top()
        if not isinstance(below, list):
            raise ValueError("pickled items of something else than a list")
        below.extend(items)


def _checked(value: Any, *, size: int) -> list[bytes] | list[list[bytes]]:
    """`value` when it is a flat or a nested list of bytes, and no more of them than a pickle of that size may hold.

    Lists and pictures may be shared inside a pickle, so a small file could otherwise stand for billions of them.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, list):
        raise ValueError("pickled bytes that are in no list")
    lists = [item for item in value if isinstance(item, list)]
    if lists and len(lists) < len(value):
        raise ValueError("lists beside something else")
    if sum(map(len, lists)) > size:
        raise ValueError("more items than its size has room for")
    items = [item for one in lists for item in one] if lists else value
    if not all(isinstance(item, bytes) for item in items):
        raise ValueError("lists of something else than bytes")
    if sum(map(len, items)) > _MOST_REPEATED * size:
        raise ValueError(f"pictures that are repeated to more than {_MOST_REPEATED} times its size")
    return value
