"""Units of work and their outcomes as JSON, so that one machine can plan them and any other run them.

What they are read back as is what the step itself says that it takes and gives: nothing in the text names code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from mm2energon.errors import MediaError, SampleError

#: Written out where `to_json` could not write UTF-8.
_HALF_PAIR = re.compile(rb"\\ud[89a-f]", re.IGNORECASE)


def to_json(value: Any) -> bytes:
    """A unit, or what a step made of it, on one line."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:  # half of a surrogate pair, as in the name of a file that is not UTF-8
        return json.dumps(msgspec.to_builtins(value, enc_hook=_plain)).encode()


def unit_from_json(text: bytes, step: Callable[[Any], Any]) -> Any:
    """A unit of that step.

    Raises:
        ValueError: the text is none.
    """
    return _read(text, _kinds(step)[0])


def result_from_json(text: bytes, step: Callable[[Any], Any]) -> Any:
    """What that step made of a unit.

    Raises:
        ValueError: the text is no such thing.
    """
    return _read(text, _kinds(step)[1])


def error_from_json(text: bytes) -> SampleError:
    """The error that a step set its unit aside with.

    Raises:
        ValueError: the text is none.
    """
    error: SampleError = _read(text, SampleError)
    return error


@lru_cache
def _kinds(step: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What a step takes, and what it gives."""
    hints = get_type_hints(step)
    return next(kind for name, kind in hints.items() if name != "return"), hints["return"]


@lru_cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_typed)


def _read(text: bytes, kind: Any) -> Any:
    try:
        if _HALF_PAIR.search(text):
            return msgspec.convert(json.loads(text), type=kind, dec_hook=_typed, builtin_types=())
        return _decoder(kind).decode(text)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, SampleError):
        return {"message": str(value), "code": value.code, "is_of_media": isinstance(value, MediaError)}
    if isinstance(value, range):
        return list(value)
    raise NotImplementedError(f"{type(value).__name__} is not carried")


def _typed(kind: type, value: Any) -> Any:
    if issubclass(kind, Path):
        return Path(value)
    if issubclass(kind, SampleError):
        return (MediaError if value["is_of_media"] else SampleError)(value["message"], value["code"])
    raise NotImplementedError(f"{kind.__name__} is not carried")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
