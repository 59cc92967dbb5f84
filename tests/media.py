"""Media made by code: clips whose every frame tells its own number, and pictures.

A numbered picture is a grid of 4 x 4 black and white blocks: 12 bits of the number, then a 4-bit check. It survives
lossy compression, odd sizes and scaling; a picture that is turned, mirrored or blended fails the check.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder tells its life on stderr otherwise

GRID = 4
NUMBER_BITS = 12

#: Makes the picture of a number at (width, height): uint8, height x width x 3, RGB.
Draw = Callable[[int, tuple[int, int]], Any]

#: Of a picture that is shown as it was coded, and of one to be turned or mirrored: (a, b, c, d) of the display matrix.
UPRIGHT = (1, 0, 0, 1)
QUARTER_CLOCKWISE = (0, 1, -1, 0)
HALF = (-1, 0, 0, -1)
QUARTER_COUNTERCLOCKWISE = (0, -1, 1, 0)
MIRRORED = (-1, 0, 0, 1)


def draw_number(number: int, size: tuple[int, int]) -> Any:
    """The numbered picture."""
    bits = _bits(number)
    rows = np.arange(size[1]) * GRID // size[1]
    columns = np.arange(size[0]) * GRID // size[0]
    blocks = np.array(bits).reshape(GRID, GRID)[np.ix_(rows, columns)]
    return np.repeat(np.where(blocks, 224, 32).astype(np.uint8)[:, :, None], 3, axis=2)


def read_number(picture: Any) -> int | None:
    """The number of a picture (path, PIL image or RGB array); None when it does not pass its check."""
    image = Image.open(picture) if isinstance(picture, (str, Path)) else picture
    grey = np.asarray(image.convert("L") if isinstance(image, Image.Image) else image, dtype=float)
    grey = grey if grey.ndim == 2 else grey.mean(axis=2)
    height, width = grey.shape
    bits = []
    for row in range(GRID):
        for column in range(GRID):
            top, left = (2 * row + 1) * height // (2 * GRID), (2 * column + 1) * width // (2 * GRID)
            block = grey[top - height // 16 : top + height // 16 + 1, left - width // 16 : left + width // 16 + 1]
            bits.append(bool(block.mean() > 128))
    number = sum(bit << place for place, bit in enumerate(bits[:NUMBER_BITS]))
    return number if bits == _bits(number) else None


def draw_colours(number: int, size: tuple[int, int]) -> Any:
    """A smooth picture of many colours, different for each number."""
    x = np.linspace(0, 1, size[0])[None, :]
    y = np.linspace(0, 1, size[1])[:, None]
    waves = [np.sin(6.28 * (x * 1.5 + number / 7)) + y * 0, np.cos(6.28 * y + number / 5) + x * 0, x + y - 1]
    return np.stack([np.clip(127 + 120 * wave, 0, 255) for wave in waves], axis=2).astype(np.uint8)


def write_clip(
    path: Path,
    *,
    frames: int = 60,
    rate: Fraction | int = 30,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (160, 96),
    gop: int = 12,
    b_frames: int = 0,
    times: Sequence[float | Fraction] | None = None,
    first: int = 0,
    draw: Draw = draw_number,
    colours: tuple[int, int] | None = None,
    options: dict[str, str] | None = None,
    container_format: str | None = None,
) -> Path:
    """Write a clip of numbered pictures `first`, `first` + 1, ...; the container is that of the suffix.

    Args:
        times: seconds at which the frames appear, for a variable rate or a late start; by default number / rate.
        colours: matrix and range of the YCbCr frames, as the codes of H.273 and of FFmpeg (1, 1: BT.709, limited).
    """
    tick = Fraction(1, 90_000) if times is not None else 1 / Fraction(rate)
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=Fraction(rate), options=_encoder_options(codec, b_frames, options))
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = tick
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        if colours is not None:
            stream.codec_context.colorspace, stream.codec_context.color_range = colours
        for count in range(frames):
            frame = _frame(draw(first + count, size), pix_fmt, colours)
            frame.time_base = tick
            frame.pts = round(Fraction(times[count]) / tick) if times is not None else count
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_image(path: Path, *, size: tuple[int, int] = (64, 48), mode: str = "RGB", number: int = 1) -> Path:
    """Write a numbered picture in the format of the suffix."""
    Image.fromarray(draw_number(number, size)).convert(mode).save(path)
    return path


def ffmpeg(*arguments: object) -> None:
    """Run ffmpeg, quietly; fails the test when it fails."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def turn_display(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Set the display matrix of the (only) track of an MP4: a point (x, y) is shown at (a x + c y, b x + d y)."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    at = data.index(b"tkhd") + 4 + 40  # version 0: flags, 5 words, 2 reserved, layer, group, volume, reserved
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def cut_by_edit_list(path: Path, seconds: Fraction) -> Path:
    """Let the edit list of the (only) track of an MP4 begin later: the frames before are decoded, not shown."""
    data = bytearray(path.read_bytes())
    header = data.index(b"mdhd")
    timescale = struct.unpack_from(">I", data, header + 4 + 4 + 8)[0]
    entry = data.index(b"elst") + 4 + 8
    duration, media_time = struct.unpack_from(">Ii", data, entry)
    movie_scale = struct.unpack_from(">I", data, data.index(b"mvhd") + 4 + 4 + 8)[0]
    struct.pack_into(
        ">Ii", data, entry, duration - round(seconds * movie_scale), media_time + round(seconds * timescale)
    )
    path.write_bytes(data)
    return path


def drop_first_group(source: Path, target: Path) -> Path:
    """Copy a clip from its second key frame on, leading pictures of that frame included."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream)
        key_frames = 0
        for packet in read.demux(stream):
            key_frames += packet.is_keyframe
            if packet.size and key_frames > 1:
                packet.stream = copy
                written.mux(packet)
    return target


def read_numbers(paths: Sequence[Path]) -> list[int | None]:
    """The numbers of many pictures."""
    return [read_number(path) for path in paths]


def _bits(number: int) -> list[bool]:
    check = (number * 7 + 5) % 13 + 1
    return [bool((number | check << NUMBER_BITS) >> place & 1) for place in range(GRID * GRID)]


def _frame(pixels: Any, pix_fmt: str, colours: tuple[int, int] | None) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    matrix, colour_range = colours or (5, 2 if pix_fmt.startswith("yuvj") else 1)
    return frame.reformat(format=pix_fmt, dst_colorspace=matrix, dst_color_range=colour_range)


def _encoder_options(codec: str, b_frames: int, options: dict[str, str] | None) -> dict[str, str]:
    """Fast settings that keep the blocks legible and are the same on every machine."""
    fast = {
        "libx264": {"preset": "ultrafast", "bf": str(b_frames), "crf": "18", "threads": "1"},
        "libx265": {"preset": "ultrafast", "x265-params": f"log-level=none:pools=1:bframes={b_frames}"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"},
        "libsvtav1": {"preset": "12", "crf": "20", "svtav1-params": "lp=1"},
    }
    return fast.get(codec, {}) | (options or {})
