"""Images: what their header says, and the bytes that go into a shard.

A file that every reader decodes right (JPEG, PNG or WebP of 8 bits, upright) passes byte for byte; any other is decoded
and stored anew, as RGB: JPEG stays JPEG, everything else becomes PNG, which loses nothing.

facts    what is known of an image
plain    plain pictures, which most images are, known by two short reads
jpeg     what their headers say: of a JPEG
png      and of a PNG
library  all other images, opened by Pillow

text_font and text_pages go the other way: a long text is drawn on pictures.
"""

from __future__ import annotations

import os
from pathlib import Path

from mm2energon.images.facts import ImageFacts, unreadable
from mm2energon.images.plain import plain_facts

__all__ = ["ImageFacts", "plain_facts", "read_bytes", "read_facts", "read_smaller"]


def read_facts(path: Path, *, origin: str, decode: bool = False) -> ImageFacts:
    """Size and kind of an image, from its header and its end.

    Args:
        decode: decode the whole picture as well, which alone finds a fault in the middle.

    Raises:
        MediaError: `unreadable-image`.
    """
    plain = None if decode else _plain(path)
    if plain is not None:
        return plain
    # Pillow and its plugins take 0.1 s to import, and most runs meet plain JPEGs alone.
    from mm2energon.images import library

    return library.open_facts(path, origin=origin, decode=decode)


def read_bytes(path: Path, *, facts: ImageFacts, origin: str, min_side: int = 1, data: bytes | None = None) -> bytes:
    """The bytes to store for an image: its own, or a new encoding as RGB.

    Args:
        data: what the file holds, where it is no file of its own.
        min_side: pixels that both sides must have; a smaller picture is enlarged, its aspect kept.

    Raises:
        MediaError: `unreadable-image`.
    """
    if facts.as_is and min(facts.width, facts.height) >= min_side:
        try:
            return path.read_bytes() if data is None else data
        except OSError as error:
            raise unreadable(path, origin, error.strerror or str(error)) from error
    from mm2energon.images import library

    return library.encode_anew(path, origin=origin, min_side=min_side, data=data)


def _plain(path: Path) -> ImageFacts | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError):
        return None
    try:
        return plain_facts(descriptor)
    finally:
        os.close(descriptor)


def read_smaller(path: Path, *, origin: str, size: tuple[int, int]) -> bytes:
    """An image with fewer pixels, encoded anew as RGB: JPEG stays JPEG, everything else becomes PNG.

    Args:
        size: (width, height) in pixels.

    Raises:
        MediaError: `unreadable-image`.
    """
    from mm2energon.images import library

    return library.encode_smaller(path, origin=origin, size=size)
