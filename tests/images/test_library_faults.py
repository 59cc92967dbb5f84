"""Files that are damaged, cut off or no pictures at all are refused, and nothing else happens."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.errors import MediaError
from mm2energon.images import ImageFacts, read_bytes, read_facts
from mm2energon.rules import MAX_PIXELS

from images.test_library import COLOURS, PASSED, REWRITTEN, chunk, refused, save, stored

CUT = {name: PASSED[name] for name in ("JPEG", "JPEG, progressive", "JPEG, gray", "PNG", "PNG, RGBA", "WebP")}
CUT |= {name: REWRITTEN[name] for name in ("BMP", "GIF", "TIFF", "TIFF, packed", "PPM")}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("case", CUT)
def test_a_file_that_was_cut_off_is_refused_before_a_plan_is_made(tmp_path: Path, case: str, share: float) -> None:
    image, kind, options = CUT[case]
    path = save(tmp_path / "a.jpg", image.resize((200, 200)), kind, **options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(path)


def test_the_end_of_a_thumbnail_is_not_taken_for_the_end_of_the_picture(tmp_path: Path) -> None:
    thumbnail = io.BytesIO()
    COLOURS.resize((16, 12)).save(thumbnail, "JPEG")
    path = save(tmp_path / "a.jpg", COLOURS, "JPEG")
    data = path.read_bytes()
    segment = b"Exif\0\0" + thumbnail.getvalue()
    whole = data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    path.write_bytes(whole)
    assert stored(path)[1] == whole
    path.write_bytes(whole[:-40])
    refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"I am a text.\n" * 100,
        b"<html><body>404</body></html>",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0" * 4096,
    ],
)
def test_what_is_no_picture_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    refused(path)


def test_a_file_that_is_gone_or_a_folder_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.jpg")
    refused(tmp_path)
    with pytest.raises(MediaError):
        read_bytes(tmp_path / "none.jpg", facts=ImageFacts(9, 9, 9, as_is=True), origin="o")


def test_a_picture_of_more_pixels_than_the_readers_open_is_refused_without_decoding_it(tmp_path: Path) -> None:
    side = 30_000
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")
    )
    assert side * side > MAX_PIXELS
    refused(path)
    with pytest.raises(MediaError):
        read_bytes(path, facts=ImageFacts(side, side, 1, as_is=False), origin="o")


def test_a_fault_in_the_middle_is_found_by_decoding(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", COLOURS, "PNG")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert read_facts(path, origin="o").as_is
    with pytest.raises(MediaError, match="cannot be used"):
        read_facts(path, origin="o", decode=True)


SEEDS = [(COLOURS.resize((24, 16)), *rest) for _, *rest in [*PASSED.values(), *REWRITTEN.values()]]


@given(data=st.data(), decode=st.booleans(), min_side=st.sampled_from([1, 40]))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_stored_or_refused_and_nothing_else(
    tmp_path: Path, data: st.DataObject, decode: bool, min_side: int
) -> None:
    image, kind, options = data.draw(st.sampled_from([row for row in SEEDS if not row[2].get("save_all")]))
    image = image.convert("P") if "transparency" in options else image
    content = bytearray(save(tmp_path / "a", image, kind, **options).read_bytes())
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=6)
    ):
        content[place] = byte
    (tmp_path / "a").write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    try:
        facts = read_facts(tmp_path / "a", origin="o", decode=decode)
        if facts.width * facts.height < 1_000_000:
            assert read_bytes(tmp_path / "a", facts=facts, origin="o", min_side=min_side)
    except MediaError as error:
        assert error.code == "unreadable-image"
