"""Bleed: where a track holds another speaker's voice, from the other's loudspeaker or by crosstalk, and no voice of
its own.

A window of a track is bleed where it is well below another track's level, and is that track's sound, delayed by what
the way takes. The delay is one for a recording: it is measured over many such windows before any is judged by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span

#: Samples of a window, and from one window to the next.
_WINDOW = RATE // 2
_HOP = RATE // 8
#: Samples by which bleed may come later, or earlier where the tracks are not aligned.
_MOST_DELAY = RATE // 4
#: Samples around the measured delay in which a window is compared.
_PLAY = 8
#: Windows that are looked at together, and those of which the delay is measured.
_AT_ONCE = 256
_MEASURED = 400
#: dBFS below which nobody is heard.
SILENCE_DB = -65.0
#: From which correlation and below which difference in level two tracks are one sound.
_SAME_CORRELATION = 0.95
_SAME_DB = 3.0

_Windows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Gate:
    """What counts as bleed."""

    #: dB that it is below the other track.
    below_db: float = 6.0
    #: Correlation, 0 to 1, with the other track.
    correlation: float = 0.5


def level_db(sound: Sound) -> float:
    """The level of a sound where it is not silent: RMS, in dB below full scale; -inf where nothing is heard."""
    total, count = 0.0, 0
    for first in range(0, len(sound.samples), RATE * 60):
        piece = sound.samples[first : first + RATE * 60].astype(np.float32) / np.float32(32768)
        blocks = np.square(piece[: len(piece) // 160 * 160].reshape(-1, 160)).mean(axis=1)
        heard = blocks[blocks > 10 ** (SILENCE_DB / 10)]
        total, count = total + float(heard.sum()), count + len(heard)
    return 10 * float(np.log10(total / count)) if count else float("-inf")


def are_same(one: Sound, other: Sound) -> bool:
    """Whether two tracks hold the same sound, which then tells nobody who speaks."""
    together, squares, others = 0.0, 0.0, 0.0
    for first in range(0, max(len(one.samples), len(other.samples)), RATE * 60):
        a = one.samples[first : first + RATE * 60].astype(np.float64)
        b = other.samples[first : first + RATE * 60].astype(np.float64)
        length = min(len(a), len(b))
        together += float(a[:length] @ b[:length])
        squares, others = squares + float(a @ a), others + float(b @ b)
    if not squares or not others:
        return False
    difference = abs(10 * float(np.log10(squares / others)))
    return together / float(np.sqrt(squares * others)) > _SAME_CORRELATION and difference < _SAME_DB


def gated(sounds: Mapping[str, Sound], gate: Gate) -> dict[str, Sound]:
    """The sounds with silence where they hold the bleed of another."""
    muted: dict[str, list[Span]] = {name: [] for name in sounds}
    for name, sound in sounds.items():
        for other_name, other in sounds.items():
            if other_name != name:
                muted[name] += find_bleed(sound, other, gate)
    return {name: replace(sound, muted=tuple(_joined(muted[name]))) for name, sound in sounds.items()}


def find_bleed(sound: Sound, other: Sound, gate: Gate) -> list[Span]:
    """Where a sound is but the bleed of another one."""
    delay = _delay(sound, other, gate)
    if delay is None:
        return []
    spans = []
    for starts, own, its in _windows(sound, other):
        quiet = _is_below(own, its, gate)
        near = _correlations(own, its)[:, _MOST_DELAY + delay - _PLAY : _MOST_DELAY + delay + _PLAY + 1]
        for start in starts[quiet & (near.max(axis=1) > gate.correlation)]:
            spans.append(Span(float(start) / RATE, float(start + _WINDOW) / RATE))
    return _joined(spans)


def _delay(sound: Sound, other: Sound, gate: Gate) -> int | None:
    """Samples by which bleed comes later than the voice itself; None where there is none."""
    total, count = np.zeros(2 * _MOST_DELAY + 1), 0
    for _, own, its in _windows(sound, other):
        quiet = _is_below(own, its, gate)
        total += _correlations(own[quiet], its[quiet]).sum(axis=0)
        count += int(quiet.sum())
        if count >= _MEASURED:
            break
    if not count:
        return None
    return int(np.clip(total.argmax(), _PLAY, 2 * _MOST_DELAY - _PLAY)) - _MOST_DELAY


def _windows(sound: Sound, other: Sound) -> Iterator[tuple[NDArray[np.int64], _Windows, _Windows]]:
    """Starts of windows, in samples, and the windows of both sounds, a block at a time."""
    length = min(len(sound.samples), len(other.samples))
    starts = np.arange(0, max(0, length - _WINDOW + 1), _HOP)
    for first in range(0, len(starts), _AT_ONCE):
        some = starts[first : first + _AT_ONCE]
        yield some, _cut(sound, some), _cut(other, some)


def _cut(sound: Sound, starts: NDArray[np.int64]) -> _Windows:
    piece = sound.samples[starts[0] : starts[-1] + _WINDOW].astype(np.float32) / np.float32(32768)
    return np.lib.stride_tricks.sliding_window_view(piece, _WINDOW)[::_HOP][: len(starts)]


def _is_below(own: _Windows, its: _Windows, gate: Gate) -> NDArray[np.bool_]:
    """Which windows are heard, and are below the other track's level."""
    own_db, its_db = (10 * np.log10(np.square(windows).mean(axis=1) + 1e-12) for windows in (own, its))
    return np.asarray((own_db > SILENCE_DB) & (own_db < its_db - gate.below_db))


def _correlations(own: _Windows, its: _Windows) -> NDArray[np.float64]:
    """For each window and each delay from -_MOST_DELAY to _MOST_DELAY, how alike the two are, -1 to 1."""
    size = 2 * _WINDOW
    spectra = np.fft.rfft(own, size) * np.conj(np.fft.rfft(its, size))
    both = np.fft.irfft(spectra, size)
    lags = np.concatenate([both[:, size - _MOST_DELAY :], both[:, : _MOST_DELAY + 1]], axis=1)
    norms = np.sqrt(np.square(own).sum(axis=1) * np.square(its).sum(axis=1)) + 1e-9
    return np.asarray(lags / norms[:, None], dtype=np.float64)


def _joined(spans: list[Span]) -> list[Span]:
    """Spans in order, those that touch or overlap as one."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined
