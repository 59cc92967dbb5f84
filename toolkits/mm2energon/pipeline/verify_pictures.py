"""Two pictures compared: the one that a shard holds, and the one that its source gives."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops, ImageStat

from mm2energon.images.library import decode

#: Mean difference of the colour values, of 255, up to which a picture is the other one, encoded anew.
_NEAR = 4.0
#: And of no part of it (a sixteenth of its sides) more than this: a picture pasted into another is found by it.
_NEAR_IN_PARTS = 32
_PARTS = 16
#: How much nearer (as a factor, and in values) the swapped colours have to be.
_TIMES, _CLEARLY = 1.5, 0.25


def difference(stored: bytes, source: bytes, *, exact: bool) -> str:
    """What a stored picture has that its source has not; empty when it is the same.

    Args:
        exact: the very bytes were expected; else pixels that are nearly the same will do.
    """
    if stored == source:
        return ""
    try:
        one, other = decode(stored), decode(source)
    except ValueError as error:
        return f"cannot be decoded ({error})"
    if one.size != other.size:
        return f"has {one.width}x{one.height} pixels, its source {other.width}x{other.height}"
    same, swapped = _mean(one, other), _mean(Image.merge("RGB", one.split()[::-1]), other)
    if swapped <= _NEAR and same > swapped * _TIMES + _CLEARLY:
        return "has red and blue swapped"
    if same > _NEAR or _most_in_parts(one, other) > _NEAR_IN_PARTS:
        return "is another picture than its source"
    return "was encoded anew; the bytes of its source were expected" if exact else ""


def differences(kind: str, stored: Sequence[bytes], source: Sequence[bytes], exact: Sequence[bool]) -> list[str]:
    """What is different of the first of several pictures that is different, and in how many."""
    if len(stored) != len(source):
        return [f"{len(stored)} {kind}s, where its source has {len(source)}"]
    found = [
        (number, what)
        for number, (one, other, is_exact) in enumerate(zip(stored, source, exact, strict=True))
        if (what := difference(one, other, exact=is_exact))
    ]
    more = f" ({len(found)} of {len(stored)} {kind}s differ)" if len(found) > 1 else ""
    return [f"{kind} {number} {what}{more}" for number, what in found[:1]]


def _mean(one: Image.Image, other: Image.Image) -> float:
    return float(sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3)


def _most_in_parts(one: Image.Image, other: Image.Image) -> int:
    parts = ImageChops.difference(one, other).resize((_PARTS, _PARTS), Image.Resampling.BOX)
    return max(most for _, most in parts.getextrema())  # type: ignore[misc]
