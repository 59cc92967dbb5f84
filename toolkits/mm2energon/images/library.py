"""Images opened by Pillow: the general way, for every kind of file."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from PIL import Image, UnidentifiedImageError

from mm2energon.images.facts import END_BYTES, ImageFacts, checksum_of_ends, unreadable
from mm2energon.rules import MAX_PIXELS

_PASSED_THROUGH = frozenset({"JPEG", "MPO", "PNG", "WEBP"})
#: Formats that are opened at all: some others of Pillow's start programs, or are no pictures.
_OPENED = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF")
_EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
_ORIENTATION_TAG = 0x0112
#: Orientation -> what turns the picture upright (Exif 2.32, 4.6.4).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDES_SWAPPED = frozenset({5, 6, 7, 8})
_JPEG_QUALITY = 95
#: Pixels of a side that JPEG's encoders go up to (libjpeg's JPEG_MAX_DIMENSION; the format itself: 65535).
_JPEG_SIDE = 65_500
#: What Pillow raises on damaged files, besides its own errors (which are OSErrors).
_FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    AssertionError,
    struct.error,
    Image.DecompressionBombError,
)
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
#: Chunks of a PNG that may tell its orientation.
_PNG_TEXTS = frozenset({b"eXIf", b"iTXt", b"tEXt", b"zTXt"})


def open_facts(path: Path, *, origin: str, decode: bool) -> ImageFacts:
    """Size and kind of an image, from its header and its end.

    Args:
        decode: decode the whole picture as well, which alone finds a fault in the middle.

    Raises:
        MediaError: `unreadable-image`.
    """
    with _opened(path, origin=origin) as (image, file):
        _check_kind(image, path, origin)
        if decode or not _ends_well(file, str(image.format)):
            _load(image, path, origin)
        orientation = _orientation(image, file)  # after decoding, for a TIFF that is decoded stands upright
        width, height = image.size
        if orientation in _SIDES_SWAPPED:
            width, height = height, width
        as_is = image.format in _PASSED_THROUGH and image.mode in _EIGHT_BIT_MODES and orientation == 1
        size = file.seek(0, io.SEEK_END)
        return ImageFacts(width=width, height=height, file_bytes=size, as_is=as_is, checksum=_checksum(file, size))


def encode_anew(path: Path, *, origin: str, min_side: int, data: bytes | None = None) -> bytes:
    """A new encoding of an image, upright and as RGB.

    Args:
        data: what the file holds, where it is no file of its own.
        min_side: pixels that both sides must have; a smaller picture is enlarged, its aspect kept.

    Raises:
        MediaError: `unreadable-image`.
    """
    return _encoded(path, data, origin=origin, change=lambda picture: _enlarged(picture, min_side))


def encode_smaller(path: Path, *, origin: str, size: tuple[int, int]) -> bytes:
    """An encoding of an image with fewer pixels, upright and as RGB.

    Args:
        size: (width, height) in pixels.

    Raises:
        MediaError: `unreadable-image`.
    """
    return _encoded(path, None, origin=origin, change=lambda picture: picture.resize(size, Image.Resampling.LANCZOS))


def _encoded(path: Path, data: bytes | None, *, origin: str, change: Callable[[Image.Image], Image.Image]) -> bytes:
    with _opened(path, origin=origin, data=data) as (image, file):
        _check_kind(image, path, origin)
        _load(image, path, origin)
        keep_jpeg = image.format in ("JPEG", "MPO")
        orientation = _orientation(image, file)
        upright = image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image
        picture = change(_as_rgb(upright))
    keep_jpeg = keep_jpeg and max(picture.size) <= _JPEG_SIDE  # a thin one that is enlarged may become too long for it
    buffer = io.BytesIO()
    if keep_jpeg:
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def decode(data: bytes) -> Image.Image:
    """An encoded picture as RGB, as it lies, which is how readers of shards see it.

    Raises:
        ValueError: it cannot be decoded, or is larger than any reader takes.
    """
    with _decoding(data) as image:
        rgb: Image.Image = image.convert("RGB")
        return rgb


def decode_small(data: bytes, *, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """A picture as `decode` gives it, made to fit a square of that side, and the size that it has in pixels.

    A large JPEG, decoded at an eighth of its sides, takes a third of the time.

    Raises:
        ValueError: as `decode`.
    """
    with _decoding(data) as image:
        size = image.size
        image.draft("RGB", (side, side))
        small = image if image.mode == "RGB" else image.convert("RGB")  # which copies all of its pixels
        small.thumbnail((side, side))
        return small.convert("RGB"), size


@contextlib.contextmanager
def _decoding(data: bytes) -> Iterator[Image.Image]:
    """An encoded picture, not decoded yet; whatever goes wrong with it is a ValueError."""
    Image.init()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_known_formats()) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(f"{image.width}x{image.height} pixels, where {MAX_PIXELS} are the limit")
                yield image
    except UnidentifiedImageError as error:  # which names the place in memory
        raise ValueError("no image format that is known here") from error
    except _FAULTS as error:
        raise ValueError(str(error)) from error


def _known_formats() -> list[str]:
    return [name for name in _OPENED if name in Image.OPEN]  # an older Pillow has no AVIF


@contextlib.contextmanager
def _opened(path: Path, *, origin: str, data: bytes | None = None) -> Iterator[tuple[Image.Image, IO[bytes]]]:
    """The picture, not decoded yet, and a file of its own to look at its bytes."""
    Image.init()
    formats = _known_formats()
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # of Pillow's warnings, those that matter are errors of ours
        try:
            file: IO[bytes] = stack.enter_context(path.open("rb") if data is None else io.BytesIO(data))
            image = stack.enter_context(Image.open(path if data is None else io.BytesIO(data), formats=formats))
        except UnidentifiedImageError as error:
            raise unreadable(path, origin, "no image format that is known here") from error
        except _FAULTS as error:
            raise unreadable(path, origin, str(error)) from error
        yield image, file


def _check_kind(image: Image.Image, path: Path, origin: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise unreadable(path, origin, f"{width}x{height} pixels, where {MAX_PIXELS} are the limit")
    # Older Pillows open the 16 bits of a PNG as mode I, whose white is known.
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise unreadable(path, origin, f"pixels of mode {image.mode}, whose white is not known")


def _load(image: Image.Image, path: Path, origin: str) -> None:
    try:
        image.load()
    except _FAULTS as error:
        raise unreadable(path, origin, str(error)) from error


def _orientation(image: Image.Image, file: IO[bytes]) -> int:
    """The EXIF orientation, 1 to 8; 1 when there is none, or none that makes sense."""
    if image.format == "TIFF":
        return 1  # Pillow turned it when it was decoded; some versions leave the tag as it was
    try:
        # Pillow's own way with a PNG decodes the whole picture, to look behind it.
        in_header = image.format == "PNG" and not _tells_late(file)
        exif = Image.Image.getexif(image) if in_header else image.getexif()
        value: Any = exif.get(_ORIENTATION_TAG, 1)
    except _FAULTS:
        return 1  # damaged EXIF in a sound picture, which readers show as it lies
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _as_rgb(image: Image.Image) -> Image.Image:
    """As RGB of 8 bits; pictures of 16 bits are scaled, which Pillow's own conversion does not do."""
    if image.mode.startswith("I"):
        import numpy  # 0.05 s to import, and few pictures have 16 bits

        wide = numpy.asarray(image.convert("I"), dtype=numpy.float64)
        return Image.fromarray(numpy.round(wide / 257).clip(0, 255).astype(numpy.uint8)).convert("RGB")
    return image.convert("RGB")


