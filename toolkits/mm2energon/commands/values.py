"""Values of options: what a person writes, and the numbers and paths that it means."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_LEAST_VIDEO_MEMORY_BYTES = 512 << 20
_MOST = 1e15


def _number(text: str) -> float:
    """A number; NaN, which is in no range, for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def seconds(text: str) -> float:
    """A number of seconds from 0 up."""
    number = _number(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 up")
    return number


def positive(text: str) -> float:
    """A number above 0."""
    number = _number(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def share(text: str) -> float:
    """A number from 0 to 1."""
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return number


def count(text: str) -> int:
    """A whole number from 1 up; `1e4` is one."""
    number = _number(text)
    if not 1 <= number <= _MOST or number != int(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(number)


def count_or_none(text: str) -> int:
    """A whole number from 0 up."""
    if text.strip() == "0":
        return 0
    try:
        return count(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 up") from None


def size(text: str) -> int:
    """A number of bytes: `500000000`, `500M`, `2G` (powers of 1024)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    number = round(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; 500000000, 500M or 2G was expected")
    return number


def memory(text: str) -> int:
    """A size that leaves room for a worker itself."""
    number = size(text)
    if number < _LEAST_VIDEO_MEMORY_BYTES:
        raise argparse.ArgumentTypeError(f"{text!r} is too little for a worker to start in; 512M or more was expected")
    return number


def plain(path: Path) -> Path:
    """A path that is absolute and without `..`; the last part stays as it is, a link perhaps."""
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
