"""JPEG: one frame to the bytes of a JFIF file."""

from __future__ import annotations

import numpy as np
import simplejpeg
from numpy.typing import NDArray


def encode_jpeg(frame: NDArray[np.uint8], *, quality: int) -> bytes:
    """The JPEG of a frame: full-range BT.601 YCbCr, which is what JFIF means, with 4:2:0 chroma.

    Args:
        frame: uint8, height x width x 3, RGB.
        quality: 1 to 100, as libjpeg counts it.
    """
    data = simplejpeg.encode_jpeg(
        np.ascontiguousarray(frame), quality=quality, colorspace="RGB", colorsubsampling="420", fastdct=False
    )
    return bytes(data)
