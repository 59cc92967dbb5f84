"""Encode: the wanted frames of a video as JPEG, handed over one by one, and what is known of them in the end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, Protocol

from mm2energon.errors import InputError
from mm2energon.stopwatch import Stopwatch
from mm2energon.video.decoders import DECODERS
from mm2energon.video.index import Index, IndexMismatch, index_video
from mm2energon.video.jpeg import encode_jpeg, encode_planes
from mm2energon.video.layout import SIDECAR_VERSION
from mm2energon.video.picture import SIZE_FACTOR, Picture, fit_pixels, resize
from mm2energon.video.reach import plan_runs, share_out
from mm2energon.video.sampling import Choice, Sampling, choose
from mm2energon.video.streams import no_frames


@dataclass(frozen=True)
class FrameOptions:
    """How frames are made.

    Raises:
        InputError: a value is out of range.
    """

    sampling: Sampling
    #: Larger frames are made smaller, to sides that are multiples of 28; None keeps the size.
    max_pixels: int | None = None
    #: JPEG quality, 1 to 100.
    quality: int = 95
    #: A name in `DECODERS`.
    decoder: str = "pyav"

    def __post_init__(self) -> None:
        if self.decoder not in DECODERS:
            raise InputError(f"frames: decoder is {self.decoder!r}; expected one of {', '.join(DECODERS)}; choose one")
        if not 1 <= self.quality <= 100:
            raise InputError(f"frames: quality is {self.quality}; expected 1 to 100; give one, such as 95")
        if self.max_pixels is not None and self.max_pixels < SIZE_FACTOR**2:
            raise InputError(
                f"frames: max_pixels is {self.max_pixels}; expected {SIZE_FACTOR**2} or more (28 x 28); raise it"
            )


class Sink(Protocol):
    """Takes encoded frames."""

    def put(self, part: int, number: int, count: int, data: bytes) -> None:
        """Take frame `number`, from 1 up, of `count`; the frames of one part come in order, on one thread."""

    def clear(self) -> None:
        """Forget the frames taken so far: they come anew."""


@dataclass(frozen=True)
class Encoded:
    """What is known of the frames once all are handed over."""

    index: Index
    choice: Choice
    #: Width and height in pixels.
    size: tuple[int, int]
    #: Bytes of each frame.
    frame_bytes: tuple[int, ...]

    def sidecar(self, video: Path, options: FrameOptions) -> dict[str, Any]:
        """What stands in the JSON beside the frames."""
        index, choice = self.index, self.choice
        times = index.times[list(choice.indices)]
        return {
            "fps": str(choice.fps),
            "source": video.name,
            "source_fps": round(index.source_fps, 6),
            "duration_seconds": round(index.duration_seconds, 6),
            "start_seconds": round(index.start_seconds, 6),
            "width": self.size[0],
            "height": self.size[1],
            "times": [round(float(seconds), 6) for seconds in times],
            "frame_bytes": list(self.frame_bytes),
            "options": asdict(options),
            "version": SIDECAR_VERSION,
        }


def encode_frames(video: Path, options: FrameOptions, sink: Sink, *, threads: int, watch: Stopwatch) -> Encoded:
    """Index, choose, decode the wanted frames, encode them into `sink`.

    Args:
        threads: stretches of the video that are decoded at the same time, where its packets allow, each a part of its
            own to the sink; the frames are the same with any number.
        watch: takes the time of the steps `read`, `decode`, `convert`, `encode`, `write`.

    Raises:
        MediaError: `missing-media`, `unreadable-video`, `no-frames`.
    """
    with watch.time("read"):
        index = index_video(video, decode=options.decoder != "pyav")
    try:
        return _encode(video, options, sink, index, threads, watch)
    except IndexMismatch:
        # The packets promised other frames than the decoder shows (leading pictures, hidden ones): ask the decoder.
        sink.clear()
    except MemoryError:
        if threads == 1:
            raise
        sink.clear()
        return _encode(video, options, sink, index, 1, watch)  # several decoders hold several times the pictures
    with watch.time("decode"):
        index = index_video(video, decode=True)
    return _encode(video, options, sink, index, 1, watch)


def _encode(video: Path, options: FrameOptions, sink: Sink, index: Index, threads: int, watch: Stopwatch) -> Encoded:
    choice = choose(index.times, index.duration_seconds, options.sampling, tolerance_seconds=index.tolerance_seconds)
    decode = DECODERS[options.decoder]
    parts = _parts(index, choice.indices, threads)
    begins = [0, *accumulate(map(len, parts))]
    size: tuple[int, int] | None = None
    if len(parts) > 1:  # all of them go by the size of the first frame, as later ones in one stretch do
        size = next((fit_pixels(*one.size, options.max_pixels) for one in decode(video, index, parts[0][:1])), None)

    def encode_part(part: int) -> list[int]:
        nonlocal size
        written = []
        pictures = watch.each("decode", decode(video, index, parts[part]))
        for number, picture in enumerate(pictures, start=begins[part] + 1):
            size = size or fit_pixels(*picture.size, options.max_pixels)
            data = _encode_picture(picture, size, options.quality, watch)
            with watch.time("write"):
                sink.put(part, number, len(choice.indices), data)
            written.append(len(data))
        return written

    if len(parts) == 1:
        frame_bytes = encode_part(0)
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            frame_bytes = list(chain.from_iterable(pool.map(encode_part, range(len(parts)))))
    if size is None:
        raise no_frames(video, "its decoder hands over nothing")
    return Encoded(index, choice, size, tuple(frame_bytes))


def _parts(index: Index, ordinals: Sequence[int], threads: int) -> list[Sequence[int]]:
    """The wanted frames in stretches that can be decoded at the same time, about as long each."""
    if threads == 1 or index.packets is None:
        return [ordinals]
    runs = plan_runs(index.packets, index.pts[list(ordinals)].tolist())
    ends = list(accumulate(sum(len(run.wanted) for run in row) for row in share_out(runs, threads)))
    return [ordinals[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _encode_picture(picture: Picture, size: tuple[int, int], quality: int, watch: Stopwatch) -> bytes:
    """The JPEG of a decoded frame at `size` (width, height)."""
    with watch.time("convert"):
        planes = picture.planes() if size == picture.size else None
        pixels = resize(picture.pixels(), size) if planes is None else planes[0]
    with watch.time("encode"):
        return encode_jpeg(pixels, quality=quality) if planes is None else encode_planes(planes, quality=quality)
