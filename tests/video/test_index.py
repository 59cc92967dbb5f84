"""The index: when each frame is shown, from packets where they tell the truth, else from decoding."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from media import cut_by_edit_list, draw_colours, drop_first_group, write_clip
from mm2energon.errors import MediaError
from mm2energon.video.index import Index, index_video

OPEN_GROUPS = {"x265-params": "log-level=none:pools=1:bframes=3:open-gop=1:keyint=12:min-keyint=12:scenecut=0"}


def times_by_ffprobe(video: Path) -> list[float]:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_frames", "-show_entries", "frame=pts_time"]
    output = subprocess.run([*command, "-of", "json", video], check=True, capture_output=True).stdout
    return [float(frame["pts_time"]) for frame in json.loads(output)["frames"]]


def times_in_file(index: Index) -> list[float]:
    return [float(seconds) + index.start_seconds for seconds in index.times]


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("v.mp4", {"b_frames": 2}),
        ("v.mkv", {"b_frames": 2, "rate": Fraction(30_000, 1001)}),
        ("v.webm", {"codec": "libvpx-vp9"}),
        ("late.mp4", {"times": [3 + Fraction(number, 30) for number in range(60)], "b_frames": 2}),
    ],
)
def test_packets_and_decoding_give_the_times_that_ffprobe_gives(
    tmp_path: Path, name: str, clip: dict[str, Any]
) -> None:
    video = write_clip(tmp_path / name, **clip)
    quick, slow = index_video(video), index_video(video, decode=True)
    assert (quick.decoded, slow.decoded) == (False, True)
    assert (quick.pts == slow.pts).all()
    assert quick.end == slow.end
    assert times_in_file(quick) == pytest.approx(times_by_ffprobe(video), abs=1e-5)


def test_packets_that_are_decoded_but_not_shown_are_left_out(tmp_path: Path) -> None:
    video = cut_by_edit_list(write_clip(tmp_path / "v.mp4", b_frames=2), Fraction(1, 6))
    assert len(index_video(video)) == len(index_video(video, decode=True)) == 55


def test_decoding_knows_that_leading_pictures_are_not_shown(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", codec="libx265", b_frames=3, frames=90, options=OPEN_GROUPS)
    cut = drop_first_group(whole, tmp_path / "cut.mkv")
    assert times_in_file(index_video(cut, decode=True)) == pytest.approx(times_by_ffprobe(cut), abs=1e-5)
    assert len(index_video(cut)) > len(index_video(cut, decode=True))


@pytest.mark.parametrize(("name", "codec"), [("v.avi", "libx264"), ("v.h264", "libx264"), ("v.avi", "mpeg4")])
def test_a_file_without_time_stamps_is_timed_by_its_rate(tmp_path: Path, name: str, codec: str) -> None:
    container = "h264" if name.endswith("h264") else None
    index = index_video(write_clip(tmp_path / name, codec=codec, b_frames=2, container_format=container))
    assert list(index.times) == pytest.approx([number / 30 for number in range(60)])
    assert index.duration_seconds == pytest.approx(2.0)


def test_the_duration_reaches_to_the_end_of_the_last_frame(tmp_path: Path) -> None:
    index = index_video(write_clip(tmp_path / "v.mp4", rate=25))
    assert index.duration_seconds == pytest.approx(60 / 25)
    assert index.source_fps == pytest.approx(25)


def test_only_a_fine_time_base_is_held_to_be_rounded(tmp_path: Path) -> None:
    assert index_video(write_clip(tmp_path / "v.mkv")).tolerance_seconds == 0.0005
    assert index_video(write_clip(tmp_path / "v.avi", codec="mpeg4")).tolerance_seconds == 0


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
@pytest.mark.parametrize("frame", [0, 30])
def test_frames_that_a_damaged_one_takes_along_are_missed(tmp_path: Path, codec: str, frame: int) -> None:
    """Of a packet of zeros some decoders say nothing."""
    video = write_clip(tmp_path / "v.mp4", codec=codec, frames=60, gop=30, draw=draw_colours)
    with av.open(str(video)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][frame]
        at, size = packet.pos, packet.size
    data = video.read_bytes()
    video.write_bytes(data[:at] + bytes(size) + data[at + size :])
    with pytest.raises(MediaError) as caught:
        index_video(video, decode=True)
    assert caught.value.code == "unreadable-video"
