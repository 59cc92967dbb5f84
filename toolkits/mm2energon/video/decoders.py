"""Decoders: the wanted frames of a video, from one of several libraries.

PyAV is the truth about which frames there are. The others hand over frames by their ordinal, and only when they count
as many as the index does: a decoder that drops or invents a frame would hand over the wrong ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mm2energon.errors import DependencyError, MediaError, missing_extra
from mm2energon.video.index import MOST_BETWEEN, Index, decode_frames, is_between
from mm2energon.video.partial import frames_before_fault
from mm2energon.video.picture import (
    CodedPicture,
    Orientation,
    Picture,
    Pixels,
    RgbPicture,
    read_orientation,
    to_rgb,
    turn,
)
from mm2energon.video.runs import decode_needed
from mm2energon.video.streams import lacks_memory, no_frames, open_video, unreadable

if TYPE_CHECKING:
    import av

#: (video, index, wanted ordinals, rising) -> the wanted frames, in that order, made as they are asked for.
Decoder = Callable[[Path, Index, Sequence[int]], Iterator[Picture]]

#: Mean difference (0 to 255) below which two decoders show the same picture: a matrix mixed up stays below it.
SAME_PICTURE = 24.0


def decode_pyav(video: Path, index: Index, wanted: Sequence[int]) -> Iterator[CodedPicture]:
    """Decode with PyAV (FFmpeg): no more than the wanted frames need, where the packets tell; only they are converted.

    Raises:
        MediaError: `unreadable-video`, also when a wanted frame is damaged.
        IndexMismatch: the index was read off the packets, and a decoded frame is not the one it tells.
    """
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()
    orientations: dict[int, Orientation] = {}
    for frame in _frames(video, index, wanted):
        # One matrix per angle is read: reading ties the frame into a cycle, which keeps its memory for long.
        if frame.rotation not in orientations:
            orientations[frame.rotation] = read_orientation(frame)
        yield CodedPicture(frame, orientations[frame.rotation], reformatter)


def _frames(video: Path, index: Index, wanted: Sequence[int]) -> Iterator[av.VideoFrame]:
    if index.is_partial:
        numbered, taken = enumerate(frames_before_fault(video)), frozenset(wanted)
        return (frame for ordinal, frame in islice(numbered, wanted[-1] + 1) if ordinal in taken)
    if index.packets is None:
        return _decode_all(video, wanted)
    ticks: list[int] = index.pts[list(wanted)].tolist()
    return decode_needed(video, index.packets, ticks)


def _decode_all(video: Path, wanted: Sequence[int]) -> Iterator[av.VideoFrame]:
    """The wanted frames by their ordinals, from decoding front to back, a little beyond the last of them.

    What a decoder has patched up spoils the frames that build on it: those behind it up to the next key frame, and
    those that are shown before it and decoded after it. A wanted frame waits until the latter would be known.
    """
    left, waiting = set(wanted), deque[tuple[int, Any]]()
    damaged = False
    with open_video(video) as (container, stream):
        for ordinal, frame in enumerate(decode_frames(video, container, stream)):
            if frame.is_corrupt and waiting:
                raise unreadable(video, f"frame {waiting[0][0]} is damaged, or built on one that is")
            damaged = frame.is_corrupt or (damaged and not frame.key_frame)
            if ordinal in left:
                if damaged:
                    raise unreadable(video, f"frame {ordinal} is damaged")
                waiting.append((ordinal, frame))
                left.remove(ordinal)
            while waiting and (not is_between(frame) or ordinal - waiting[0][0] >= MOST_BETWEEN):
                yield waiting.popleft()[1]
            if not left and not waiting:
                return
    yield from (frame for _, frame in waiting)
    if left:
        raise unreadable(video, f"a second pass over it ends before frame {min(left)}")


def decode_opencv(video: Path, index: Index, wanted: Sequence[int]) -> Iterator[Picture]:
    """Decode with OpenCV, front to back; colours are as OpenCV makes them (BT.601, whatever the file says).

    Raises:
        MediaError: `unreadable-video` it cannot open the file, or counts other frames than the index.
        DependencyError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        if lacks_memory(error):
            raise MemoryError(f"OpenCV cannot be loaded ({error})") from error
        raise DependencyError(
            "OpenCV is not installed; --decoder opencv needs it; run: pip install opencv-python-headless"
        ) from error

    first = _first_frame(video)
    capture = cv2.VideoCapture(str(video.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # we turn frames ourselves: it knows no mirrored ones
    try:
        left = set(wanted)
        count = 0
        while capture.grab():
            if count == 0 or count in left:
                pixels = turn(_retrieve(video, capture), first.orientation)
                if count == 0:
                    _require_same(video, "opencv", pixels, first)
                if count in left:
                    yield RgbPicture(pixels)
            count += 1
        if count != len(index):
            raise _unfit(video, f"opencv finds {count} frames, {len(index)} are shown")
    finally:
        capture.release()


def _retrieve(video: Path, capture: Any) -> Pixels:
    found, pixels = capture.retrieve()
    if not found:
        raise _unfit(video, "opencv cannot convert a frame")
    return np.ascontiguousarray(pixels[:, :, ::-1])


def decode_decord(video: Path, index: Index, wanted: Sequence[int]) -> Iterator[Picture]:
    """Decode with decord, front to back; colours are as decord makes them.

    Raises:
        MediaError: `unreadable-video` it cannot open the file, or counts other frames than the index.
        DependencyError: decord is not installed.
    """
    try:
        import decord
    except (ImportError, OSError) as error:  # OSError: it loads its library by itself
        if lacks_memory(error):
            raise MemoryError(f"decord cannot be loaded ({error})") from error
        raise missing_extra("decord", "decord") from error

    first = _first_frame(video)
    a, b, c, d = first.orientation
    if a * d - b * c < 0:  # it turns frames itself, and takes a mirrored one for a turned one
        raise _unfit(video, "decord cannot mirror its frames")
    if first.container == "mpegts":  # it starts at the second key frame, and shows the last frame again and again
        raise _unfit(video, "decord loses the beginning of MPEG transport streams")
    try:
        reader = decord.VideoReader(str(video.absolute()), num_threads=1)
        if len(reader) != len(index):
            raise _unfit(video, f"decord finds {len(reader)} frames, {len(index)} are shown")
        left = set(wanted)
        # Frame by frame: its own skipping and seeking land on wrong frames in AVI, FLV, MPEG and HEVC files.
        for ordinal in range(max(left) + 1):
            pixels = reader.next().asnumpy()
            if ordinal == 0:
                _require_same(video, "decord", pixels, first)
            if ordinal in left:
                yield RgbPicture(pixels)
    except (decord.DECORDError, RuntimeError, StopIteration) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _unfit(video, f"decord cannot decode it ({text})") from error


#: Name of a decoder, as `--decoder` takes it -> its function.
DECODERS: dict[str, Decoder] = {"pyav": decode_pyav, "opencv": decode_opencv, "decord": decode_decord}


@dataclass(frozen=True)
class _FirstFrame:
    """What PyAV shows first."""

    pixels: Pixels
    orientation: Orientation
    container: str


def _first_frame(video: Path) -> _FirstFrame:
    from av.video.reformatter import VideoReformatter

    with open_video(video) as (container, stream):
        for frame in decode_frames(video, container, stream):
            orientation = read_orientation(frame)
            return _FirstFrame(turn(to_rgb(frame, VideoReformatter()), orientation), orientation, container.format.name)
    raise no_frames(video, "nothing in it could be decoded to a frame")


def _require_same(video: Path, decoder: str, pixels: Pixels, first: _FirstFrame) -> None:
    """The decoder must begin with the frame that PyAV begins with; other colours are forgiven, other pictures not."""
    same = pixels.shape == first.pixels.shape
    if not same or float(np.abs(pixels.astype(np.int16) - first.pixels).mean()) > SAME_PICTURE:
        raise _unfit(video, f"{decoder} begins with another frame")


def _unfit(video: Path, found: str) -> MediaError:
    return MediaError(f"{video}: {found}; expected every shown frame once; use --decoder pyav", "unreadable-video")
