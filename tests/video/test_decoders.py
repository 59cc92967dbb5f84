"""Every decoder hands over the same frames, or says that it cannot."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from av.video.frame import PictureType
from media import (
    MIRRORED,
    QUARTER_CLOCKWISE,
    cut_by_edit_list,
    draw_number,
    read_number,
    turn_display,
    write_clip,
)
from mm2energon.errors import MediaError
from mm2energon.video import decoders
from mm2energon.video.decoders import DECODERS
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.index import index_video
from mm2energon.video.sampling import Sampling

WANTED = (0, 7, 8, 31, 59)


def decoded(decoder: str, video: Path) -> list[int | None]:
    index = index_video(video, decode=True)
    return [read_number(picture.pixels()) for picture in DECODERS[decoder](video, index, WANTED)]


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("v.mp4", {"b_frames": 2}),
        ("v.mkv", {"b_frames": 2}),
        ("v.flv", {"b_frames": 2}),
        ("v.avi", {"codec": "mpeg4", "b_frames": 2}),
        ("v.mpg", {"codec": "mpeg2video", "b_frames": 2}),
        ("v.webm", {"codec": "libvpx-vp9"}),
        ("hevc.mp4", {"codec": "libx265", "pix_fmt": "yuv420p10le", "b_frames": 2}),
        ("odd.mkv", {"codec": "ffv1", "size": (161, 97)}),
        ("late.mp4", {"times": [3 + Fraction(number, 30) for number in range(60)]}),
    ],
)
def test_every_decoder_hands_over_the_frames_that_were_asked_for(
    tmp_path: Path, decoder: str, name: str, clip: dict[str, Any]
) -> None:
    assert decoded(decoder, write_clip(tmp_path / name, **clip)) == list(WANTED)


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_turns_frames_as_the_display_matrix_says(tmp_path: Path, decoder: str) -> None:
    video = write_clip(tmp_path / "v.mp4", draw=lambda number, _: np.rot90(draw_number(number, (96, 160))))
    assert decoded(decoder, turn_display(video, QUARTER_CLOCKWISE)) == list(WANTED)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("case", ["transport stream", "edit list", "mirrored", "av1", "raw", "h264 in avi"])
def test_no_decoder_ever_hands_over_a_wrong_frame(tmp_path: Path, decoder: str, case: str) -> None:
    if case == "transport stream":
        video, first = write_clip(tmp_path / "v.ts", b_frames=2), 0
    elif case == "edit list":
        video = cut_by_edit_list(write_clip(tmp_path / "v.mp4", frames=70, b_frames=2), Fraction(1, 3))
        first = 10
    elif case == "mirrored":
        video = write_clip(tmp_path / "v.mp4", draw=lambda number, size: draw_number(number, size)[:, ::-1])
        video, first = turn_display(video, MIRRORED), 0
    elif case == "av1":
        video, first = write_clip(tmp_path / "v.mkv", codec="libsvtav1"), 0
    elif case == "raw":
        video, first = write_clip(tmp_path / "v.h264", b_frames=2, container_format="h264"), 0
    else:
        video, first = write_clip(tmp_path / "v.avi", b_frames=2), 0
    try:
        taken = decoded(decoder, video)
    except MediaError as error:
        assert decoder != "pyav"
        assert error.code == "unreadable-video"
        assert "--decoder pyav" in str(error)
    else:
        assert taken == [first + number for number in WANTED]


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_decoder_is_chosen_by_its_name(tmp_path: Path, decoder: str) -> None:
    video = write_clip(tmp_path / "v.mp4", b_frames=2)
    frames = extract_frames(video, FrameOptions(Sampling(interval_seconds=0.5), decoder=decoder))
    assert [read_number(path) for path in frames.paths] == [0, 15, 30, 45]


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_frame_is_rgb_bytes_height_by_width_by_three(tmp_path: Path, decoder: str) -> None:
    video = write_clip(
        tmp_path / "v.mp4", frames=3, draw=lambda number, size: np.full((size[1], size[0], 3), [200, 40, 80], np.uint8)
    )
    (picture,) = DECODERS[decoder](video, index_video(video, decode=True), [1])
    pixels = picture.pixels()
    assert picture.size == (160, 96)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (96, 160, 3)
    assert np.abs(pixels.mean(axis=(0, 1)) - [200, 40, 80]).max() < 8


def decoded_kinds(
    monkeypatch: pytest.MonkeyPatch, video: Path, kinds: str, damaged: int, wanted: list[int]
) -> list[int]:
    """The wanted frames of a stream of picture types (I, P, B) in which the decoder patches one up."""
    frames = [
        SimpleNamespace(number=number, pict_type=PictureType[kind], key_frame=kind == "I", is_corrupt=number == damaged)
        for number, kind in enumerate(kinds)
    ]
    monkeypatch.setattr(decoders, "decode_frames", lambda *_: iter(frames))
    return [frame.number for frame in decoders._decode_all(video, wanted)]


@pytest.mark.parametrize("wanted", [[0, 4], [0, 5], [0, 6], [0, 9], [0, 3, 12]])
def test_a_frame_built_on_a_damaged_one_is_refused_wherever_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: list[int]
) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=3)
    kinds = "IBBPBBPBBPBBPBBI"
    assert decoded_kinds(monkeypatch, video, kinds, -1, wanted) == wanted
    with pytest.raises(MediaError, match="damaged") as caught:
        decoded_kinds(monkeypatch, video, kinds, 6, wanted)
    assert caught.value.code == "unreadable-video"


@pytest.mark.parametrize("wanted", [[0, 2], [3], [0, 15]])
def test_a_frame_that_needs_no_damaged_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: list[int]
) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=3)
    assert decoded_kinds(monkeypatch, video, "IBBPBBPBBPBBPBBI", 6, wanted) == wanted
