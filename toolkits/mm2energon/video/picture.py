"""Picture: a decoded frame made into upright RGB pixels of the wanted size."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, sqrt
from typing import Any, Protocol

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

#: Layouts of which a JPEG with 4:2:0 chroma can take the planes as they are.
_JPEG_LAYOUTS = frozenset({"yuv420p", "yuvj420p"})
#: FFmpeg's number for full range.
_FULL_RANGE = 2


def _stretched(zero: int, levels: int) -> bytes:
    """A look-up from limited to full range (ITU-T H.273, 8.3): `levels` codes around or above `zero` become 255."""
    offset = 0 if zero == 16 else zero
    return bytes(min(max(round((code - zero) * 255 / levels + offset), 0), 255) for code in range(256))


_LUMA_TO_FULL = _stretched(16, 219)
_CHROMA_TO_FULL = _stretched(128, 224)

#: Uint8 height x width x 3, RGB.
Pixels = NDArray[np.uint8]
#: Y, Cb, Cr: uint8, height x width, chroma of half the size both ways.
Planes = tuple[Pixels, Pixels, Pixels]

#: Signs of a display matrix: (a, b, c, d), a point (x, y) goes to (a x + c y, b x + d y).
Orientation = tuple[int, int, int, int]
UPRIGHT: Orientation = (1, 0, 0, 1)


class Picture(Protocol):
    """A frame as a decoder hands it over."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""

    def pixels(self) -> Pixels:
        """The frame as RGB, upright."""

    def planes(self) -> Planes | None:
        """The frame as a JPEG stores it, where that takes no more than a look-up; None: go by the pixels."""


@dataclass(frozen=True, slots=True)
class RgbPicture:
    """A frame from a decoder that hands over upright RGB."""

    rgb: Pixels

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    def pixels(self) -> Pixels:
        """The frame as RGB."""
        return self.rgb

    def planes(self) -> Planes | None:
        """None: they are mixed in the pixels."""
        return None


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """A frame as FFmpeg decoded it: an `av.VideoFrame`, how it is to be turned, and what converts it."""

    frame: Any
    orientation: Orientation
    reformatter: Any

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        width, height = self.frame.width, self.frame.height
        return (width, height) if self.orientation[0] else (height, width)

    def pixels(self) -> Pixels:
        """The frame as RGB, upright."""
        return turn(to_rgb(self.frame, self.reformatter), self.orientation)

    def planes(self) -> Planes | None:
        """The decoder's own planes, brought to full range.

        What this buys: 10 to 20 % of the time of an encoding by way of RGB, and a picture nearer to the source, since
        nothing is rounded twice and the chroma is not stretched and shrunk again. Only 8-bit 4:2:0 of BT.601 (or of an
        untold matrix, which stands for it) is what a JPEG holds; BT.709 planes in a JPEG would show wrong colours.
        """
        frame = self.frame
        kind = frame.format.name
        if self.orientation != UPRIGHT or kind not in _JPEG_LAYOUTS or _matrix(frame) != _BT601:
            return None
        luma, cb, cr = frame.planes[:3]
        if kind == "yuvj420p" or frame.color_range == _FULL_RANGE:
            return _samples(luma, None), _samples(cb, None), _samples(cr, None)
        return _samples(luma, _LUMA_TO_FULL), _samples(cb, _CHROMA_TO_FULL), _samples(cr, _CHROMA_TO_FULL)

    def limited(self) -> Any:
        """The frame as most videos are coded: YCbCr of 8 bits, 4:2:0, BT.601, limited range; not turned."""
        frame = self.frame
        is_full = frame.format.name.startswith("yuvj") or frame.color_range == _FULL_RANGE
        return self.reformatter.reformat(
            frame,
            format="yuv420p",
            src_colorspace=_matrix(frame),
            dst_colorspace=_BT601,
            interpolation="BICUBIC",
            src_color_range="JPEG" if is_full or _matrix(frame) is None else "MPEG",
            dst_color_range="MPEG",
            threads=1,
        )


def _samples(plane: Any, table: bytes | None) -> Pixels:
    """One plane as uint8, height x width, each sample looked up in `table`."""
    # bytes.translate looks up 3 GB/s; numpy's indexing half of that.
    data = plane if table is None else bytes(plane).translate(table)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def _matrix(frame: Any) -> int | None:
    return None if frame.colorspace == _RGB_MATRIX else _MATRICES.get(frame.colorspace, _BT601)


def to_rgb(frame: Any, reformatter: Any) -> Pixels:
    """The frame as RGB, uint8 height x width x 3, full range.

    The source's own matrix and range are undone, whatever its bit depth and chroma; alpha is dropped. Transfer curves
    are left alone: HDR is not tone-mapped. The sample aspect ratio is not applied: pixels stay as they were coded.

    Args:
        frame: an `av.VideoFrame`.
        reformatter: a `VideoReformatter`, kept from frame to frame.
    """
    matrix = _matrix(frame)
    converted = reformatter.reformat(
        frame,
        format="rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        interpolation="BICUBIC",
        dst_color_range="JPEG",
        threads=1,
    )
    pixels: Pixels = converted.to_ndarray()
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


def turn(pixels: Pixels, orientation: Orientation) -> Pixels:
    """The pixels turned and mirrored as `orientation` says."""
    a, b, c, d = orientation
    turned: Pixels = pixels[::d, ::a] if a else pixels.transpose(1, 0, 2)[::b, ::c]
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


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The pixels at (width, height), filtered so that a downscale does not alias."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    resized = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8)


def _side(factors: int) -> int:
    return max(factors, 1) * SIZE_FACTOR


def _sign(value: int) -> int:
    return -1 if value < 0 else 1
