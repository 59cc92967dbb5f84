"""Clip: the frames that were on the screen, at their times, upright, with the sound that went with them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from media import draw_colours, read_number, turn_display, write_clip
from mm2energon.errors import MediaError
from mm2energon.video.clip import Footage, write_mp3
from mm2energon.video.encode import FrameOptions
from mm2energon.video.extract import extract_frames
from mm2energon.video.index import index_video
from mm2energon.video.sampling import Sampling
from PIL import Image


def shown(path: Path) -> list[tuple[float, int | None]]:
    """Time and number of each frame of a clip."""
    with av.open(str(path)) as container:
        return [
            (round(float(frame.time), 4), read_number(frame.to_ndarray(format="rgb24")))
            for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_clip_holds_the_frames_that_were_on_the_screen(codec: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mp4", frames=60, rate=10, codec=codec)
    assert Footage(source).cut(tmp_path / "clip.mp4", 2.05, 3.25) == 13
    found = shown(tmp_path / "clip.mp4")
    assert [number for _, number in found] == list(range(20, 33))
    assert [time for time, _ in found] == pytest.approx([0.0, *(0.05 + 0.1 * n for n in range(12))], abs=0.002)


def test_the_bytes_of_a_clip_are_the_same_each_time(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mp4", frames=60, rate=25, size=(320, 192))
    footage = Footage(source)
    for number in range(12):
        footage.cut(tmp_path / f"{number}.mp4", 0.0, 2.2)
    assert len({(tmp_path / f"{number}.mp4").read_bytes() for number in range(12)}) == 1


def test_a_clip_ends_with_the_last_frame_before_its_end(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mp4", frames=20, rate=10)
    assert Footage(source).cut(tmp_path / "clip.mp4", 1.0, 1.5) == 5
    assert [number for _, number in shown(tmp_path / "clip.mp4")] == [10, 11, 12, 13, 14]


def test_a_clip_of_the_end_has_what_is_there(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mp4", frames=20, rate=10)
    assert Footage(source).cut(tmp_path / "clip.mp4", 1.75, 60.0) == 3
    assert [number for _, number in shown(tmp_path / "clip.mp4")] == [17, 18, 19]


def test_a_stretch_after_the_end_shows_the_last_frame_on(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mp4", frames=20, rate=10)
    assert Footage(source).cut(tmp_path / "clip.mp4", 5.0, 6.0) == 1
    assert [number for _, number in shown(tmp_path / "clip.mp4")] == [19]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("whole.ts", "libx264"),
        ("whole.ts", "mpeg2video"),
        ("whole.mpg", "mpeg2video"),
        ("whole.flv", "libx264"),
        ("whole.avi", "libx264"),
        ("whole.mkv", "libx265"),
    ],
)
def test_a_clip_from_the_middle_is_right_where_seeking_is_not_exact(name: str, codec: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / name, frames=100, rate=25, codec=codec, b_frames=2, gop=40)
    begin = index_video(source).start_seconds
    footage = Footage(source)
    for first, last in ((0, 10), (30, 45), (97, 99)):  # between two key frames, and at both ends
        footage.cut(tmp_path / "clip.mp4", begin + first / 25 + 0.01, begin + last / 25 + 0.01)
        assert [number for _, number in shown(tmp_path / "clip.mp4")] == list(range(first, last + 1))


@pytest.mark.parametrize("colours", [(1, 1), (1, 2), (6, 2), (9, 1), (2, 1)])
def test_a_clip_has_the_colours_of_its_source(colours: tuple[int, int], tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mp4", frames=5, rate=10, size=(96, 64), draw=draw_colours, colours=colours)
    Footage(source).cut(tmp_path / "clip.mp4", 0.0, 0.5)
    expected = draw_colours(0, (96, 64)).astype(float)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        first = next(container.decode(video=0))
        assert (first.colorspace, first.color_range) == (6, 1)  # BT.601, limited: what readers assume who do not look
    assert np.abs(first.to_ndarray(format="rgb24") - expected).mean() < 6


def test_the_last_frame_of_a_clip_stays_until_its_end(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mkv", frames=3, rate=10, times=[0, 1, 5], codec="ffv1")
    Footage(source).cut(tmp_path / "clip.mp4", 0.5, 4.0)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert float(container.streams.video[0].duration * container.streams.video[0].time_base) == pytest.approx(3.5)


def test_of_a_damaged_video_what_comes_before_the_fault_is_cut(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mkv", frames=60, rate=10)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    assert Footage(source).cut(tmp_path / "clip.mp4", 1.0, 2.0) == 10
    with pytest.raises(MediaError) as failure:
        Footage(source).cut(tmp_path / "later.mp4", 5.0, 6.0)
    assert failure.value.code == "unreadable-video"


@pytest.mark.parametrize(
    "matrix", [(0, 1, -1, 0), (0, -1, 1, 0), (-1, 0, 0, -1), (-1, 0, 0, 1), (0, 1, 1, 0), (0, -1, -1, 0)]
)
def test_a_clip_of_a_turned_video_is_upright_as_its_frames_are(
    matrix: tuple[int, int, int, int], tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "whole.mp4", frames=10, rate=10, size=(96, 64), draw=draw_colours)
    turn_display(source, matrix)
    Footage(source).cut(tmp_path / "clip.mp4", 0.0, 0.5)
    frames = extract_frames(source, FrameOptions(Sampling(fps=10)))
    with av.open(str(tmp_path / "clip.mp4")) as container:
        first = next(container.decode(video=0))
    expected = np.asarray(Image.open(frames.folder / frames.names[0]).convert("RGB"), float)
    assert first.rotation == 0
    assert (first.height, first.width) == expected.shape[:2]
    assert np.abs(first.to_ndarray(format="rgb24") - expected).mean() < 4


def test_sides_that_are_odd_lose_a_line(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mkv", frames=10, rate=10, size=(97, 65), codec="ffv1", pix_fmt="yuv444p")
    Footage(source).cut(tmp_path / "clip.mp4", 0.0, 0.5)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (96, 64)


def test_a_clip_has_the_sound_that_goes_with_it(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mp4", frames=20, rate=10)
    sound = np.zeros(16_000, np.int16)
    sound[8_000:8_800] = 20_000 * np.sign(np.sin(np.arange(800)))
    Footage(source).cut(tmp_path / "clip.mp4", 0.5, 1.5, sound=sound)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    loud = np.flatnonzero(np.abs(heard) > 0.1)
    assert loud[0] / 16_000 == pytest.approx(0.5, abs=0.03)
    assert len(heard) / 16_000 == pytest.approx(1.0, abs=0.1)


def test_a_file_without_a_picture_gives_no_clip(tmp_path: Path) -> None:
    write_mp3(tmp_path / "voice.mp3", np.zeros(16_000, np.int16))
    with pytest.raises(MediaError) as failure:
        Footage(tmp_path / "voice.mp3").cut(tmp_path / "clip.mp4", 0.0, 1.0)
    assert failure.value.code == "no-frames"
    assert [path.name for path in tmp_path.iterdir()] == ["voice.mp3"]


def test_an_mp3_holds_the_sound_for_as_long(tmp_path: Path) -> None:
    tone = np.rint(np.sin(np.arange(32_000) * 2 * np.pi * 440 / 16_000) * 9_000).astype(np.int16)
    write_mp3(tmp_path / "voice.mp3", tone)
    with av.open(str(tmp_path / "voice.mp3")) as container:
        frames = list(container.decode(audio=0))
    assert (frames[0].sample_rate, frames[0].layout.name) == (16_000, "mono")
    heard = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert len(heard) / 16_000 == pytest.approx(2.0, abs=0.11)
    assert np.sqrt(np.mean(np.square(heard[8_000:24_000]))) == pytest.approx(9_000 / 32_768 / np.sqrt(2), rel=0.05)
