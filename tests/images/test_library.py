"""Image bytes pass as they are wherever a reader decodes them right, and what is stored anew shows the same picture."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import draw_colours, draw_number, read_number
from mm2energon.errors import MediaError
from mm2energon.images import ImageFacts, read_bytes, read_facts
from PIL import Image, ImageFile, ImageOps

SIZE = (53, 37)
COLOURS = Image.fromarray(draw_colours(3, SIZE))
NUMBERED = Image.fromarray(draw_number(77, (64, 48)))


def save(path: Path, image: Image.Image, kind: str, **options: Any) -> Path:
    image.save(path, kind, **options)
    return path


def oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def stored(path: Path, **options: Any) -> tuple[ImageFacts, bytes]:
    facts = read_facts(path, origin="o")
    assert read_facts(path, origin="o", decode=True) == facts
    return facts, read_bytes(path, facts=facts, origin="o", **options)


def pixels(data: bytes | Path | Image.Image) -> Any:
    """As the readers see it: opened by Pillow, converted to RGB."""
    image = data if isinstance(data, Image.Image) else Image.open(io.BytesIO(data) if isinstance(data, bytes) else data)
    return np.asarray(image.convert("RGB")).astype(int)


def refused(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        read_facts(path, origin="train.json[3]")
    assert caught.value.code == "unreadable-image"
    message = str(caught.value)
    assert message.startswith(f"train.json[3]: {path.name} cannot be used (")
    assert "; an image was expected; " in message
    return message


def transparent() -> Image.Image:
    image = COLOURS.convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.arange(SIZE[0], dtype=np.uint8), (SIZE[1], 1))))
    return image


PASSED: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
    "JPEG": (COLOURS, "JPEG", {}),
    "JPEG, progressive": (COLOURS, "JPEG", {"progressive": True}),
    "JPEG, gray": (COLOURS.convert("L"), "JPEG", {}),
    "JPEG, CMYK": (COLOURS.convert("CMYK"), "JPEG", {}),
    "JPEG, upright by its EXIF": (COLOURS, "JPEG", {"exif": oriented(1)}),
    "JPEG, with a comment and EXIF": (COLOURS, "JPEG", {"comment": b"x" * 70_00, "exif": oriented(1)}),
    "PNG": (COLOURS, "PNG", {}),
    "PNG, RGBA": (transparent(), "PNG", {}),
    "PNG, gray": (COLOURS.convert("L"), "PNG", {}),
    "PNG, gray and alpha": (transparent().convert("LA"), "PNG", {}),
    "PNG, black and white": (COLOURS.convert("1"), "PNG", {}),
    "PNG, palette": (COLOURS.convert("P"), "PNG", {}),
    "PNG, palette with a transparent colour": (COLOURS.convert("P"), "PNG", {"transparency": 5}),
    "PNG, palette with alpha": (COLOURS.quantize(16), "PNG", {"transparency": bytes(range(0, 256, 16))}),
    "WebP": (COLOURS, "WEBP", {}),
    "WebP, lossless with alpha": (transparent(), "WEBP", {"lossless": True, "exact": True}),
    "MPO": (COLOURS, "MPO", {"save_all": True, "append_images": [NUMBERED]}),
    "WebP, animated": (COLOURS, "WEBP", {"save_all": True, "append_images": [NUMBERED.resize(SIZE)]}),
    "PNG, animated": (COLOURS, "PNG", {"save_all": True, "append_images": [NUMBERED.resize(SIZE)]}),
}


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("case", PASSED)
def test_what_readers_decode_right_passes_byte_for_byte(tmp_path: Path, case: str) -> None:
    image, kind, options = PASSED[case]
    path = save(tmp_path / "any.name", image, kind, **options)
    facts, data = stored(path)
    assert data == path.read_bytes()
    assert facts._replace(checksum=0) == ImageFacts(width=53, height=37, file_bytes=len(data), as_is=True)
    original = pixels(image)
    assert pixels(data).shape == original.shape
    loose = kind == "MPO" or (kind in ("JPEG", "WEBP") and not options.get("lossless"))
    assert np.abs(pixels(data) - original).mean() < (6 if loose else 0.01), "the readers see another picture"


def test_bytes_behind_the_end_pass_too(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        path = save(tmp_path / "a", COLOURS, kind)
        path.write_bytes(path.read_bytes() + b"\0" * 5000)
        assert stored(path)[1] == path.read_bytes()


REWRITTEN: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
    "BMP": (COLOURS, "BMP", {}),
    "BMP, palette": (COLOURS.convert("P"), "BMP", {}),
    "GIF": (COLOURS.convert("P"), "GIF", {}),
    "GIF, animated": (COLOURS.convert("P"), "GIF", {"save_all": True, "append_images": [NUMBERED.resize(SIZE)]}),
    "GIF, transparent": (COLOURS.convert("P"), "GIF", {"transparency": 3}),
    "TIFF": (COLOURS, "TIFF", {}),
    "TIFF, packed": (COLOURS, "TIFF", {"compression": "tiff_lzw"}),
    "TIFF, CMYK": (COLOURS.convert("CMYK"), "TIFF", {}),
    "TIFF, gray": (COLOURS.convert("L"), "TIFF", {}),
    "TIFF, RGBA": (transparent(), "TIFF", {}),
    "PPM": (COLOURS, "PPM", {}),
}


@pytest.mark.parametrize("case", REWRITTEN)
def test_other_formats_become_png_of_the_same_pixels(tmp_path: Path, case: str) -> None:
    image, kind, options = REWRITTEN[case]
    path = save(tmp_path / "a.jpg", image, kind, **options)
    facts, data = stored(path)
    assert (facts.width, facts.height, facts.as_is) == (53, 37, False)
    assert data.startswith(b"\x89PNG") and Image.open(io.BytesIO(data)).mode == "RGB"
    assert (pixels(data) == pixels(path)).all()


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG", "MPO"])
def test_an_orientation_is_baked_in(tmp_path: Path, kind: str, orientation: int) -> None:
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(kind, {})
    path = save(tmp_path / "a", NUMBERED, kind, exif=oriented(orientation), **options)
    facts, data = stored(path)
    lying = NUMBERED.copy()
    lying.getexif()[0x0112] = orientation
    expected = pixels(ImageOps.exif_transpose(lying))
    assert not facts.as_is
    assert (facts.height, facts.width) == pixels(data).shape[:2] == expected.shape[:2]
    assert facts.width == (48 if orientation > 4 else 64)
    assert np.abs(pixels(data) - expected).max() <= (40 if kind in ("JPEG", "MPO") else 0)
    assert np.abs(pixels(data) - expected).mean() <= 1.5
    assert Image.open(io.BytesIO(data)).format == ("JPEG" if kind in ("JPEG", "MPO") else "PNG")
    assert Image.open(io.BytesIO(data)).getexif().get(0x0112, 1) == 1, "it would be turned twice"


def test_a_picture_that_was_coded_on_its_side_is_stored_upright(tmp_path: Path) -> None:
    lying = NUMBERED.transpose(Image.Transpose.ROTATE_90)
    path = save(tmp_path / "a.jpg", lying, "JPEG", exif=oriented(6))
    assert read_number(path) != 77
    assert read_number(Image.open(io.BytesIO(stored(path)[1]))) == 77


@pytest.mark.parametrize("value", [0, 9, 1000])
def test_an_orientation_that_makes_no_sense_is_none(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    path = save(tmp_path / "a.jpg", COLOURS, "JPEG", exif=exif)
    assert stored(path)[1] == path.read_bytes()


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\xff\xff", b"Exif\0\0" + b"\xff" * 50, b"garbage"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_does_not_cost_a_sound_picture(tmp_path: Path, kind: str, exif: bytes) -> None:
    path = save(tmp_path / "a", COLOURS, kind, exif=exif)
    assert stored(path)[1] == path.read_bytes()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_an_orientation_behind_the_pixels_of_a_png_is_found(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", NUMBERED, "PNG")
    data = path.read_bytes()
    path.write_bytes(data[:-12] + chunk(b"eXIf", oriented(6).tobytes().removeprefix(b"Exif\0\0")) + data[-12:])
    facts, data = stored(path)
    assert (facts.width, facts.height, facts.as_is) == (48, 64, False)
    assert (pixels(data) == pixels(NUMBERED.transpose(Image.Transpose.ROTATE_270))).all()


def test_the_header_of_a_png_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = save(tmp_path / "a.png", COLOURS, "PNG")
    turned = save(tmp_path / "b.png", COLOURS, "PNG", exif=oriented(6))

    def load(image: ImageFile.ImageFile) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert read_facts(plain, origin="o").as_is
    assert not read_facts(turned, origin="o").as_is


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_gray_of_16_bits_is_scaled_to_8(tmp_path: Path, kind: str) -> None:
    wide = np.linspace(0, 65535, 256 * 40).astype(np.uint16).reshape(40, 256)
    path = save(tmp_path / "a", Image.fromarray(wide), kind)
    facts, data = stored(path)
    assert not facts.as_is
    assert (np.abs(pixels(data) - (wide / 257)[:, :, None]) <= 0.5).all()
    assert (pixels(data)[0, 0] == 0).all() and (pixels(data)[-1, -1] == 255).all()


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_whose_white_is_not_known_are_refused(tmp_path: Path, dtype: Any) -> None:
    path = save(tmp_path / "a.tif", Image.fromarray(np.ones((40, 40), dtype)), "TIFF")
    assert "whose white is not known" in refused(path)


@pytest.mark.parametrize("size", [(20, 20), (27, 400), (400, 27), (1, 1), (3, 1), (11, 13), (28, 29)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_small_picture_is_enlarged_to_the_smallest_side_and_keeps_its_shape(
    tmp_path: Path, kind: str, size: tuple[int, int]
) -> None:
    path = save(tmp_path / "a", Image.new("RGB", size, (200, 40, 90)), kind)
    _, data = stored(path, min_side=28)
    height, width = pixels(data).shape[:2]
    assert min(width, height) == max(28, min(size))
    assert abs(width / height - size[0] / size[1]) * min(width, height) / max(1, width / height) < 1
    assert np.abs(pixels(data) - (200, 40, 90)).max() < 6
    assert (data == path.read_bytes()) == (min(size) >= 28)


def test_a_numbered_picture_survives_being_turned_and_enlarged(tmp_path: Path) -> None:
    lying = NUMBERED.resize((24, 32)).transpose(Image.Transpose.ROTATE_90)
    path = save(tmp_path / "a.png", lying, "PNG", exif=oriented(6))
    _, data = stored(path, min_side=48)
    assert pixels(data).shape[:2] == (64, 48)
    assert read_number(Image.open(io.BytesIO(data))) == 77


def test_another_picture_of_the_same_size_is_told_by_its_checksum(tmp_path: Path) -> None:
    def checksum(level: int) -> int:
        path = save(tmp_path / "same.bmp", Image.new("RGB", (300, 300), (level, 0, 0)), "BMP")
        return read_facts(path, origin="t").checksum

    assert checksum(1) == checksum(1)
    assert checksum(1) != checksum(2)


def test_a_picture_that_becomes_too_long_for_a_jpeg_is_stored_as_png(tmp_path: Path) -> None:
    path = save(tmp_path / "thin.jpg", Image.new("RGB", (40_000, 16), (200, 40, 90)), "JPEG")
    _, data = stored(path, min_side=28)
    opened = Image.open(io.BytesIO(data))
    assert (opened.format, opened.size) == ("PNG", (70_000, 28))
