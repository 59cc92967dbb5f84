"""Showing: a picture that browsers do not show, made anew as one that they do; it runs in a worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PNG_HEAD = b"\x89PNG"


@dataclass(frozen=True)
class Picture:
    """A picture of any format that is read here."""

    name: str
    path: Path | None
    #: What it holds, where it is no file of its own.
    data: bytes

    def __str__(self) -> str:
        return self.name


def as_shown(picture: Picture) -> tuple[bytes, str]:
    """The picture as JPEG or PNG, upright and as RGB, and which of them it is.

    Raises:
        MediaError: `unreadable-image`.
    """
    from mm2energon.images.library import encode_anew

    data = None if picture.path is not None else picture.data
    made = encode_anew(picture.path or Path(picture.name), origin=picture.name, min_side=1, data=data)
    return made, "image/png" if made.startswith(_PNG_HEAD) else "image/jpeg"