def _checksum(file: IO[bytes], size: int) -> int:
    file.seek(0)
    head = file.read(END_BYTES)
    file.seek(max(0, size - END_BYTES))
    return checksum_of_ends(head, file.read(END_BYTES))


def _enlarged(image: Image.Image, min_side: int) -> Image.Image:
    scale = min_side / min(image.size)
    if scale <= 1:
        return image
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)


def _ends_well(file: IO[bytes], kind: str) -> bool:
    """Whether the end of a JPEG, PNG or WebP is there: a download that was cut off has a good header."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if kind == "WEBP":
        return size >= int.from_bytes(file.read(8)[4:], "little") + 8
    if kind == "PNG":
        return any(name == b"IEND" for name, _ in _png_chunks(file))
    if kind not in ("JPEG", "MPO"):
        return False  # to be decoded anyway; what is decoded now need not fail later
    scan = _jpeg_scan(file)
    file.seek(max(scan, size - (1 << 16)))  # some writers leave bytes behind the end
    return b"\xff\xd9" in file.read()


def _jpeg_scan(file: IO[bytes]) -> int:
    """Where the coded picture of a JPEG begins: behind its header, where a thumbnail may have an end of its own."""
    at = 2
    while True:
        file.seek(at)
        marker = file.read(4)
        if len(marker) < 4 or marker[0] != 0xFF or marker[1] == 0xDA:
            return at
        at += 1 if marker[1] == 0xFF else 2 + int.from_bytes(marker[2:], "big")  # 0xFF may be repeated before a marker


def _tells_late(file: IO[bytes]) -> bool:
    """Whether a PNG holds, behind its pixels, a chunk that may tell its orientation."""
    names = [name for name, _ in _png_chunks(file)]
    return b"IDAT" in names and not _PNG_TEXTS.isdisjoint(names[names.index(b"IDAT") :])


def _png_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """The names and sizes of the chunks of a PNG that are there as a whole."""
    size = file.seek(0, io.SEEK_END)
    at = len(_PNG_HEAD)
    while at + 12 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        at += 12 + length
        if at > size:
            return
        yield name, length
