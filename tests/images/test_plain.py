"""The short way to know a JPEG or a PNG gives what Pillow gives, or nothing at all."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media import draw_colours
from mm2energon.errors import MediaError
from mm2energon.images import ImageFacts, library, plain_facts
from PIL import Image

SIZE = (61, 43)
COLOURS = Image.fromarray(draw_colours(3, SIZE))
ICC = b"a profile " * 30


def jpeg(image: Image.Image = COLOURS, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def with_segment(marker: int, content: bytes, data: bytes = jpeg()) -> bytes:
    return data[:2] + segment(marker, content) + data[2:]


def png(image: Image.Image = COLOURS, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunk(name: bytes, content: bytes, *, at: int = 33) -> bytes:
    """A PNG with a chunk more: behind its header, or counted from its end."""
    data = png()
    return data[:at] + chunk(name, content) + data[at:]


def in_small_chunks(data: bytes) -> bytes:
    """A PNG whose data lie in many chunks, as other writers leave it."""
    start = data.index(b"IDAT") - 4
    content = data[start + 8 : -16]
    return (
        data[:start] + b"".join(chunk(b"IDAT", content[n : n + 100]) for n in range(0, len(content), 100)) + data[-12:]
    )


#: What most datasets hold, and must take the short way.
PLAIN = {
    "baseline": jpeg(),
    "fine": jpeg(quality=100, subsampling=0),
    "progressive": jpeg(progressive=True),
    "optimized": jpeg(optimize=True),
    "gray": jpeg(COLOURS.convert("L")),
    "comment": jpeg(comment=b"x" * 3000),
    "density": jpeg(dpi=(300, 300)),
    "profile": jpeg(icc_profile=ICC),
    "restarts": jpeg(restart_marker_rows=1),
    "simplejpeg": simplejpeg.encode_jpeg(draw_colours(3, SIZE), quality=90),
    "adobe": with_segment(0xEE, b"Adobe\0\x64\0\0\0\0\1"),
    "bytes behind the end": jpeg() + bytes(5000),
    "large": jpeg(COLOURS.resize((1400, 900)), quality=95),
    "PNG": png(),
    "PNG, RGBA": png(COLOURS.convert("RGBA")),
    "PNG, gray": png(COLOURS.convert("L")),
    "PNG, gray and alpha": png(COLOURS.convert("LA")),
    "PNG, palette": png(COLOURS.convert("P")),
    "PNG, density": png(dpi=(300, 300)),
    "PNG, gamma": with_chunk(b"gAMA", bytes(4)),
    "PNG, large": png(COLOURS.resize((900, 700))),
    "PNG, small chunks": in_small_chunks(png()),
    "PNG, interlaced by its header": png()[:8] + chunk(b"IHDR", png()[16:28] + b"\1") + png()[33:],
}
#: What needs care.
OTHER = {
    "turned": jpeg(exif=exif(6)),
    "upright": jpeg(exif=exif(1)),
    "CMYK": jpeg(COLOURS.convert("CMYK")),
    "long comment": jpeg(comment=b"x" * 60_000),
    "photoshop": with_segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0"),
    "photoshop, damaged": with_segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4"),
    "short JFIF": with_segment(0xE0, b"JFIF"),
    "short Adobe": with_segment(0xEE, b"Adobe"),
    "short profile": with_segment(0xE2, b"ICC_PROFILE\0"),
    "many behind the end": jpeg() + bytes(70_000),
    "fill bytes": jpeg()[:2] + b"\xff\xff" + jpeg()[2:],
    "junk between": jpeg()[:20] + b"junk" + jpeg()[20:],
    "two frames": jpeg().replace(b"\xff\xc0", segment(0xC0, b"\x08\0\x09\0\x09\x01\x01\x11\0") + b"\xff\xc0"),
    "two pictures": jpeg() + jpeg(),
    "thumbnail": with_segment(0xE1, b"Exif\0\0" + jpeg(COLOURS.resize((16, 12)))),
    "twelve bits": jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
    "no height": jpeg().replace(b"\x08" + SIZE[1].to_bytes(2, "big"), b"\x08\0\0"),
    "arithmetic": jpeg().replace(b"\xff\xc0", b"\xff\xc9"),
    "empty": b"",
    "no PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "PNG, turned": png(exif=exif(6)),
    "PNG, black and white": png(COLOURS.convert("1")),
    "PNG, 16 bits": png(Image.fromarray(np.full((40, 40), 40_000, np.uint16))),
    "PNG, transparent colour": png(COLOURS.convert("P"), transparency=5),
    "PNG, short gamma": with_chunk(b"gAMA", bytes(3)),
    "PNG, text": with_chunk(b"tEXt", b"Software\0this"),
    "PNG, text behind": with_chunk(b"tEXt", b"Software\0this", at=-12),
    "PNG, turned behind": with_chunk(b"eXIf", exif(6).tobytes().removeprefix(b"Exif\0\0"), at=-12),
    "PNG, animated": png(save_all=True, append_images=[COLOURS.rotate(180)]),
    "PNG, bytes behind": png() + bytes(5000),
    "PNG, damaged header": png()[:20] + b"\1" + png()[21:],
    "PNG, filter": png()[:8] + chunk(b"IHDR", png()[16:27] + b"\1\0") + png()[33:],
    "PNG, no width": png()[:8] + chunk(b"IHDR", bytes(4) + png()[20:29]) + png()[33:],
    "PNG, huge": png()[:8] + chunk(b"IHDR", b"\0\1\0\0" * 2 + png()[24:29]) + png()[33:],
    "PNG, no data": png()[:33] + chunk(b"IEND", b""),
    "PNG, two headers": with_chunk(b"IHDR", png()[16:29]),
    "PNG, later header": png()[:8] + chunk(b"gAMA", bytes(4)) + png()[8:],
    "only a head": b"\xff\xd8\xff",
    "huge": jpeg().replace(SIZE[1].to_bytes(2, "big") + SIZE[0].to_bytes(2, "big"), b"\xff\xff\xff\xff"),
}


def by_the_short_way(path: Path) -> ImageFacts | None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return plain_facts(descriptor)
    finally:
        os.close(descriptor)


def by_pillow(path: Path) -> ImageFacts | str:
    try:
        return library.open_facts(path, origin="o", decode=False)
    except MediaError as error:
        return str(error)


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_plain_is_known_the_short_way_as_pillow_knows_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(PLAIN[name])
    found = by_the_short_way(path)
    assert found is not None and found == by_pillow(path)
    size = Image.open(path).size
    assert found._replace(checksum=0) == ImageFacts(*size, file_bytes=len(PLAIN[name]), as_is=True)


@pytest.mark.parametrize("name", OTHER)
def test_what_needs_care_is_left_to_pillow_or_known_as_it_knows_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(OTHER[name])
    assert by_the_short_way(path) in (None, by_pillow(path))


@pytest.mark.parametrize(
    "name",
    [
        "turned",
        "CMYK",
        "two frames",
        "twelve bits",
        "no height",
        "huge",
        "thumbnail",
        "PNG, turned behind",
        "PNG, 16 bits",
    ],
)
def test_the_short_way_does_not_guess(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(OTHER[name])
    assert by_the_short_way(path) is None


def test_a_folder_and_a_pipe_are_no_plain_pictures(tmp_path: Path) -> None:
    assert by_the_short_way(tmp_path) is None
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert plain_facts(descriptor) is None
    os.close(descriptor)


@pytest.mark.parametrize(
    "name", ["baseline", "progressive", "gray", "profile", "two frames", "adobe", "PNG", "PNG, small chunks"]
)
def test_a_file_cut_off_at_any_byte_is_known_as_pillow_knows_it(tmp_path: Path, name: str) -> None:
    data = {**PLAIN, **OTHER}[name]
    path = tmp_path / "a.jpg"
    for end in [*range(0, len(data), max(1, len(data) // 150)), len(data) - 1]:
        path.write_bytes(data[:end])
        assert by_the_short_way(path) in (None, by_pillow(path))


SEEDS = [data for data in [*PLAIN.values(), *OTHER.values()] if 100 < len(data) < 9000]
CHUNKS = st.builds(
    chunk,
    st.sampled_from(
        [b"IHDR", b"IDAT", b"IEND", b"PLTE", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tEXt", b"eXIf", b"tRNS"]
    ),
    st.binary(max_size=40),
)
SEGMENTS = st.builds(
    segment,
    st.integers(0xC0, 0xFF),
    st.builds(
        bytes.__add__,
        st.sampled_from([b"", b"JFIF\0", b"ICC_PROFILE\0", b"Adobe", b"MPF\0", b"FPXR\0", b"Exif\0\0", b"\0", b"\x11"]),
        st.binary(max_size=80),
    ),
)


@given(data=st.data())
@settings(max_examples=800, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_file_the_short_way_says_what_pillow_says_or_nothing(
    tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    more_in_it = (
        st.tuples(st.sampled_from([33, -12, -16]), CHUNKS)
        if content[:1] == b"\x89"
        else (st.tuples(st.sampled_from([2, 20]), SEGMENTS))
    )
    for place, more in data.draw(st.lists(more_in_it, max_size=2)):
        content[place:place] = more
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, 800), st.integers(0, 255)), max_size=3)):
        if place < len(content):
            content[place] = byte
    path = tmp_path / "a.jpg"
    path.write_bytes(content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))])
    assert by_the_short_way(path) in (None, by_pillow(path))
