"""Colours and sizes of the extracted frames, against ffmpeg's own conversion and against what was drawn."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from hypothesis import given
from hypothesis import strategies as st
from media import draw_colours, write_clip
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.jpeg import encode_jpeg, encode_planes
from mm2energon.video.picture import SIZE_FACTOR, UPRIGHT, CodedPicture, fit_pixels
from mm2energon.video.sampling import Sampling
from PIL import Image

EVERY_FRAME = FrameOptions(Sampling(fps=30))
BT709, BT601, BT2020 = 1, 6, 9
LIMITED, FULL = 1, 2


def psnr(left: Any, right: Any) -> float:
    """Peak signal-to-noise ratio in decibels."""
    error = np.mean((np.asarray(left, dtype=float) - np.asarray(right, dtype=float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def rgb_by_ffmpeg(video: Path, size: tuple[int, int]) -> Any:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(video), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, dtype=np.uint8).reshape(-1, size[1], size[0], 3)


@pytest.mark.parametrize(
    ("pix_fmt", "colours", "codec", "size"),
    [
        ("yuv420p", None, "libx264", (320, 192)),
        ("yuv420p", None, "libx264", (1280, 720)),
        ("yuv420p", (BT709, LIMITED), "libx264", (320, 192)),
        ("yuv420p", (BT601, LIMITED), "libx264", (1280, 720)),
        ("yuv420p", (BT709, FULL), "libx264", (320, 192)),
        ("yuvj420p", (BT601, FULL), "libx264", (320, 192)),
        ("yuv420p10le", (BT709, LIMITED), "libx264", (320, 192)),
        ("yuv422p", (BT709, LIMITED), "libx264", (320, 192)),
        ("yuv444p", (BT709, LIMITED), "libx264", (161, 97)),
        ("yuv420p", (BT709, LIMITED), "ffv1", (161, 97)),
        ("bgr0", None, "ffv1", (161, 97)),
        ("yuva420p", None, "ffv1", (160, 96)),
    ],
)
def test_colours_are_those_that_were_drawn_and_those_that_ffmpeg_shows(
    tmp_path: Path, pix_fmt: str, colours: tuple[int, int] | None, codec: str, size: tuple[int, int]
) -> None:
    clip = {"frames": 2, "pix_fmt": pix_fmt, "codec": codec, "size": size, "colours": colours}
    video = write_clip(tmp_path / "v.mkv", draw=draw_colours, **clip)
    frames = [Image.open(path) for path in extract_frames(video, EVERY_FRAME).paths]
    for number, (frame, by_ffmpeg) in enumerate(zip(frames, rgb_by_ffmpeg(video, size), strict=True)):
        assert psnr(frame, by_ffmpeg) > 40
        assert psnr(frame, draw_colours(number, size)) > 38


def test_a_bt2020_video_is_shown_as_ffmpeg_shows_it(tmp_path: Path) -> None:
    clip = {"frames": 1, "size": (320, 192), "colours": (BT2020, LIMITED)}
    video = write_clip(tmp_path / "v.mkv", draw=draw_colours, **clip)
    (path,) = extract_frames(video, EVERY_FRAME).paths
    assert psnr(Image.open(path), rgb_by_ffmpeg(video, (320, 192))[0]) > 40


def test_a_grey_video_gives_grey_frames(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mkv", frames=1, pix_fmt="gray", draw=draw_colours, size=(320, 192))
    (path,) = extract_frames(video, EVERY_FRAME).paths
    assert psnr(Image.open(path), rgb_by_ffmpeg(video, (320, 192))[0]) > 40


def test_the_jpeg_is_plain_jfif_with_half_the_chroma(tmp_path: Path) -> None:
    (path,) = extract_frames(write_clip(tmp_path / "v.mp4", frames=1), EVERY_FRAME).paths
    picture = Image.open(path)
    assert (picture.format, picture.mode) == ("JPEG", "RGB")
    assert picture.info["jfif_version"] == (1, 1)
    components = [(identity, h, v) for identity, h, v, _ in picture.layer]  # type: ignore[attr-defined]
    assert components == [(1, 2, 2), (2, 1, 1), (3, 1, 1)]


def test_a_finer_quality_makes_a_larger_file(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=1, draw=draw_colours)
    sizes = []
    for quality in (50, 95):
        (path,) = extract_frames(video, FrameOptions(Sampling(fps=30), quality=quality)).paths
        sizes.append(path.stat().st_size)
    assert sizes[0] < sizes[1]


def test_a_frame_that_fits_keeps_its_size() -> None:
    assert fit_pixels(1920, 1080, None) == (1920, 1080)
    assert fit_pixels(640, 360, 640 * 360) == (640, 360)


@pytest.mark.parametrize(
    ("size", "max_pixels", "expected"),
    [  # by smart_resize of transformers' Qwen2-VL, min_pixels 1
        ((1920, 1080), 1280 * 28 * 28, (1316, 728)),
        ((1920, 1080), 768 * 28 * 28, (1008, 560)),
        ((1080, 1920), 256 * 28 * 28, (336, 588)),
        ((640, 480), 128 * 28 * 28, (364, 252)),
        ((570, 570), 560 * 560, (560, 560)),
        ((1919, 1079), 1900 * 1080, (1904, 1064)),
    ],
)
def test_the_size_is_that_of_qwens_smart_resize(
    size: tuple[int, int], max_pixels: int, expected: tuple[int, int]
) -> None:
    assert fit_pixels(*size, max_pixels) == expected


@given(st.integers(1, 8000), st.integers(1, 8000), st.integers(SIZE_FACTOR**2, 4_000_000))
def test_no_size_exceeds_the_limit(width: int, height: int, max_pixels: int) -> None:
    fitted = fit_pixels(width, height, max_pixels)
    assert fitted[0] * fitted[1] <= max_pixels
    if fitted != (width, height):
        assert fitted[0] % SIZE_FACTOR == fitted[1] % SIZE_FACTOR == 0


def planes_of_jpeg(path: Path) -> list[Any]:
    """Y, Cb and Cr of a JPEG, as they are stored; chroma at the size of luma, each sample twice both ways."""
    image = Image.open(path)
    image.draft("YCbCr", image.size)
    return list(np.moveaxis(np.asarray(image).astype(float), 2, 0))


@pytest.mark.parametrize("size", [(160, 96), (162, 98), (161, 97)])
@pytest.mark.parametrize("colours", [None, (BT601, LIMITED), (BT601, FULL)])
def test_the_planes_of_bt601_video_are_stored_at_full_range(
    tmp_path: Path, size: tuple[int, int], colours: tuple[int, int] | None
) -> None:
    video = write_clip(tmp_path / "v.mkv", frames=1, codec="ffv1", size=size, colours=colours, draw=draw_colours)
    with av.open(str(video)) as container:
        frame = next(container.decode(video=0))
        luma, cb, cr = (
            np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].astype(float)
            for plane in frame.planes
        )
    (path,) = extract_frames(video, FrameOptions(Sampling(fps=30), quality=100)).paths
    stored = planes_of_jpeg(path)
    full = colours is not None and colours[1] == FULL
    wanted = luma if full else (luma - 16) * 255 / 219
    assert np.abs(stored[0] - np.clip(wanted, 0, 255)).max() <= 2
    for got, plane in ((stored[1], cb), (stored[2], cr)):
        wanted = plane if full else (plane - 128) * 255 / 224 + 128
        blocks = np.kron(np.clip(wanted, 0, 255), np.ones((2, 2)))[: size[1], : size[0]]
        assert np.abs(got - blocks).mean() <= 2.5  # libjpeg smooths chroma when it stretches it


def test_the_way_by_planes_is_nearer_to_the_source_than_the_way_by_rgb(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mkv", frames=1, codec="ffv1", size=(320, 192), draw=draw_colours)
    with av.open(str(video)) as container:
        frame = next(container.decode(video=0))
        picture = CodedPicture(frame, UPRIGHT, VideoReformatter())
        planes = picture.planes()
        assert planes is not None
        by_planes = encode_planes(planes, quality=95)
        by_rgb = encode_jpeg(picture.pixels(), quality=95)
    drawn = draw_colours(0, (320, 192))
    assert psnr(Image.open(io.BytesIO(by_planes)), drawn) > psnr(Image.open(io.BytesIO(by_rgb)), drawn)


@pytest.mark.parametrize(
    ("pix_fmt", "colours"),
    [("yuv420p", (BT709, LIMITED)), ("yuv420p", (BT2020, LIMITED)), ("yuv422p", None), ("yuv420p10le", None)],
)
def test_planes_that_mean_other_colours_in_a_jpeg_are_not_stored(
    tmp_path: Path, pix_fmt: str, colours: tuple[int, int] | None
) -> None:
    video = write_clip(tmp_path / "v.mkv", frames=1, codec="ffv1", pix_fmt=pix_fmt, colours=colours)
    with av.open(str(video)) as container:
        frame = next(container.decode(video=0))
        assert CodedPicture(frame, UPRIGHT, None).planes() is None
