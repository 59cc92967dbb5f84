"""Decoding only what the wanted frames need shows the very frames that decoding everything shows."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from media import cut_by_edit_list, draw_colours, drop_first_group, ffmpeg, read_number, write_clip
from mm2energon.video import runs
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.index import IndexMismatch, index_video
from mm2energon.video.runs import decode_needed
from mm2energon.video.sampling import Sampling

OPEN_H264 = {"x264-params": "open-gop=1:keyint=20:min-keyint=20:scenecut=0:b-pyramid=normal"}
OPEN_HEVC = {
    "x265-params": "log-level=none:pools=1:bframes=4:open-gop=1:keyint=20:min-keyint=20:scenecut=0:b-pyramid=1"
}
LAYERS = {"x265-params": "log-level=none:pools=1:bframes=4:temporal-layers=3:keyint=40:open-gop=0:radl=2"}

CLIPS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264": ("v.mp4", {"b_frames": 3, "gop": 30, "options": {"preset": "veryfast"}}),
    "h264 of one group": ("v.mkv", {"b_frames": 3, "gop": 200, "options": {"preset": "veryfast"}}),
    "h264 without B-frames": ("v.mp4", {"gop": 10}),
    "h264, open groups": ("v.mp4", {"b_frames": 4, "options": OPEN_H264}),
    "h264, open groups, transport stream": ("v.ts", {"b_frames": 4, "options": OPEN_H264}),
    "h264, refreshed bit by bit": ("v.mkv", {"options": {"x264-params": "intra-refresh=1:keyint=20"}}),
    "h264, interlaced": ("v.mp4", {"b_frames": 2, "options": {"x264-params": "tff=1:keyint=25"}}),
    "h264, several slices": ("v.mp4", {"b_frames": 2, "gop": 25, "options": {"x264-params": "slices=3"}}),
    "h264, transport stream": ("v.ts", {"b_frames": 3, "gop": 20, "options": {"preset": "veryfast"}}),
    "h264, flash": ("v.flv", {"b_frames": 3, "gop": 20}),
    "hevc, open groups": ("v.mkv", {"codec": "libx265", "options": OPEN_HEVC}),
    "hevc, open groups, transport stream": ("v.ts", {"codec": "libx265", "options": OPEN_HEVC}),
    "hevc, layers in time": ("v.mp4", {"codec": "libx265", "options": LAYERS}),
    "vp8": ("v.webm", {"codec": "libvpx", "gop": 20, "options": {"auto-alt-ref": "1", "lag-in-frames": "10"}}),
    "vp9": ("v.webm", {"codec": "libvpx-vp9", "gop": 20, "options": {"auto-alt-ref": "1", "lag-in-frames": "10"}}),
    "av1": ("v.mkv", {"codec": "libsvtav1", "gop": 20}),
    "mjpeg": ("v.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "mpeg-4": ("v.mp4", {"codec": "mpeg4", "b_frames": 2}),
}


def picture_hash(frame: Any) -> str:
    planes = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    ]
    return hashlib.md5(b"".join(plane.tobytes() for plane in planes), usedforsecurity=False).hexdigest()


def decoded_whole(video: Path) -> dict[int, str]:
    """The frames that PyAV shows when it is given everything: pts -> what is on them."""
    with av.open(str(video)) as container:
        return {frame.pts: picture_hash(frame) for frame in container.decode(video=0)}


def decoded_in_part(video: Path, ordinals: Sequence[int]) -> dict[int, str]:
    index = index_video(video)
    assert index.packets is not None
    wanted = index.pts[list(ordinals)].tolist()
    return {frame.pts: picture_hash(frame) for frame in decode_needed(video, index.packets, wanted)}


@pytest.fixture(params=CLIPS)
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name, about = CLIPS[request.param]
    return write_clip(tmp_path / name, frames=150, **about)


@pytest.mark.parametrize("every", [1, 7, 31, 149])
def test_the_frames_are_those_of_decoding_everything(clip: Path, every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SEEK_PACKETS", 5)
    whole = decoded_whole(clip)
    wanted = sorted(whole)[::every]
    taken = decoded_in_part(clip, range(0, len(whole), every))
    assert list(taken) == wanted
    assert taken == {ticks: whole[ticks] for ticks in wanted}


@pytest.mark.parametrize("frames_before", [5, 15])
def test_frames_cut_off_by_an_edit_list_are_fed_and_not_shown(tmp_path: Path, frames_before: int) -> None:
    source = write_clip(tmp_path / "v.mp4", frames=150, b_frames=3, gop=20)
    video = cut_by_edit_list(source, Fraction(frames_before, 30))
    whole = decoded_whole(video)
    for ordinal in (0, 1, 7, 60, len(whole) - 1):
        ticks = sorted(whole)[ordinal]
        assert decoded_in_part(video, [ordinal]) == {ticks: whole[ticks]}


@pytest.mark.parametrize("name", ["frag.mp4", "live.mkv"])
def test_a_file_without_a_table_of_its_packets_is_found_through_all_the_same(tmp_path: Path, name: str) -> None:
    source = write_clip(tmp_path / "source.mp4", frames=300, b_frames=3, gop=10)
    flags = ["-movflags", "frag_keyframe+empty_moov"] if name.endswith("mp4") else ["-live", "1"]
    ffmpeg("-i", source, "-c", "copy", *flags, tmp_path / name)
    whole = decoded_whole(tmp_path / name)
    wanted = sorted(whole)[::90]
    assert decoded_in_part(tmp_path / name, range(0, 300, 90)) == {ticks: whole[ticks] for ticks in wanted}


def test_leading_pictures_that_lost_their_past_are_told_from_shown_ones(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mkv", frames=90, codec="libx265", options=OPEN_HEVC)
    cut = drop_first_group(source, tmp_path / "cut.mkv")
    with pytest.raises(IndexMismatch):
        decoded_in_part(cut, [0, 30])


def count_fed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has the pts of every packet noted that is fed to the decoder."""
    fed: list[int] = []
    note = runs._ShownInOrder.fed

    def fed_and_noted(self: Any, ticks: int) -> None:
        fed.append(ticks)
        note(self, ticks)

    monkeypatch.setattr(runs._ShownInOrder, "fed", fed_and_noted)
    return fed


