"""What the first bytes of a packet say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import av
import pytest
from av.video.frame import PictureType
from media import write_clip
from mm2energon.video.references import References, read_references


def unit(header: bytes, *, length_bytes: int) -> bytes:
    body = header + b"\x11\x22"
    return (len(body).to_bytes(length_bytes, "big") if length_bytes else b"\0\0\1") + body


def packet(*headers: bytes, length_bytes: int, key: bool = False) -> bytearray:
    class KeyedBytes(bytearray):
        is_keyframe = key

    return KeyedBytes(b"".join(unit(header, length_bytes=length_bytes) for header in headers))


@pytest.mark.parametrize("length_bytes", [0, 2, 4])
def test_an_h264_slice_of_reference_idc_0_is_unreferenced(length_bytes: int) -> None:
    read = References("h264", length_bytes=length_bytes)
    assert read.is_unreferenced(packet(b"\x01", length_bytes=length_bytes))
    assert read.is_unreferenced(packet(b"\x09", b"\x06", b"\x01", length_bytes=length_bytes))
    assert not read.is_unreferenced(packet(b"\x21", length_bytes=length_bytes))
    assert not read.is_unreferenced(packet(b"\x09", b"\x06", b"\x41", length_bytes=length_bytes))


@pytest.mark.parametrize("length_bytes", [0, 4])
def test_of_h264_only_idr_pictures_are_entries(length_bytes: int) -> None:
    read = References("h264", length_bytes=length_bytes)
    assert read.is_entry(packet(b"\x67", b"\x68", b"\x65", length_bytes=length_bytes, key=True))
    assert not read.is_entry(packet(b"\x06", b"\x61", length_bytes=length_bytes, key=True))


def test_an_unreferenced_hevc_picture_lies_in_the_highest_layer() -> None:
    trail_n, trail_r = b"\x00\x01", b"\x02\x01"
    assert References("hevc", 4, top_layer=0).is_unreferenced(packet(trail_n, length_bytes=4))
    assert not References("hevc", 4, top_layer=0).is_unreferenced(packet(trail_r, length_bytes=4))
    assert not References("hevc", 4, top_layer=1).is_unreferenced(packet(trail_n, length_bytes=4))
    assert References("hevc", 4, top_layer=1).is_unreferenced(packet(b"\x00\x02", length_bytes=4))
    assert not References("hevc", 4).is_unreferenced(packet(trail_n, length_bytes=4))


@pytest.mark.parametrize(
    ("kind", "is_entry"), [(19, True), (20, True), (21, True), (16, False), (18, False), (1, False)]
)
def test_of_hevc_idr_and_cra_are_entries_and_bla_is_not(kind: int, is_entry: bool) -> None:
    read = References("hevc", length_bytes=4)
    head = bytes([kind << 1, 1])
    assert read.is_entry(packet(b"\x46\x01", head, length_bytes=4, key=True)) is is_entry


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b"\0\0\1", b"\0\0\0\2\x09\xf0"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("length_bytes", [0, 4])
def test_a_packet_without_slices_is_needed_and_no_entry(data: bytes, codec: str, length_bytes: int) -> None:
    class KeyedBytes(bytearray):
        is_keyframe = True

    read = References(codec, length_bytes=length_bytes, top_layer=0)
    assert not read.is_unreferenced(KeyedBytes(data))
    assert not read.is_entry(KeyedBytes(data))


def test_a_codec_that_is_not_known_is_decoded_frame_by_frame() -> None:
    assert read_references(SimpleNamespace(name="mpeg2video", extradata=None)) is None
    assert read_references(SimpleNamespace(name="ffv1", extradata=b"\1" * 30)) is None


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_the_unreferenced_packets_of_a_clip_are_those_of_its_b_frames(tmp_path: Path, suffix: str) -> None:
    options = {"x264-params": "b-pyramid=none:b-adapt=0:bframes=2:scenecut=0"}
    video = write_clip(tmp_path / f"v{suffix}", frames=40, b_frames=2, options=options)
    with av.open(str(video)) as container:
        unreferenced = {
            frame.pts for frame in container.decode(video=0) if PictureType(frame.pict_type) is PictureType.B
        }
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        read = read_references(stream.codec_context)
        assert read is not None
        found = {one.pts for one in container.demux(stream) if one.size and read.is_unreferenced(one)}
    assert found == unreferenced
    assert len(found) > 10


@pytest.mark.parametrize("length_bytes", [0, 4])
def test_parameter_sets_are_found_wherever_they_stand(length_bytes: int) -> None:
    read = References("h264", length_bytes=length_bytes)
    sps, pps, b_slice = b"\x67", b"\x68", b"\x01"
    assert read.parameter_sets(packet(b_slice, length_bytes=length_bytes)) == []
    found = read.parameter_sets(packet(b"\x09", sps, b_slice, pps, length_bytes=length_bytes))
    assert [one.rstrip(b"\0") for one in found] == [b"\x67\x11\x22", b"\x68\x11\x22"]
    read = References("hevc", length_bytes=length_bytes, top_layer=0)
    heads = [b"\x40\x01", b"\x42\x01", b"\x44\x01", b"\x02\x01"]
    assert len(read.parameter_sets(packet(*heads, length_bytes=length_bytes))) == 3


def test_a_picture_that_brings_parameter_sets_is_needed() -> None:
    read = References("h264", length_bytes=4)
    assert read.is_unreferenced(packet(b"\x01", length_bytes=4))
    assert not read.is_unreferenced(packet(b"\x01", b"\x68", length_bytes=4))
    read = References("hevc", length_bytes=4, top_layer=0)
    assert not read.is_unreferenced(packet(b"\x44\x01", b"\x00\x01", length_bytes=4))


@pytest.mark.parametrize(
    ("head", "is_entry"),
    [
        (b"\xff\xd8\xff\xdb\0\x43\xff\xc4\0\x1f\xff\xda", True),
        (b"\xff\xd8\xff\xdb\0\x43\xff\xda", False),
        (b"\xff\xd8\xff\xc4\0\x1f\xff\xda", False),
    ],
)
def test_a_motion_jpeg_picture_is_an_entry_with_both_kinds_of_tables(head: bytes, is_entry: bool) -> None:
    class KeyedBytes(bytearray):
        is_keyframe = True

    assert References("mjpeg").is_entry(KeyedBytes(head)) is is_entry
