"""Sound: the voices of a recording as 16 kHz mono, each sample where the recording's clock has it.

A track that begins late begins with silence, packets that are missing leave silence behind, and what was sent twice is
taken once: sample number n is what is heard n / 16000 seconds after the recording's start.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import MediaError
from mm2energon.speech.tracks import Track, choose, open_recording, tracks_of, unreadable, zero_of
from mm2energon.speech.utterances import Span, Voice

#: Samples a second, of which all engines make their features.
RATE = 16_000
#: Seconds by which a time stamp may differ from the count of samples before it is believed: some containers round
#: to milliseconds, and a packet is 20 to 60 ms.
_JITTER = 0.03
#: Seconds of a jump that is no gap in the sound, but a clock that was set anew.
_CLOCK_SET = 3600.0
#: Seconds back from which it is no overlap either; so many, where it goes back to the beginning.
_OVERLAP = 10.0
_RESENT = 1.0


@dataclass(frozen=True)
class Sound:
    """One voice of a recording."""

    #: int16, 16 kHz mono; the first sample is at time 0 of the recording. May be mapped from a file.
    samples: NDArray[np.int16]
    #: Seconds of silence that stand for packets that are missing, and of sound that came twice.
    gaps: float = 0.0
    overlaps: float = 0.0
    #: How often the clock jumped, so that sound was put after what was before, whatever its time stamp.
    clock_sets: int = 0
    #: Packets that could not be decoded.
    damaged_packets: int = 0
    #: Where it is to be heard as silence, in order.
    muted: tuple[Span, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it is, from the recording's start."""
        return len(self.samples) / RATE

    def piece(self, span: Span, *, pad: float = 0.0) -> NDArray[np.float32]:
        """A stretch of it, float32 in [-1, 1), and `pad` seconds before and after as far as there is sound."""
        first, last = max(0, round((span.start - pad) * RATE)), max(0, round((span.end + pad) * RATE))
        piece: NDArray[np.float32] = self.samples[first:last].astype(np.float32) / np.float32(32768)
        for mute in self.muted:
            begin, end = round(mute.start * RATE) - first, round(mute.end * RATE) - first
            if begin < len(piece) and end > 0:
                piece[max(0, begin) : end] = 0.0
        return piece


@dataclass(frozen=True)
class Recorded:
    """A recording, decoded."""

    #: Voice -> its sound.
    sounds: dict[str, Sound]
    #: Voice -> the track that it was taken from.
    tracks: dict[str, Track]
    #: Time stamp, in seconds, of the file at which the clock shows 0.
    zero: float
    #: Seconds, as the container says; else of the longest track.
    seconds: float


@contextmanager
def decoded(path: Path, voices: Sequence[Voice]) -> Iterator[Recorded]:
    """The voices of a recording, read in one pass; their samples lie in a file that goes with the block.

    Raises:
        MediaError: `missing-media`; `unreadable-audio`; `no-track` a voice names no track, or a channel that it lacks.
    """
    with tempfile.TemporaryDirectory(prefix="mm2energon-") as folder:
        with open_recording(path) as container:
            tracks = tracks_of(container)
            chosen = {voice.name: choose(tracks, voice.track, path=path) for voice in voices}
            lines = [_Line(voice, chosen[voice.name], Path(folder) / str(n)) for n, voice in enumerate(voices)]
            _check(lines, path)
            zero = zero_of(container)
            _read(container, lines, zero)
            sounds = {line.voice.name: line.sound() for line in lines}
            own = None if container.duration is None else container.duration / 1e6
        seconds = max([own or 0.0, *(sound.seconds for sound in sounds.values())])
        yield Recorded(sounds, chosen, zero, seconds)


def _check(lines: Sequence[_Line], path: Path) -> None:
    for line in lines:
        track, channel = line.track, line.voice.channel
        if not track.codec:
            raise unreadable(path, f"there is no decoder for track {track}")
        if channel is not None and channel >= track.channels:
            raise MediaError(
                f"{path}: track {track} has no channel {channel} for {line.voice.name!r}; expected one of its "
                f"{track.channels}, counted from 0; choose another track or channel",
                "no-track",
            )


