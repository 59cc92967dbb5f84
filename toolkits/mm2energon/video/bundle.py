"""Bundle: pictures that are the frames of a video as one video file, each byte for byte; nothing is encoded again."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from typing import IO

import av

#: First bytes of pictures that MP4 can hold as they are -> codec, and the pixels that its header names.
_CODECS = {b"\xff\xd8\xff": ("mjpeg", "yuvj420p"), b"\x89PNG": ("png", "rgb24")}


#: Rates that the clock of a file can say.
_FPS = (0.001, 1000)


def can_bundle(frames: Sequence[bytes], fps: float) -> bool:
    """Whether the pictures can be a video file: all JPEG, or all PNG, of one size, at a rate that is one."""
    if not _FPS[0] <= fps <= _FPS[1]:
        return False
    one_kind = any(all(frame.startswith(head) for frame in frames) for head in _CODECS)
    try:
        sizes = set(map(_size, frames)) if one_kind else set()
    except (av.FFmpegError, IndexError):
        return False
    return len(sizes) == 1 and all(map(all, sizes))  # of what is no whole picture the sides are 0


def bundle(file: IO[bytes], frames: Sequence[bytes], *, fps: float) -> None:
    """Write pictures that can be bundled as an MP4 file, which has the same bytes whenever it is written."""
    codec, pixels = next(about for head, about in _CODECS.items() if frames[0].startswith(head))
    rate = Fraction(fps).limit_denominator(100_000)
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height = _size(frames[0])
        stream.pix_fmt, stream.time_base = pixels, 1 / rate
        for number, frame in enumerate(frames):
            packet = av.Packet(frame)
            packet.stream, packet.time_base = stream, 1 / rate
            packet.pts = packet.dts = number
            packet.duration, packet.is_keyframe = 1, True
            out.mux(packet)


def _size(picture: bytes) -> tuple[int, int]:
    with av.open(BytesIO(picture)) as opened:
        stream = opened.streams.video[0]
        return stream.width, stream.height
