"""Activity: where a voice speaks, found before anything is recognised, so that silence is never transcribed.

Silero's model, as faster-whisper ships it (https://github.com/snakers4/silero-vad), else the endpointer of pocketsphinx
(that of WebRTC, https://pocketsphinx.readthedocs.io).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mm2energon.errors import missing_extra
from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span

#: Seconds that are looked at together; where speech goes on at the end, the next ones begin with it.
_STRETCH = 600.0


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
    return list(find(sound, activity))


def _by_silero(sound: Sound, activity: Activity) -> Iterator[Span]:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=activity.threshold,
        min_speech_duration_ms=round(activity.min_speech * 1000),
        max_speech_duration_s=activity.max_span,
        min_silence_duration_ms=round(activity.min_silence * 1000),
        speech_pad_ms=0,
    )
    begin = 0.0
    while begin < sound.seconds:
        end = min(begin + _STRETCH, sound.seconds)
        piece = sound.piece(Span(begin, end))
        found = [
            Span(begin + one["start"] / RATE, min(end, begin + one["end"] / RATE))
            for one in get_speech_timestamps(piece, options)
        ]
        cut = found and end < sound.seconds and found[-1].end > end - 1.0 and found[-1].start > begin
        yield from found[:-1] if cut else found
        begin = found[-1].start if cut else end


def _by_pocketsphinx(sound: Sound, activity: Activity) -> Iterator[Span]:
    from pocketsphinx import Endpointer

    endpointer = Endpointer(window=max(0.15, activity.min_silence), sample_rate=RATE)
    step = endpointer.frame_bytes // 2
    held: Span | None = None
    for first in range(0, len(sound.samples), step):
        heard = sound.piece(Span(first / RATE, (first + step) / RATE))
        frame = np.rint(heard * 32768).astype(np.int16).tobytes()
        was_in_speech = endpointer.in_speech
        if len(frame) == endpointer.frame_bytes:
            endpointer.process(frame)
        elif was_in_speech:
            endpointer.end_stream(frame)
        if was_in_speech and not endpointer.in_speech:
            held = Span(endpointer.speech_start, min(endpointer.speech_end, sound.seconds))
            yield from _pieces(held, activity)
    if endpointer.in_speech:
        yield from _pieces(Span(endpointer.speech_start, sound.seconds), activity)


def _pieces(span: Span, activity: Activity) -> Iterator[Span]:
    """A span, cut where it is longer than an engine takes; none where it is too short."""
    length = span.end - span.start
    if length < activity.min_speech:
        return
    count = max(1, int(np.ceil(length / activity.max_span)))
    edges = np.linspace(span.start, span.end, count + 1).tolist()
    yield from (Span(first, last) for first, last in zip(edges, edges[1:], strict=False))