def test_no_more_is_decoded_than_the_wanted_frames_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=300, gop=30)
    fed = count_fed(monkeypatch)
    decoded_in_part(video, [0, 100, 299])
    assert len(fed) == 1 + 11 + 30  # from key frames 0, 90 and 270


def test_pictures_that_nobody_refers_to_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_pyramid = {"x264-params": "bframes=2:b-adapt=0:b-pyramid=none:scenecut=0:keyint=300"}
    video = write_clip(tmp_path / "v.mp4", frames=91, b_frames=2, options=no_pyramid)
    with av.open(str(video)) as container:
        kinds = [PictureType(frame.pict_type).name for frame in container.decode(video=0)]
    fed = count_fed(monkeypatch)
    decoded_in_part(video, [0, 45, 90])
    assert len(fed) == sum(kind != "B" for kind in kinds) + (kinds[45] == "B")


def test_the_frames_that_come_out_bear_their_numbers(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=200, b_frames=3, gop=48)
    index = index_video(video)
    assert index.packets is not None
    wanted = [3, 50, 97, 98, 180]
    frames = decode_needed(video, index.packets, index.pts[wanted].tolist())
    assert [read_number(frame.to_ndarray(format="rgb24")) for frame in frames] == wanted


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_a_damaged_stretch_is_never_shown_as_whole(tmp_path: Path, at: float) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=200, gop=50, options={"preset": "veryfast", "crf": "30"})
    whole = decoded_whole(video)
    data = bytearray(video.read_bytes())
    begin = data.index(b"mdat") + int(len(data) * at * 0.8)
    for place in range(begin, begin + 400):
        data[place] ^= 0x5A
    video.write_bytes(data)
    wanted = sorted(whole)[::20]
    try:
        taken = decoded_in_part(video, range(0, 200, 20))
    except IndexMismatch:
        return
    assert taken == {ticks: whole[ticks] for ticks in wanted}


