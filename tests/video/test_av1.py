"""Which AV1 packets leave no trace, held against ffmpeg's own reading of their headers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media import write_clip
from mm2energon.video.av1 import Sequence, leaves_no_trace, read_sequence

SEQUENCE = Sequence(screen_content_tools=2, integer_mv=2, order_hint_bits=7)


def by_ffmpeg(video: Path) -> list[bool]:
    """Of each packet, whether every frame in it is coded, shown and kept nowhere."""
    command = ["ffmpeg", "-nostdin", "-v", "trace", "-i", str(video), "-c", "copy", "-bsf:v", "trace_headers"]
    shown = subprocess.run([*command, "-f", "null", "-"], check=True, capture_output=True).stderr.decode()
    packets: list[dict[str, list[int]]] = []
    for line in shown.splitlines():
        if re.search(r"trace_headers.*Packet: ", line):
            packets.append({"show_existing_frame": [], "refresh_frame_flags": []})
        found = re.search(r"trace_headers.* (show_existing_frame|refresh_frame_flags) .* = (\d+)$", line)
        if found and packets:
            packets[-1][found[1]].append(int(found[2]))
    return [
        not any(packet["show_existing_frame"])
        and len(packet["refresh_frame_flags"]) == len(packet["show_existing_frame"]) > 0
        and not any(packet["refresh_frame_flags"])
        for packet in packets
    ]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("v.mkv", {"preset": "8"}),
        ("v.mp4", {"preset": "12", "svtav1-params": "lp=1:hierarchical-levels=5"}),
        ("v.webm", {"preset": "10", "svtav1-params": "lp=1:scm=1"}),
    ],
)
def test_the_packets_that_leave_no_trace_are_those_that_ffmpeg_tells(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    video = write_clip(tmp_path / name, frames=65, codec="libsvtav1", gop=48, size=(192, 128), options=options)
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        sequence = read_sequence(bytes(stream.codec_context.extradata or b""))
        assert sequence is not None
        found = [leaves_no_trace(bytes(packet), sequence) for packet in container.demux(stream) if packet.size]
    expected = by_ffmpeg(video)
    assert found == expected
    assert sum(found) > 10


@given(st.binary(max_size=80))
def test_bytes_of_any_kind_are_read_without_a_fault(data: bytes) -> None:
    assert leaves_no_trace(data, SEQUENCE) in (True, False)
    assert read_sequence(b"\x81" + data) is None or isinstance(read_sequence(b"\x81" + data), Sequence)


@pytest.mark.parametrize("data", [b"", b"\x12\x00", b"\x32\x05", b"\x32\xff\xff\xff", b"\x0a\x0b\x00\x00"])
def test_a_packet_without_a_whole_frame_header_is_needed(data: bytes) -> None:
    assert not leaves_no_trace(data, SEQUENCE)


def test_a_record_of_another_version_or_none_tells_nothing() -> None:
    assert read_sequence(b"") is None
    assert read_sequence(b"\x01\x02\x03\x04\x0a\x00") is None
