"""Clip: a stretch of a video as a file of its own, H.264 and AAC in MP4, upright, its first frame at time 0."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.storage import naming, write_whole
from mm2energon.video.streams import no_frames, open_video

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream

#: Ticks a second of a clip's time stamps.
_TICKS = 90_000
#: Near what the eye tells from the source; a training makes the frames smaller anyway.
_QUALITY = {"crf": "18", "preset": "veryfast"}
#: Degrees counter-clockwise, as a display matrix says it -> the filter that turns a frame upright.
_UPRIGHT = {90: "transpose=cclock,", -90: "transpose=clock,", 180: "hflip,vflip,", -180: "hflip,vflip,"}
#: Samples of one AAC frame.
_AAC = 1024


def cut_clip(
    video: Path, clip: Path, start: float, end: float, *, sound: NDArray[np.int16] | None = None, rate: int = 16_000
) -> int:
    """Write the frames that are on the screen from `start` to `end`; how many.

    Args:
        start, end: time stamps of the file, in seconds.
        sound: what is heard with it, mono, from `start` on.
        rate: samples a second of it.

    Raises:
        MediaError: as `open_video`; `no-frames` none is on the screen then.
    """
    import av

    with _appearing(clip) as file, open_video(video) as (source, stream):
        with av.open(file, mode="w", format="mp4") as out:
            count = _write(source, stream, out, start, end, sound, rate)
        if not count:
            raise no_frames(video, f"nothing is on its screen from {start:.2f} to {end:.2f} s")
    return count


class _Sink:
    """A file that FFmpeg writes to; it keeps the fault of the disk, which comes back as one of the source."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write all of it, at once: what waits in a buffer would fail where nobody expects it."""
        try:
            with naming(self._path, instead_of=Path(self._file.name)):
                self._file.write(data)
                self._file.flush()
        except OSError as error:
            self.error = self.error or error
            raise
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go elsewhere, as the header of MP4 is written in the end."""
        return self._file.seek(offset, whence) if self.error is None else 0

    def tell(self) -> int:
        """Where it is."""
        return self._file.tell() if self.error is None else 0


@contextlib.contextmanager
def _appearing(path: Path) -> Iterator[_Sink]:
    """A file for FFmpeg, which has its name when the block ends well."""
    with write_whole(path) as file:
        sink = _Sink(file, path)
        try:
            yield sink
        except Exception:
            if sink.error is not None:
                raise sink.error from None
            raise
        if sink.error is not None:
            raise sink.error


def _write(
    source: InputContainer,
    stream: VideoStream,
    out: OutputContainer,
    start: float,
    end: float,
    sound: NDArray[np.int16] | None,
    rate: int,
) -> int:
    upright = _Upright()
    shown = out.add_stream("libx264", rate=stream.average_rate or 25, options=_QUALITY)
    shown.time_base = shown.codec_context.time_base = Fraction(1, _TICKS)
    shown.pix_fmt = "yuv420p"
    heard = None if sound is None else out.add_stream("aac", rate=rate, layout="mono")
    count, last = 0, -1
    for frame, seconds in _between(source, stream, start, end):
        picture = upright.turn(frame)
        if not count:
            shown.width, shown.height = picture.width, picture.height
        elif (picture.width, picture.height) != (shown.width, shown.height):
            picture = picture.reformat(width=shown.width, height=shown.height)
        picture.pts = last = max(last + 1, round(max(0.0, seconds - start) * _TICKS))
        picture.time_base = Fraction(1, _TICKS)
        picture.pict_type = 0
        out.mux(shown.encode(picture))
        count += 1
    if count:
        out.mux(shown.encode(None))
    if heard is not None and sound is not None and count:
        for packet in _sound(heard, sound, rate):
            out.mux(packet)
    return count


def _between(source: InputContainer, stream: VideoStream, start: float, end: float) -> Iterator[tuple[Any, float]]:
    """The frames on the screen in a stretch of time, with their time stamps; the first is there when it begins."""
    if stream.time_base is not None and start > 0:
        source.seek(int(start / stream.time_base), stream=stream, backward=True)
    before: tuple[Any, float] | None = None
    for frame in source.decode(stream):
        seconds = frame.time
        if seconds is None:
            continue
        if seconds >= end:
            break
        if seconds <= start:
            before = (frame, seconds)
            continue
        if before is not None:
            yield before
            before = None
        yield frame, seconds
    if before is not None and before[1] < end:
        yield before


class _Upright:
    """Turns frames as their display matrix says, with sides that are even, as H.264 wants them."""

    def __init__(self) -> None:
        self._graphs: dict[tuple[int, int, str, int], Any] = {}

    def turn(self, frame: Any) -> Any:
        """The frame upright, 8 bits 4:2:0."""
        key = (frame.width, frame.height, frame.format.name, frame.rotation)
        if key not in self._graphs:
            self._graphs = {key: _graph(frame)}
        graph = self._graphs[key]
        graph.push(frame)
        return graph.pull()


def _graph(frame: Any) -> Any:
    import av

    graph = av.filter.Graph()
    chain = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, _TICKS))
    ]
    filters = _UPRIGHT.get(frame.rotation, "") + "crop=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p"
    for one in filters.split(","):
        name, _, options = one.partition("=")
        chain.append(graph.add(name, options))
    chain.append(graph.add("buffersink"))
    graph.link_nodes(*chain).configure()
    return graph


def _sound(heard: Any, sound: NDArray[np.int16], rate: int) -> Iterator[Any]:
    import av

    for first in range(0, len(sound), _AAC):
        piece = np.ascontiguousarray(sound[first : first + _AAC].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
        yield heard.encode(frame)
    yield heard.encode(None)


def write_mp3(path: Path, sound: NDArray[np.int16], *, rate: int = 16_000) -> None:
    """Write sound, mono, as MP3, which audio readers of all trainers take."""
    import av

    with _appearing(path) as file, av.open(file, mode="w", format="mp3") as out:
        stream = out.add_stream("libmp3lame", rate=rate, layout="mono", bit_rate=64_000)
        for packet in _mp3(stream, sound, rate):
            out.mux(packet)


def _mp3(stream: Any, sound: NDArray[np.int16], rate: int) -> Iterator[Any]:
    import av

    resampler = av.AudioResampler(format="s16p", layout="mono", rate=rate)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.reshape(1, -1)), format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        yield stream.encode(part)
    yield stream.encode(None)
