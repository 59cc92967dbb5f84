"""Pictures of a survey: their size, a small copy to be looked at, and what near copies of them are known by."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from mm2energon.images.library import decode_small
from mm2energon.pipeline.record_content import digest

#: Pixels along the longer side of a picture that is looked at, and of one that is shown.
_LOOKED_AT, _SHOWN = 64, 320
_JPEG_QUALITY = 72
#: Cells along a side of what a picture is known by.
_CELLS, _COLOUR_CELLS = 8, 4
#: Grey levels by which a cell is brighter than its neighbour at least; less is noise of an encoder.
_BRIGHTER = 2
PRINT_BYTES = 2 * _CELLS * _CELLS // 8 + 3 * _COLOUR_CELLS**2


class Looked(NamedTuple):
    """What is known of one picture."""

    width: int
    height: int
    file_bytes: int
    #: Of its bytes.
    digest: bytes
    #: Where it grows brighter (16 bytes), and its colours in a grid of 4 x 4 (48 bytes); nearly the same for pictures
    #: that look nearly the same.
    print: bytes


def look_at_picture(data: bytes) -> Looked:
    """What is known of an encoded picture.

    Raises:
        ValueError: it cannot be decoded.
    """
    small, (width, height) = decode_small(data, side=_LOOKED_AT)
    return Looked(width, height, len(data), digest([data]), print_of(small))


def thumbnail(data: bytes, *, side: int = _SHOWN) -> bytes:
    """A small JPEG of an encoded picture.

    Raises:
        ValueError: it cannot be decoded.
    """
    small, _ = decode_small(data, side=side)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def print_of(picture: Image.Image) -> bytes:
    """What a picture and its near copies (scaled, encoded anew) are known by.

    The bits are those of a difference hash (dHash), to the right and downwards.
    """
    grey = picture.convert("L")
    right = _cells(grey, _CELLS + 1, _CELLS)
    down = _cells(grey, _CELLS, _CELLS + 1)
    bits = np.concatenate([(np.diff(right, axis=1) > _BRIGHTER).ravel(), (np.diff(down, axis=0) > _BRIGHTER).ravel()])
    colours = picture.resize((_COLOUR_CELLS, _COLOUR_CELLS), Image.Resampling.BOX).tobytes()
    return np.packbits(bits).tobytes() + colours


def _cells(grey: Image.Image, across: int, down: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.asarray(grey.resize((across, down), Image.Resampling.BOX)).astype(np.int16)
