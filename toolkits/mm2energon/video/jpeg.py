"""JPEG: one frame to the bytes of a JFIF file: full-range BT.601 YCbCr, with 4:2:0 chroma."""

from __future__ import annotations

import numpy as np
import simplejpeg

from mm2energon.video.picture import Pixels, Planes


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


def encode_planes(planes: Planes, *, quality: int) -> bytes:
    """The JPEG of planes that are what a JPEG stores.

    Args:
        planes: Y, Cb, Cr, each uint8, height x width, full range, BT.601, chroma of half the size both ways.
        quality: 1 to 100, as libjpeg counts it.
    """
    return bytes(simplejpeg.encode_jpeg_yuv_planes(*planes, quality=quality, fastdct=False))
