"""JPEG: one frame to the bytes of a JFIF file: full-range BT.601 YCbCr, with 4:2:0 chroma."""

from __future__ import annotations

import numpy as np
import simplejpeg

from mm2energon.video.picture import Picture, Pixels, resize


def encode_picture(picture: Picture, size: tuple[int, int], *, quality: int) -> bytes:
    """The JPEG of a decoded frame at `size` (width, height).

    Args:
        quality: 1 to 100, as libjpeg counts it.
    """
    planes = picture.planes() if size == picture.size else None
    if planes is None:
        return encode_jpeg(resize(picture.pixels(), size), quality=quality)
    return bytes(simplejpeg.encode_jpeg_yuv_planes(*planes, quality=quality, fastdct=False))


def encode_jpeg(frame: Pixels, *, quality: int) -> bytes:
    """The JPEG of a frame.

    Args:
        frame: uint8, height x width x 3, RGB.
        quality: 1 to 100, as libjpeg counts it.
    """
    data = simplejpeg.encode_jpeg(
        np.ascontiguousarray(frame), quality=quality, colorspace="RGB", colorsubsampling="420", fastdct=False
    )
    return bytes(data)
