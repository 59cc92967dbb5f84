"""Activity: where a voice speaks, found before anything is recognised, so that silence is never transcribed.

Silero's model, as faster-whisper ships it (https://github.com/snakers4/silero-vad), else the endpointer of pocketsphinx
(that of WebRTC, https://pocketsphinx.readthedocs.io).
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import missing_extra
from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span

#: Seconds that are looked at together, and before their end from which they are looked at again with the next ones.
_STRETCH = 600.0
_AGAIN = 1.0
#: Seconds before a stretch that the model hears to warm up, and by which it may err in the end of what was before.
_WARM = 3.0
_SLACK = 0.2
#: Seconds of a frame whose level is measured.
_FRAME = 0.02
#: dB below the loud frames of a span at which speech ends, and seconds at each end that are looked at for it.
_FADED_DB = 30.0
_EDGE = 0.5
#: dB between quiet and loud frames, below which a sound is steady, as no speech is.
_STEADY_DB = 6.0
#: Seconds to either side of where a long span is cut, among which the quietest is taken.
_NEAR = 4.0


@dataclass(frozen=True, slots=True)
class Activity:
    """What counts as speech."""

    #: Seconds of silence that end a span.
    min_silence: float = 0.35
    #: Seconds below which a sound is no speech.
    min_speech: float = 0.1
    #: Seconds of a span at most: an engine takes 30 at a time.
    max_span: float = 28.0
    #: Probability from which Silero's model hears speech.
    threshold: float = 0.5


def detector() -> str:
    """The one that finds speech here: `silero` or `pocketsphinx`.

    Raises:
        DependencyError: neither is installed.
    """
    if importlib.util.find_spec("faster_whisper") is not None:
        return "silero"
    if importlib.util.find_spec("pocketsphinx") is not None:
        return "pocketsphinx"
    raise missing_extra("faster-whisper", "speech")


def find_speech(sound: Sound, activity: Activity = Activity()) -> list[Span]:
    """The spans of a sound in which somebody speaks, in order.

    Raises:
        DependencyError: nothing that finds speech is installed.
    """
    find = _by_silero if detector() == "silero" else _by_pocketsphinx
    return [piece for span in _joined(find(sound, activity), activity) for piece in _cut(sound, span, activity)]


def _by_silero(sound: Sound, activity: Activity) -> Iterator[Span]:
    begin, done = 0.0, False
    while not done:
        end = min(begin + _STRETCH, sound.seconds)
        done = end == sound.seconds
        found = _silero_spans(sound, Span(begin, end), activity)
        again = end - _AGAIN
        if found and found[-1].end > again and not done:  # what goes on is looked at again, from its beginning
            *earlier, last = found
            before = earlier[-1].end if earlier else begin
            again = min(again, max(before, last.start - _AGAIN))
            if again > begin:
                found = earlier
            else:  # it fills the stretch: what follows is joined to it
                again = end
        yield from found
        begin = again


def _silero_spans(sound: Sound, stretch: Span, activity: Activity) -> list[Span]:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=activity.threshold,
        min_speech_duration_ms=round(activity.min_speech * 1000),
        min_silence_duration_ms=round(activity.min_silence * 1000),
        speech_pad_ms=0,
    )
    first = max(0.0, stretch.start - _WARM)
    # With silence behind it, so that speech which goes on to the end is seen to end, too.
    silence = np.zeros(round((activity.min_silence + 0.1) * RATE), np.float32)
    piece = np.concatenate([sound.piece(Span(first, stretch.end)), silence])
    spans = (
        Span(first + one["start"] / RATE, first + one["end"] / RATE) for one in get_speech_timestamps(piece, options)
    )
    inside = (Span(max(span.start, stretch.start), min(span.end, stretch.end)) for span in spans)
    slack = _SLACK if stretch.start else 0.0
    return [span for span in inside if span.end - stretch.start > slack and span.end > span.start]


def _by_pocketsphinx(sound: Sound, activity: Activity) -> Iterator[Span]:
    from pocketsphinx import Endpointer

    endpointer = Endpointer(window=max(0.15, activity.min_silence), sample_rate=RATE)
    begin: float | None = None
    for frame in _frames(sound, endpointer.frame_bytes // 2):
        was_in_speech = endpointer.in_speech
        if len(frame) == endpointer.frame_bytes:
            endpointer.process(frame)
        elif was_in_speech:
            endpointer.end_stream(frame)
        if endpointer.in_speech and not was_in_speech:
            begin = endpointer.speech_start
        if begin is not None and was_in_speech and not endpointer.in_speech:
            yield from _tightened(sound, Span(begin, min(endpointer.speech_end, sound.seconds)), activity)
            begin = None
    if begin is not None:
        yield from _tightened(sound, Span(begin, sound.seconds), activity)


def _frames(sound: Sound, size: int) -> Iterator[bytes]:
    """The sound in frames of a number of samples; the last may be shorter."""
    block = size / RATE * 1000
    for number in range(math.ceil(sound.seconds / block)):
        heard = sound.piece(Span(number * block, (number + 1) * block))
        samples = np.rint(heard * 32768).astype(np.int16)
        yield from (samples[first : first + size].tobytes() for first in range(0, len(samples), size))


def _tightened(sound: Sound, span: Span, activity: Activity) -> Iterator[Span]:
    """A span that the endpointer found, from the first loud frame to the last: it hears speech for 0.2 s too long.

    None where it is too short, or a steady noise.
    """
    levels = _levels(sound.piece(span), round(_FRAME * RATE))
    if len(levels) == 0 or np.percentile(levels, 95) - np.percentile(levels, 5) < _STEADY_DB:
        return
    loud = np.flatnonzero(levels > np.percentile(levels, 95) - _FADED_DB)
    start = min(span.start + _EDGE, span.start + float(loud[0]) * _FRAME)
    end = max(span.end - _EDGE, span.start + float(loud[-1] + 1) * _FRAME)
    if end - start >= activity.min_speech:
        yield Span(start, min(end, span.end))


def _levels(samples: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """The level of each frame, in dB below full scale."""
    whole = samples[: len(samples) // size * size].reshape(-1, size)
    return np.asarray(10 * np.log10(np.square(whole).mean(axis=1, dtype=np.float64) + 1e-10))


def _joined(spans: Iterable[Span], activity: Activity) -> Iterator[Span]:
    """Spans, those as one that a shorter silence than asked for lies between."""
    last: Span | None = None
    for span in spans:
        if last is not None and span.start - last.end < activity.min_silence:
            last = Span(last.start, max(last.end, span.end))
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _cut(sound: Sound, span: Span, activity: Activity) -> Iterator[Span]:
    """A span in pieces that an engine takes, of like length, cut where it is quietest."""
    start, most = span.start, activity.max_span
    while span.end - start > most:
        aim = start + (span.end - start) / math.ceil((span.end - start) / most)
        near = Span(max(start + most / 4, aim - _NEAR), min(start + most, aim + _NEAR))
        levels = _levels(sound.piece(near), round(_FRAME * RATE))
        smooth = np.convolve(levels, np.ones(5) / 5, mode="valid")
        edge = near.start + (float(smooth.argmin()) + 2.5) * _FRAME
        yield Span(start, edge)
        start = edge
    yield Span(start, span.end)
