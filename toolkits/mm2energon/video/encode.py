"""Encode: the wanted frames of a video as JPEG, handed over one by one, and what is known of them in the end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, Protocol

from mm2energon.errors import InputError, MediaError
from mm2energon.stopwatch import Stopwatch
from mm2energon.video.decoders import DECODERS
from mm2energon.video.index import Index, IndexMismatch, index_video
from mm2energon.video.jpeg import encode_jpeg, encode_planes
from mm2energon.video.layout import SIDECAR_VERSION
from mm2energon.video.partial import index_before_fault
from mm2energon.video.picture import SIZE_FACTOR, Picture, fit_pixels, resize
from mm2energon.video.reach import plan_runs, share_out
from mm2energon.video.sampling import Choice, Sampling, choose
from mm2energon.video.streams import found_in, no_frames


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


@dataclass(frozen=True)
class Allowance:
    """What may be taken of a video; the frames of a sound one of usual length are the same with any."""

    #: A video of which more frames would be taken is refused.
    max_frames: int | None = None
    #: Take the frames before the fault of a damaged video, instead of none.
    keep_partial: bool = False


#: Any number of frames, of whole videos.
WHOLE_VIDEOS = Allowance()


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
    #: What is wrong with a video of which only the frames before the fault were taken.
    partial: str | None = None

    def sidecar(self, video: Path, options: FrameOptions) -> dict[str, Any]:
        """What stands in the JSON beside the frames."""
        index, choice = self.index, self.choice
        times = index.times[list(choice.indices)]
        about = {
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
        return about if self.partial is None else {**about, "partial": self.partial}


@dataclass(frozen=True, slots=True)
class _Work:
    """What is wanted of one video, and where it goes."""

    video: Path
    options: FrameOptions
    sink: Sink
    watch: Stopwatch
    allowance: Allowance


def encode_frames(
    video: Path,
    options: FrameOptions,
    sink: Sink,
    *,
    threads: int,
    watch: Stopwatch,
    allowance: Allowance = WHOLE_VIDEOS,
) -> Encoded:
    """Index, choose, decode the wanted frames, encode them into `sink`.

    Args:
        threads: stretches of the video that are decoded at the same time, where its packets allow, each a part of its
            own to the sink; the frames are the same with any number.
        watch: takes the time of the steps `read`, `decode`, `convert`, `encode`, `write`.

    Raises:
        MediaError: `missing-media`, `unreadable-video`, `no-frames`; `too-many-frames` more than are allowed.
    """
    work = _Work(video, options, sink, watch, allowance)
    try:
        return _encode_whole(work, threads)
    except MediaError as error:
        if not allowance.keep_partial or error.code != "unreadable-video":
            raise
        return _encode_partial(work, error)


def _encode_whole(work: _Work, threads: int) -> Encoded:
    with work.watch.time("read"):
        index = index_video(work.video, decode=work.options.decoder != "pyav")
    try:
        return _encode(work, index, threads)
    except IndexMismatch:
        # The packets promised other frames than the decoder shows (leading pictures, hidden ones): ask the decoder.
        work.sink.clear()
    except MemoryError:
        if threads == 1:
            raise
        work.sink.clear()
        return _encode(work, index, 1)  # several decoders hold several times the pictures
    with work.watch.time("decode"):
        index = index_video(work.video, decode=True)
    return _encode(work, index, 1)


def _encode_partial(work: _Work, error: MediaError) -> Encoded:
    """The frames before the fault; the error itself where there are none."""
    work.sink.clear()
    try:
        with work.watch.time("decode"):
            index = index_before_fault(work.video)
        encoded = _encode(work, index, 1)
    except MediaError as none_left:
        raise (none_left if none_left.code == "too-many-frames" else error) from none_left
    return replace(encoded, partial=found_in(error, work.video))


def _encode(work: _Work, index: Index, threads: int) -> Encoded:
    video, options = work.video, work.options
    choice = choose(index.times, index.duration_seconds, options.sampling, tolerance_seconds=index.tolerance_seconds)
    _check_count(work, len(choice.indices))
    decode = DECODERS[options.decoder]
    parts = _parts(index, choice.indices, threads)
    begins = [0, *accumulate(map(len, parts))]
    size: tuple[int, int] | None = None
    if len(parts) > 1:  # all of them go by the size of the first frame, as later ones in one stretch do
        size = next((fit_pixels(*one.size, options.max_pixels) for one in decode(video, index, parts[0][:1])), None)

    def encode_part(part: int) -> list[int]:
        nonlocal size
        written = []
        pictures = work.watch.each("decode", decode(video, index, parts[part]))
        for number, picture in enumerate(pictures, start=begins[part] + 1):
            size = size or fit_pixels(*picture.size, options.max_pixels)
            data = _encode_picture(picture, size, options.quality, work.watch)
            with work.watch.time("write"):
                work.sink.put(part, number, len(choice.indices), data)
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


def _check_count(work: _Work, count: int) -> None:
    limit = work.allowance.max_frames
    if limit is not None and count > limit:
        raise MediaError(
            f"{work.video}: {count} frames of it are wanted; at most {limit} were expected; "
            "raise --video-frame-limit, or take fewer by --time-interval or --max-frames",
            "too-many-frames",
        )


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
