"""Picture: a decoded frame made into upright RGB pixels of the wanted size."""

from __future__ import annotations

from math import floor, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Sides of a frame that is made smaller are multiples of this: patch 14 times merge 2 of Qwen2-VL and Qwen2.5-VL.
SIZE_FACTOR = 28

#: Matrix of a YCbCr frame (ITU-T H.273 code) -> swscale's number for its coefficients. What a file does not say is
#: BT.601, whatever the size: so decide ffmpeg and the loaders that models are trained and served with.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_BT601 = 5
_RGB_MATRIX = 0

#: Signs of a display matrix: (a, b, c, d), a point (x, y) goes to (a x + c y, b x + d y).
Orientation = tuple[int, int, int, int]
UPRIGHT: Orientation = (1, 0, 0, 1)


def to_rgb(frame: Any, reformatter: Any) -> NDArray[np.uint8]:
    """The frame as RGB, uint8 height x width x 3, full range.

    The source's own matrix and range are undone, whatever its bit depth and chroma; alpha is dropped. Transfer curves
    are left alone: HDR is not tone-mapped. The sample aspect ratio is not applied: pixels stay as they were coded.

    Args:
        frame: an `av.VideoFrame`.
        reformatter: a `VideoReformatter`, kept from frame to frame.
    """
    matrix = None if frame.colorspace == _RGB_MATRIX else _MATRICES.get(frame.colorspace, _BT601)
    converted = reformatter.reformat(
        frame,
        format="rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        interpolation="BICUBIC",
        dst_color_range="JPEG",
        threads=1,
    )
    pixels: NDArray[np.uint8] = converted.to_ndarray()
    return pixels


def read_orientation(frame: Any) -> Orientation:
    """How the frame is to be turned, from its display matrix, to the nearest quarter turn."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(data), dtype=np.int32)[:5].tolist()
            if max(abs(a), abs(d)) >= max(abs(b), abs(c)):
                return (_sign(a), 0, 0, _sign(d))
            return (0, _sign(b), _sign(c), 0)
    return UPRIGHT


def turn(pixels: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    """The pixels turned and mirrored as `orientation` says."""
    a, b, c, d = orientation
    turned: NDArray[np.uint8] = pixels[::d, ::a] if a else pixels.transpose(1, 0, 2)[::b, ::c]
    return turned


def fit_pixels(width: int, height: int, max_pixels: int | None) -> tuple[int, int]:
    """Width and height for a frame: as they are, or brought under `max_pixels` by Qwen's smart resize.

    The sides keep their ratio as nearly as multiples of `SIZE_FACTOR` allow, and are at least one factor long.
    The rule: `smart_resize` of qwen-vl-utils, where there are too many pixels.
    """
    if max_pixels is None or width * height <= max_pixels:
        return width, height
    fitted = (_side(round(width / SIZE_FACTOR)), _side(round(height / SIZE_FACTOR)))
    if fitted[0] * fitted[1] > max_pixels:
        factors = SIZE_FACTOR * sqrt(width * height / max_pixels)
        fitted = (_side(floor(width / factors)), _side(floor(height / factors)))
    # A very long picture has its short side lifted to one factor; the long side then gives way.
    if fitted[0] * fitted[1] > max_pixels:
        longest = _side(max_pixels // SIZE_FACTOR**2)
        return (min(fitted[0], longest), min(fitted[1], longest))
    return fitted


def resize(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels at (width, height), filtered so that a downscale does not alias."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    resized = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8)


def _side(factors: int) -> int:
    return max(factors, 1) * SIZE_FACTOR


def _sign(value: int) -> int:
    return -1 if value < 0 else 1
