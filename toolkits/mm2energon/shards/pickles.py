"""Parts that are lists of pictures: written as plain pickles, and read without the pickle machine.

Readers such as Pai-Megatron-Patch and Megatron-Bridge unpickle `jpgs` and `videos`. What is written here is lists and
bytes and nothing else, so that restricted unpicklers load it. Reading goes through the opcodes one by one
(https://docs.python.org/3/library/pickletools.html) and knows those of lists and bytes alone: a hostile file can
neither name a function nor make room for more than it holds.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Sequence
from typing import Any

from mm2energon.errors import SampleError

#: Protocol 4 holds bytes of any size, and every reader's Python knows it.
_PROTOCOL = 4
_BYTES = frozenset({"SHORT_BINBYTES", "BINBYTES", "BINBYTES8"})
_STORE = frozenset({"BINPUT", "LONG_BINPUT"})
_FETCH = frozenset({"BINGET", "LONG_BINGET"})
_MARK = object()


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
        return _checked(_run(data), limit=len(data))
    except (ValueError, LookupError, TypeError) as error:
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


def _run(data: bytes) -> Any:
    """The value that the opcodes of lists and bytes build.

    Raises:
        ValueError, LookupError, TypeError: another opcode, or a damaged pickle.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    argument: Any
    for opcode, argument, _ in pickletools.genops(data):
        name = opcode.name
        if name in _BYTES:
            stack.append(argument)
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("APPEND", "APPENDS"):
            _append(stack, last_only=name == "APPEND")
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in _STORE:
            memo[argument] = stack[-1]
        elif name in _FETCH:
            stack.append(memo[argument])
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise ValueError(f"the pickle operation {name}")
    return stack[-1]


def _append(stack: list[Any], *, last_only: bool) -> None:
    """Move the values on top of the stack into the list below them."""
    items: list[Any] = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
        if last_only:
            break
    if not isinstance(stack[-1], list):
        raise TypeError(f"items for a {type(stack[-1]).__name__}")
    stack[-1].extend(reversed(items))


def _checked(value: Any, *, limit: int) -> list[bytes] | list[list[bytes]]:
    """`value` when it is a flat or a nested list of bytes of at most `limit` items.

    Lists may be shared inside a pickle, so a small file could otherwise stand for billions of pictures.

    Raises:
        TypeError, ValueError: it is not.
    """
    if not isinstance(value, list):
        raise TypeError(f"the pickled {type(value).__name__}")
    if all(isinstance(item, bytes) for item in value):
        return value
    if not all(isinstance(item, list) for item in value):
        raise TypeError("lists beside something else")
    if sum(len(item) for item in value) > limit:
        raise ValueError("more items than its size has room for")
    if not all(isinstance(inner, bytes) for item in value for inner in item):
        raise TypeError("lists of something else than bytes")
    return value
