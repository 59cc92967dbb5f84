"""Bleed: where a track holds another speaker's voice, from the other's loudspeaker or by crosstalk, and no voice of
its own.

A window of a track is bleed where it is well below another track's level, and is that track's sound, delayed by what
the way takes. The delay is measured over many such windows before any is judged by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span

#: Samples of a window, and from one window to the next.
_WINDOW = RATE // 2
_HOP = RATE // 8
#: Samples by which bleed may come later, or earlier where the tracks are not aligned.
_MOST_DELAY = RATE // 4
#: Samples around the measured delay in which a window is compared: by so much clocks drift while a block lasts.
_PLAY = 64
#: Windows of a block, and how much the blocks that are far away tell of its delay.
_AT_ONCE = 256
_FAR = 0.01
#: dBFS below which nobody is heard.
SILENCE_DB = -65.0
#: From which correlation two tracks are one sound, the samples that are compared together, and the Hz up to which they
#: are not: the same hum makes no two tracks the same.
_SAME_CORRELATION = 0.95
_SAME_AT_ONCE = 1 << 17
_HUM = 100.0

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


def are_same(one: Sound, other: Sound, gate: Gate = Gate()) -> bool:
    """Whether two tracks hold the same sound, which then tells nobody who speaks: also where one of them is louder, by
    less than what makes it bleed, or comes later, or has its poles exchanged."""
    size = 2 * _SAME_AT_ONCE
    heard = np.fft.rfftfreq(size, 1 / RATE) > _HUM
    spectrum, squares, others = np.zeros(len(heard), np.complex128), 0.0, 0.0
    for first in range(0, max(len(one.samples), len(other.samples)), _SAME_AT_ONCE):
        pieces = (np.asarray(each.samples[first : first + _SAME_AT_ONCE], np.float64) for each in (one, other))
        a, b = (np.fft.rfft(piece, size) * heard for piece in pieces)
        spectrum += a * np.conj(b)
        squares += float(np.square(np.abs(a)).sum()) * 2 / size  # Parseval: half of the spectrum stands for all of it
        others += float(np.square(np.abs(b)).sum()) * 2 / size
    if not squares or not others:
        return False
    difference = abs(10 * float(np.log10(squares / others)))
    together = np.fft.irfft(spectrum, size)
    most = max(np.abs(together[: _MOST_DELAY + 1]).max(), np.abs(together[-_MOST_DELAY:]).max())
    return bool(most / np.sqrt(squares * others) > _SAME_CORRELATION and difference <= gate.below_db)


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
    spans = []
    for starts, way in zip(_blocks(sound, other), _ways(sound, other, gate), strict=True):
        own, its = _cut(sound, starts), _cut(other, starts - way.delay)
        quiet = _is_below(own, its, gate)
        alike = _correlations(own[quiet], its[quiet], _PLAY) * way.sign
        for start in starts[quiet][alike.max(axis=1) > gate.correlation]:
            spans.append(Span(float(start) / RATE, float(start + _WINDOW) / RATE))
    return _joined(spans)


class _Way(NamedTuple):
    """How the sound of one track comes into another."""

    #: Samples by which it comes later there.
    delay: int
    #: -1: with its poles exchanged.
    sign: int


def _ways(sound: Sound, other: Sound, gate: Gate) -> list[_Way]:
    """The way of bleed in each block of windows: what the blocks tell, the nearer the more, for clocks may drift."""
    told = np.zeros((len(list(_blocks(sound, other))), 2 * _MOST_DELAY + 1), np.float32)
    for number, starts in enumerate(_blocks(sound, other)):
        own, its = _cut(sound, starts), _cut(other, starts)
        quiet = _is_below(own, its, gate)
        told[number] = _correlations(own[quiet], its[quiet], _MOST_DELAY).sum(axis=0)
    apart = np.abs(np.subtract.outer(np.arange(len(told)), np.arange(len(told))))
    together = (np.exp(-apart) + _FAR).astype(np.float32) @ told
    best = np.abs(together).argmax(axis=1)
    return [_Way(int(at) - _MOST_DELAY, -1 if row[at] < 0 else 1) for row, at in zip(together, best, strict=True)]


def _blocks(sound: Sound, other: Sound) -> Iterator[NDArray[np.int64]]:
    """Where windows begin that both sounds have, in samples, a block at a time."""
    length = min(len(sound.samples), len(other.samples))
    starts = np.arange(0, max(0, length - _WINDOW + 1), _HOP)
    for first in range(0, len(starts), _AT_ONCE):
        yield starts[first : first + _AT_ONCE]


def _cut(sound: Sound, starts: NDArray[np.int64]) -> _Windows:
    """The windows of a sound; before its beginning, and after its end, there is silence."""
    first, last = int(starts[0]), int(starts[-1]) + _WINDOW
    piece = sound.samples[max(0, first) : max(0, last)].astype(np.float32) / np.float32(32768)
    before = min(max(0, -first), last - first)
    piece = np.pad(piece, (before, last - first - before - len(piece)))
    return np.lib.stride_tricks.sliding_window_view(piece, _WINDOW)[::_HOP][: len(starts)]


def _is_below(own: _Windows, its: _Windows, gate: Gate) -> NDArray[np.bool_]:
    """Which windows are heard, and are below the other track's level."""
    own_db, its_db = (10 * np.log10(np.square(windows).mean(axis=1) + 1e-12) for windows in (own, its))
    return np.asarray((own_db > SILENCE_DB) & (own_db < its_db - gate.below_db))


def _correlations(own: _Windows, its: _Windows, most: int) -> NDArray[np.float64]:
    """For each window and each delay from -most to most, how alike the two are, -1 to 1."""
    size = 2 * _WINDOW
    spectra = np.fft.rfft(own, size) * np.conj(np.fft.rfft(its, size))
    both = np.fft.irfft(spectra, size)
    lags = np.concatenate([both[:, size - most :], both[:, : most + 1]], axis=1)
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
