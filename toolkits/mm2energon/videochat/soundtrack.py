"""Soundtrack: the sound of a video as samples on the clock of its pictures, and as AAC beside them.

Sound that begins late begins with silence, what is missing is silence, what comes twice is taken once: sample n is what
is heard n / rate seconds after the first picture appears.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

#: Rates that AAC has and players play; others become the last.
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
#: Seconds by which a time stamp may differ from the count of samples before it is believed.
_JITTER = 0.03
#: Seconds of a jump that is no gap, but a clock that was set anew.
_CLOCK_SET = 10.0
#: Samples of one AAC frame.
_AAC = 1024

#: float32, channels x samples.
Samples = NDArray[np.float32]


def audio_stream(container: InputContainer) -> Any | None:
    """The audio stream that is heard with the pictures: the default one of the best sound; None: there is none."""
    from av.stream import Disposition

    def rank(stream: Any) -> tuple[bool, int, int]:
        return bool(stream.disposition & Disposition.default), stream.codec_context.sample_rate or 0, -stream.index

    return max((one for one in container.streams.audio if one.codec_context is not None), key=rank, default=None)


def begin_of(stream: Any) -> float:
    """The time stamp of the first sound, in seconds; 0 where it is not known."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


class Soundtrack:
    """Sound that is written beside pictures, as far as they are."""

    def __init__(
        self, container: InputContainer, stream: Any, out: OutputContainer, *, zero: float, seconds: float
    ) -> None:
        """
        Args:
            container: of the source, which nobody else reads.
            zero: the time stamp of the source at which the first picture appears.
            seconds: where the sound ends, if not before.
        """
        context = stream.codec_context
        self.rate = context.sample_rate if context.sample_rate in _RATES else _RATES[-1]
        self.channels = 1 if context.channels == 1 else 2
        self._pieces = _on_clock(container, stream, zero, self.rate, self.channels)
        self._most = round(seconds * self.rate)
        self._out = out
        self._waiting: list[Samples] = []
        #: Samples that are taken from the source, and given to the encoder.
        self._taken = self._written = 0
        self._aac = out.add_stream("aac", rate=self.rate, layout="mono" if self.channels == 1 else "stereo")
        #: Whether there was anything to hear.
        self.is_heard = False

    def write_until(self, seconds: float) -> None:
        """Write what is heard before that time."""
        while self._taken < min(self._most, seconds * self.rate):
            piece = next(self._pieces, None)
            if piece is None:
                self._most = self._taken
                break
            piece = piece[:, : self._most - self._taken]
            self._taken += piece.shape[1]
            self._waiting.append(piece)
            self._write(least=_AAC)

    def close(self) -> None:
        """Write all that is left."""
        self.write_until(float("inf"))
        self._write(least=1)
        self._out.mux(self._aac.encode(None))

    def _write(self, *, least: int) -> None:
        if sum(piece.shape[1] for piece in self._waiting) < least:
            return
        samples = np.concatenate(self._waiting, axis=1)
        end = samples.shape[1] if least == 1 else samples.shape[1] // _AAC * _AAC
        for first in range(0, end, _AAC):
            self._encode(samples[:, first : min(first + _AAC, end)])
        self._waiting = [samples[:, end:]]

    def _encode(self, samples: Samples) -> None:
        import av

        layout = "mono" if self.channels == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = self.rate, self._written, Fraction(1, self.rate)
        self._written += samples.shape[1]
        self.is_heard = True
        self._out.mux(self._aac.encode(frame))


def _on_clock(container: InputContainer, stream: Any, zero: float, rate: int, channels: int) -> Iterator[Samples]:
    """All samples from the first picture on, in order, silence where there are none."""
    at = 0
    for start, samples in _runs(container, stream, zero, rate, channels):
        if start > at:
            yield from _silence(start - at, channels, rate)
            at = start
        new = samples[:, max(0, at - start) :]
        if new.shape[1]:
            at += new.shape[1]
            yield new


def _silence(count: int, channels: int, rate: int) -> Iterator[Samples]:
    """Silence, a second at a time: how much of it a file asks for is its own to say."""
    for first in range(0, count, rate):
        yield np.zeros((channels, min(rate, count - first)), np.float32)


def _runs(
    container: InputContainer, stream: Any, zero: float, rate: int, channels: int
) -> Iterator[tuple[int, Samples]]:
    """Samples and where they begin, run by run: frames that follow each other without a gap are counted on."""
    resampler: Any = None
    shape: Any = None
    begin, run, expected, shift = 0, 0, 0.0, 0.0
    for frame in _frames(container, stream):
        found = expected if frame.time is None else frame.time - zero + shift
        if resampler is not None and abs(found - expected) > _CLOCK_SET:
            shift += expected - found
            found = expected
        now = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        if resampler is None or abs(found - expected) > _JITTER or now != shape:
            yield from _resampled(resampler, None, begin, run, channels)
            resampler, shape, begin, run, expected = (
                _resampler(frame, rate, channels),
                now,
                round(found * rate),
                0,
                found,
            )
        expected += frame.samples / frame.sample_rate
        for start, samples in _resampled(resampler, frame, begin, run, channels):
            run += samples.shape[1]
            yield start, samples
    yield from _resampled(resampler, None, begin, run, channels)


def _frames(container: InputContainer, stream: Any) -> Iterator[Any]:
    """The decoded frames; packets that are damaged are passed over, and where the file ends, so does the sound."""
    import av

    try:
        for packet in container.demux([stream]):
            try:
                frames: list[Any] = list(packet.decode())
            except av.error.FFmpegError:
                continue
            yield from (frame for frame in frames if frame.samples and frame.sample_rate)
    except (av.error.FFmpegError, IndexError):  # IndexError: PyAV, of streams that turn up in mid-file
        return


def _resampler(frame: Any, rate: int, channels: int) -> Any:
    """What makes floats of our rate; channels that FFmpeg can mix are mixed by it, others stay."""
    import av

    is_named = frame.layout.nb_channels in (1, 2) or not frame.layout.name.endswith("channels")
    layout = ("mono" if channels == 1 else "stereo") if is_named else frame.layout
    return av.AudioResampler(format="fltp", layout=layout, rate=rate)


def _resampled(resampler: Any, frame: Any, begin: int, run: int, channels: int) -> Iterator[tuple[int, Samples]]:
    if resampler is None:
        return
    for part in resampler.resample(frame):
        samples: Samples = part.to_ndarray().astype(np.float32, copy=False)
        if len(samples) != channels:
            samples = np.repeat(samples.mean(axis=0, keepdims=True), channels, axis=0)
        np.nan_to_num(samples, copy=False)
        yield begin + run, samples
        run += samples.shape[1]
