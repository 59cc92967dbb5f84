"""Decoders: the wanted frames of a video, as RGB pixels, from one of several libraries.

PyAV is the truth about which frames there are. The others hand over frames by their ordinal, and only when they count
as many as the index does: a decoder that drops or invents a frame would hand over the wrong ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import MediaError, missing_extra
from mm2energon.video.index import Index, IndexMismatch, decode_frames
from mm2energon.video.picture import read_orientation, to_rgb, turn
from mm2energon.video.streams import open_video, unreadable

#: One frame: uint8, height x width x 3, RGB, upright.
Pixels = NDArray[np.uint8]

#: (video, index, wanted ordinals, rising) -> the wanted frames, in that order, made as they are asked for.
Decoder = Callable[[Path, Index, Sequence[int]], Iterator[Pixels]]


def decode_pyav(video: Path, index: Index, wanted: Sequence[int]) -> Iterator[Pixels]:
    """Decode with PyAV (FFmpeg), up to the last wanted frame; only wanted frames are converted.

    Raises:
        MediaError: `unreadable-video`.
        IndexMismatch: the index was read off the packets, and a decoded frame is not the one it tells.
    """
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()
    wanted_left = iter(wanted)
    next_wanted = next(wanted_left, None)
    with open_video(video) as (container, stream):
        for ordinal, frame in enumerate(decode_frames(video, container, stream)):
            if next_wanted is None:
                return
            if not index.decoded and (ordinal >= len(index) or frame.pts != int(index.pts[ordinal])):
                raise IndexMismatch
            if ordinal == next_wanted:
                yield turn(to_rgb(frame, reformatter), read_orientation(frame))
                next_wanted = next(wanted_left, None)
                if next_wanted is None:
                    return
    if next_wanted is not None:
        if not index.decoded:
            raise IndexMismatch
        raise unreadable(video, f"a second pass over it ends before frame {next_wanted}")


def decode_opencv(video: Path, index: Index, wanted: Sequence[int]) -> Iterator[Pixels]:
    """Decode with OpenCV, front to back; colours are as OpenCV makes them (BT.601, whatever the file says).

    Raises:
        MediaError: `unreadable-video` it cannot open the file, or counts other frames than the index.
    """
    try:
        import cv2
    except ImportError as error:
        raise missing_extra("opencv-python-headless", "opencv") from error

    settings = [cv2.CAP_PROP_ORIENTATION_AUTO, 0, cv2.CAP_PROP_N_THREADS, 1]
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG, settings)
    try:
        orientation = _first_orientation(video)
        left = set(wanted)
        count = 0
        while capture.grab():
            if count in left:
                found, pixels = capture.retrieve()
                if not found:
                    raise _disagrees(video, "opencv", count, len(index))
                yield turn(np.ascontiguousarray(pixels[:, :, ::-1]), orientation)
            count += 1
        if count != len(index):
            raise _disagrees(video, "opencv", count, len(index))
    finally:
        capture.release()


def decode_decord(video: Path, index: Index, wanted: Sequence[int]) -> Iterator[Pixels]:
    """Decode with decord, front to back; colours are as decord makes them.

    Raises:
        MediaError: `unreadable-video` it cannot open the file, or counts other frames than the index.
        DependencyError: decord is not installed.
    """
    try:
        import decord
    except ImportError as error:
        raise missing_extra("decord", "decord") from error

    try:
        reader = decord.VideoReader(str(video), num_threads=1)
        if len(reader) != len(index):
            raise _disagrees(video, "decord", len(reader), len(index))
        position = 0
        for ordinal in wanted:
            reader.skip_frames(ordinal - position)
            yield reader.next().asnumpy()
            position = ordinal + 1
    except (decord.DECORDError, RuntimeError, StopIteration) as error:
        found = f"decord cannot decode it ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        raise unreadable(video, f"{found}, --decoder pyav may") from error


#: Name of a decoder, as `--decoder` takes it -> its function.
DECODERS: dict[str, Decoder] = {"pyav": decode_pyav, "opencv": decode_opencv, "decord": decode_decord}


def _first_orientation(video: Path) -> tuple[int, int, int, int]:
    with open_video(video) as (container, stream):
        return read_orientation(next(decode_frames(video, container, stream)))


def _disagrees(video: Path, decoder: str, count: int, expected: int) -> MediaError:
    return MediaError(
        f"{video}: {decoder} finds {count} frames; expected the {expected} that are shown; use --decoder pyav",
        "unreadable-video",
    )
