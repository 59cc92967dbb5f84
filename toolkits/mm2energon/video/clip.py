"""Clip: a stretch of a video as a file of its own, H.264 and AAC in MP4, upright; at time 0 the stretch begins."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import MediaError
from mm2energon.storage import naming, write_whole
from mm2energon.video.decoders import decode_pyav
from mm2energon.video.film import Film, FilmOptions
from mm2energon.video.index import Index, IndexMismatch, index_video
from mm2energon.video.partial import index_before_fault
from mm2energon.video.sampling import SAME_INSTANT_SECONDS
from mm2energon.video.streams import no_frames

#: Near what the eye tells from the source; a training makes the frames smaller anyway.
_QUALITY = 18
#: One thread: with several, x264's bytes depend on the cores of the machine, and on chance (its look-ahead).
_ENCODER = {"preset": "veryfast", "threads": "1"}
#: Samples of one AAC frame.
_AAC = 1024


class Footage:
    """A video that clips are cut out of: it is looked through once for all of them."""

    def __init__(self, video: Path) -> None:
        """
        Raises:
            MediaError: as `index_video`. Of a damaged video the frames before the fault are taken.
        """
        self.video = video
        self._damage: MediaError | None = None
        try:
            self._index = index_video(video)
        except MediaError as error:
            if error.code != "unreadable-video":
                raise
            self._damage = error
            self._index = self._before_fault(error)

    def _before_fault(self, error: MediaError) -> Index:
        try:
            return index_before_fault(self.video)
        except MediaError as none_left:
            raise error from none_left

    def cut(
        self,
        clip: Path,
        start: float,
        end: float,
        *,
        sound: NDArray[np.int16] | None = None,
        rate: int = 16_000,
        quality: int = _QUALITY,
    ) -> int:
        """Write the frames that are on the screen from `start` to `end` to a file; how many.

        Args:
            start, end: time stamps of the video, in seconds.
            sound: what is heard with it, mono, from `start` on.
            rate: samples a second of it.
            quality: x264's constant rate factor: 0 loses nothing.

        Raises:
            MediaError: `no-frames` none is on the screen then; `unreadable-video` those are damaged.
        """
        try:
            return self._cut(clip, (start, end), sound, rate, quality)
        except IndexMismatch:  # the packets promised other frames than the decoder shows: ask the decoder
            self._index = index_video(self.video, decode=True)
            return self._cut(clip, (start, end), sound, rate, quality)

    def _cut(
        self, clip: Path, stretch: tuple[float, float], sound: NDArray[np.int16] | None, rate: int, quality: int
    ) -> int:
        wanted, seconds = self._shown(*stretch)
        with _appearing(clip) as file, _av_open(file, "mp4") as out:
            options = FilmOptions(quality, _ENCODER)
            film = Film(out, self._index.source_fps, stretch[1] - stretch[0], options)
            heard = None if sound is None else out.add_stream("aac", rate=rate, layout="mono")
            for picture, at in zip(decode_pyav(self.video, self._index, wanted), seconds, strict=True):
                film.add(picture, at - stretch[0])
            film.close()
            if heard is not None and sound is not None:
                for packet in _sound(heard, sound, rate):
                    out.mux(packet)
        return len(wanted)

    def _shown(self, start: float, end: float) -> tuple[range, list[float]]:
        """The frames of a stretch of time, and when they appear; the first is there when it begins."""
        index = self._index
        if self._damage is not None and end > index.start_seconds + index.duration_seconds:
            raise self._damage
        appear = index.start_seconds + index.times
        rounding = max(index.tolerance_seconds, SAME_INSTANT_SECONDS)
        first = max(0, int(np.searchsorted(appear, start + rounding, side="right")) - 1)
        last = int(np.searchsorted(appear, end - rounding, side="left"))
        if last <= first:
            raise no_frames(self.video, f"nothing is on its screen from {start:.2f} to {end:.2f} s")
        return range(first, last), appear[first:last].tolist()


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


def _av_open(file: _Sink, kind: str) -> Any:
    import av

    return av.open(file, mode="w", format=kind)


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
    with _appearing(path) as file, _av_open(file, "mp3") as out:
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