def _read(container: Any, lines: Sequence[_Line], zero: float) -> None:
    import av

    by_stream: dict[int, list[_Line]] = {}
    for line in lines:
        by_stream.setdefault(line.track.stream, []).append(line)
    streams = [container.streams[number] for number in by_stream]
    for stream in streams:
        stream.thread_type = "NONE"
    for packet in container.demux(streams):
        concerned = by_stream[packet.stream.index]  # the packet's own number is 0 where it but ends a stream
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            for line in concerned:
                line.damaged += 1
            continue
        for frame in frames:
            for line in concerned:
                line.take(frame, zero)
    for line in lines:
        line.end_run()


@dataclass
class _Line:
    """Writes one voice to a file, run by run: frames that follow each other without a gap."""

    voice: Voice
    track: Track
    path: Path
    damaged: int = 0
    gaps: float = 0.0
    overlaps: float = 0.0
    clock_sets: int = 0
    #: Samples that the file has.
    _written: int = 0
    #: Where the run is written next, in samples; below 0 it is before the clock's start, and cut away.
    _at: int = 0
    _resampler: Any = None
    #: What frames of the run are like; another one begins another run.
    _shape: Any = None
    #: Where the run should go on, in seconds.
    _expected: float | None = None
    #: Where the first one began, in seconds.
    _first: float = 0.0
    _shift: float = 0.0
    _file: IO[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._file = self.path.open("wb")

    def take(self, frame: Any, zero: float) -> None:
        """Put a decoded frame where its time stamp says."""
        if not frame.samples or not frame.sample_rate:
            return
        shape = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        found = self._expected if frame.time is None else frame.time - zero + self._shift
        start = self._place(0.0 if found is None else found)
        if start is not None or shape != self._shape:
            begins = self._expected if start is None else start
            self._begin(frame, shape, begins or 0.0)
        self._expected = (self._expected or 0.0) + frame.samples / frame.sample_rate
        for part in self._resampler.resample(frame):
            self._write(part)

    def _place(self, found: float) -> float | None:
        """Where a new run begins; None: the frame goes on from the one before."""
        if self._expected is None:
            self._first = found
            return found
        jump = found - self._expected
        if abs(jump) <= _JITTER:
            return None
        from_the_start = jump < -_RESENT and found - self._first < _RESENT  # as in files that were put together
        if from_the_start or not -_OVERLAP <= jump <= _CLOCK_SET:
            self._shift -= jump
            self.clock_sets += 1
            return None
        if jump > 0:
            self.gaps += jump
        else:
            self.overlaps -= jump
        return found

    def _begin(self, frame: Any, shape: Any, start: float) -> None:
        import av

        self.end_run()
        # To planar floats at our rate; the channels stay, since a layout that nobody named cannot be mixed by FFmpeg.
        self._resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=RATE)
        self._shape = shape
        self._expected = start
        self._at = round(start * RATE)

    def end_run(self) -> None:
        """Write what the resampler still holds."""
        if self._resampler is not None:
            for part in self._resampler.resample(None):
                self._write(part)
        self._resampler = None

    def _write(self, part: Any) -> None:
        planes = part.to_ndarray()
        channel = self.voice.channel
        one = planes.mean(axis=0) if channel is None else planes[min(channel, len(planes) - 1)]
        first = min(len(one), max(0, self._written - self._at))  # what is there already, or lies before the start
        one = one[first:]
        if len(one):
            self._file.seek((self._at + first) * 2)
            self._file.write(np.clip(np.rint(one * 32768), -32768, 32767).astype(np.int16).tobytes())
            self._written = self._at + first + len(one)
        self._at += first + len(one)

    def sound(self) -> Sound:
        """What was written."""
        self._file.close()
        empty = self._written == 0
        samples = np.zeros(0, np.int16) if empty else np.memmap(self.path, np.int16, mode="r")
        return Sound(samples, self.gaps, self.overlaps, self.clock_sets, self.damaged)