def parameter_sets_of(clip: Path) -> bytes:
    """The SPS and PPS of an MP4's H.264 track, each behind its length of four bytes (ISO/IEC 14496-15, 5.3.3.1)."""
    with av.open(str(clip)) as container:
        record = bytes(container.streams.video[0].codec_context.extradata or b"")
    sets, at = b"", 5
    for mask in (31, 255):
        count, at = record[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            sets += size.to_bytes(4, "big") + record[at + 2 : at + 2 + size]
            at += 2 + size
    return sets


def join_with_sets_between(first: Path, second: Path, target: Path, *, in_packet: int) -> Path:
    """One track of two: what the decoder needs for the second stands once, in a packet, and not in the header."""
    sets = parameter_sets_of(second)
    with av.open(str(target), "w") as written, av.open(str(first)) as one, av.open(str(second)) as other:
        stream = written.add_stream_from_template(one.streams.video[0])
        packets = [packet for packet in one.demux(video=0) if packet.size]
        length = len(packets) * packets[0].duration
        followers = [packet for packet in other.demux(video=0) if packet.size]
        for packet in followers:
            packet.pts, packet.dts = packet.pts + length, packet.dts + length
        packets += followers
        for place, packet in enumerate(packets):
            data = bytes(packet)
            if place == in_packet % len(packets):
                data = sets + data if in_packet >= len(packets) - len(followers) else data + sets
            copy = av.Packet(data)
            copy.pts, copy.dts, copy.duration, copy.time_base = (
                packet.pts,
                packet.dts,
                packet.duration,
                packet.time_base,
            )
            copy.is_keyframe = packet.is_keyframe
            copy.stream = stream
            written.mux(copy)
    return target


@pytest.mark.parametrize("name", ["joined.mp4", "joined.mkv"])
@pytest.mark.parametrize("in_packet", [60, 59, 58])
def test_where_the_settings_of_the_decoder_change_on_the_way_they_are_not_sought_over(
    tmp_path: Path, name: str, in_packet: int
) -> None:
    flat = {"x264-params": "qp=24:bframes=2:b-adapt=0:scenecut=0:b-pyramid=none:8x8dct=0"}
    other = {"x264-params": "qp=24:bframes=2:b-adapt=0:scenecut=0:b-pyramid=none:8x8dct=0:chroma-qp-offset=6"}
    first = write_clip(tmp_path / "first.mp4", frames=60, gop=12, b_frames=2, options=flat, draw=draw_colours)
    second = write_clip(tmp_path / "second.mp4", frames=60, gop=12, b_frames=2, options=other, draw=draw_colours)
    assert parameter_sets_of(first) != parameter_sets_of(second)
    joined = join_with_sets_between(first, second, tmp_path / name, in_packet=in_packet)
    whole = decoded_whole(joined)
    assert len(whole) == 120
    for ordinals in ([0, 100], [119], [30, 90], [80], [10, 60, 110]):
        wanted = [sorted(whole)[ordinal] for ordinal in ordinals]
        assert decoded_in_part(joined, ordinals) == {ticks: whole[ticks] for ticks in wanted}


def cut_into_pieces(path: Path, pieces: list[tuple[Fraction, Fraction]]) -> Path:
    """Give the (only) track of an MP4 whose header is at its end an edit list of (duration, begin) in seconds."""
    data = bytearray(path.read_bytes())
    scale = struct.unpack_from(">I", data, data.index(b"mdhd") + 4 + 4 + 8)[0]
    movie_scale = struct.unpack_from(">I", data, data.index(b"mvhd") + 4 + 4 + 8)[0]
    entries = [struct.pack(">IiI", round(last * movie_scale), round(begin * scale), 1 << 16) for last, begin in pieces]
    at = data.index(b"elst") - 4
    size = struct.unpack_from(">I", data, at)[0]
    body = b"elst" + struct.pack(">II", 0, len(entries)) + b"".join(entries)
    grown = 4 + len(body) - size
    data[at : at + size] = struct.pack(">I", 4 + len(body)) + body
    for box in (b"moov", b"trak", b"edts"):
        begin = data.index(box) - 4
        struct.pack_into(">I", data, begin, struct.unpack_from(">I", data, begin)[0] + grown)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("codec", "options", "pieces"),
    [
        ("libx264", {"x264-params": "open-gop=1:keyint=100:min-keyint=100:scenecut=0"}, [("0.2", "0.1"), ("3", "7.1")]),
        ("libx264", {"x264-params": "keyint=50:min-keyint=50:scenecut=0"}, [("2", "3.1"), ("2.5", "1")]),
        ("libx264", {"x264-params": "keyint=50:min-keyint=50:scenecut=0"}, [("1", "0"), ("1", "0")]),
        ("libx265", OPEN_HEVC, [("0.6", "5.1"), ("1", "6.2")]),
    ],
)
def test_a_video_cut_into_pieces_shows_what_decoding_everything_shows(
    tmp_path: Path, codec: str, options: dict[str, str], pieces: list[tuple[str, str]]
) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=330, b_frames=3, codec=codec, options=options)
    cut_into_pieces(video, [(Fraction(last), Fraction(begin)) for last, begin in pieces])
    with av.open(str(video)) as container:
        shown = [read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    for options_of_ours in (Sampling(fps=30), Sampling(fps=1), Sampling(num_frames=7)):
        frames = extract_frames(video, FrameOptions(options_of_ours))
        assert {read_number(path) for path in frames.paths} <= set(shown)
        assert None not in [read_number(path) for path in frames.paths]
