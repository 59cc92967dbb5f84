"""Images: what their header says, and the bytes that go into a shard.

A file that every reader decodes right (JPEG, PNG or WebP of 8 bits, upright) passes byte for byte; any other is decoded and
stored anew, as RGB: JPEG stays JPEG, everything else becomes PNG, which loses nothing.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from mm2energon.errors import MediaError

_PASSED_THROUGH = frozenset({"JPEG", "MPO", "PNG", "WEBP"})
_EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
_ORIENTATION_TAG = 0x0112
_SIDES_SWAPPED = frozenset({5, 6, 7, 8})
#: Pixels above which a picture is taken for a decompression bomb.
MAX_PIXELS = 200_000_000
_JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of an image from its header; sizes in pixels, upright."""

    width: int
    height: int
    file_bytes: int
    #: False when the file must be decoded and stored anew.
    as_is: bool


def read_facts(path: Path, *, origin: str, decode: bool = False) -> ImageFacts:
    """Size and kind of an image, from its header and its end.

    Args:
        decode: decode the whole picture as well, which alone finds a fault in the middle.

    Raises:
        MediaError: `unreadable-image`.
    """
    size = path.stat().st_size
    with _opened(path, origin=origin) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise _unreadable(path, origin, f"{width}x{height} pixels; at most {MAX_PIXELS} are accepted")
        orientation = _orientation(image)
        if orientation in _SIDES_SWAPPED:
            width, height = height, width
        as_is = image.format in _PASSED_THROUGH and image.mode in _EIGHT_BIT_MODES and orientation == 1
        if not _ends_well(path, size, str(image.format)):
            raise _unreadable(path, origin, "the file is cut off")
        if decode:
            _load(image, path, origin)
    return ImageFacts(width=width, height=height, file_bytes=size, as_is=as_is)


def read_bytes(path: Path, *, facts: ImageFacts, origin: str, min_side: int = 1) -> bytes:
    """The bytes to store for an image: its own, or a new encoding as RGB.

    Args:
        min_side: pixels that both sides must have; a smaller picture is enlarged, its aspect kept.

    Raises:
        MediaError: `unreadable-image`.
    """
    if facts.as_is and min(facts.width, facts.height) >= min_side:
        return path.read_bytes()
    with _opened(path, origin=origin) as image:
        keep_jpeg = image.format in ("JPEG", "MPO")
        _load(image, path, origin)
        picture = _as_rgb(ImageOps.exif_transpose(image))
    scale = min_side / min(picture.size)
    if scale > 1:
        grown = (math.ceil(picture.width * scale), math.ceil(picture.height * scale))
        picture = picture.resize(grown, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    if keep_jpeg:
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def _opened(path: Path, *, origin: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns of is refused above, by our own limit
            return Image.open(path)
    except UnidentifiedImageError as error:
        raise _unreadable(path, origin, "no image format that Pillow knows") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, origin, str(error)) from error


def _load(image: Image.Image, path: Path, origin: str) -> None:
    try:
        image.load()
    except (OSError, ValueError, SyntaxError, struct.error, IndexError, Image.DecompressionBombError) as error:
        raise _unreadable(path, origin, str(error)) from error


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 when there is none, or none that makes sense."""
    try:
        value: Any = image.getexif().get(_ORIENTATION_TAG, 1)
    except (OSError, ValueError, SyntaxError, struct.error):
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _as_rgb(image: Image.Image) -> Image.Image:
    """As RGB of 8 bits; pictures of 16 bits are scaled, which Pillow's own conversion does not do."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value / 257).convert("L").convert("RGB")
    return image.convert("RGB")


def _ends_well(path: Path, size: int, kind: str) -> bool:
    """Whether the end of a JPEG, PNG or WebP is there: a download that was cut off has a good header."""
    with path.open("rb") as file:
        if kind == "WEBP":
            return size >= int.from_bytes(file.read(8)[4:], "little") + 8
        if kind not in ("JPEG", "MPO", "PNG"):
            return True
        file.seek(max(0, size - (1 << 16)))
        tail = file.read()
    return (b"IEND" if kind == "PNG" else b"\xff\xd9") in tail  # some writers leave bytes behind the end


def _unreadable(path: Path, origin: str, why: str) -> MediaError:
    return MediaError(
        f"{origin}: {path.name} cannot be used as an image ({why}); replace the file or take the entry out",
        "unreadable-image",
    )
