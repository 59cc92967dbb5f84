"""Bleed: a voice on the other's track is put out, and nothing of the track's own voice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mm2energon.speech.bleed import Gate, are_same, find_bleed, gated, level_db
from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span

SECONDS = 20
OWN = [(1.0, 4.0), (12.0, 15.0)]
OTHERS = [(5.0, 9.0), (14.0, 18.0)]


def voice(spans: list[tuple[float, float]], seed: int) -> Any:
    """Noise with the spectrum of a voice, and its ups and downs, in these stretches of time; float."""
    noise = np.random.default_rng(seed)
    samples = np.zeros(SECONDS * RATE)
    for start, end in spans:
        length = round((end - start) * RATE)
        raw = np.convolve(noise.normal(size=length), np.hanning(24), mode="same")
        syllables = 0.3 + np.abs(np.sin(np.arange(length) / RATE * 2 * np.pi * 2.1))
        samples[round(start * RATE) : round(start * RATE) + length] = raw * syllables
    return samples / np.abs(samples).max() * 12_000


def delayed(samples: Any, count: int) -> Any:
    return np.concatenate([np.zeros(count), samples])[: len(samples)]


def sound(samples: Any) -> Sound:
    return Sound(np.rint(samples).astype(np.int16))


@pytest.mark.parametrize("bleed_db", [-40, -30, -20, -10])
@pytest.mark.parametrize("delay", [0, 160, 2400])
def test_bleed_is_put_out_and_the_own_voice_is_not(bleed_db: float, delay: int) -> None:
    own, other = voice(OWN, 1), voice(OTHERS, 2)
    heard = own + delayed(other, delay) * 10 ** (bleed_db / 20)
    sounds = gated({"user": sound(heard), "assistant": sound(other)}, Gate())
    left = sounds["user"].piece(Span(0, SECONDS))
    times = np.arange(len(left)) / RATE
    alone = (times > 5.3 + delay / RATE) & (times < 8.7)
    assert np.abs(left[alone]).max() == 0
    spoken = (times > 1.0) & (times < 4.0)
    assert np.mean(left[spoken] != 0) > 0.99
    both = (times > 14.2) & (times < 14.8)
    assert np.mean(left[both] != 0) > 0.99
    assert sounds["assistant"].muted == ()


def test_a_quiet_voice_that_is_another_one_is_no_bleed() -> None:
    quiet, loud = voice([(5.0, 9.0)], 3) * 0.1, voice([(5.0, 9.0)], 4)
    assert find_bleed(sound(quiet), sound(loud), Gate()) == []


def test_bleed_that_is_not_below_the_gate_stays() -> None:
    other = voice(OTHERS, 2)
    heard = voice(OWN, 1) + other * 10 ** (-4 / 20)
    assert find_bleed(sound(heard), sound(other), Gate()) == []
    assert find_bleed(sound(heard), sound(other), Gate(below_db=3)) != []


def test_two_tracks_of_one_sound_are_told() -> None:
    one = voice(OWN, 1)
    assert are_same(sound(one), sound(one))
    assert are_same(sound(one), sound(one * 0.8 + voice(OWN, 9) * 0.02))
    assert not are_same(sound(one), sound(voice(OWN, 2)))
    assert not are_same(sound(one + voice(OTHERS, 2) * 0.3), sound(voice(OTHERS, 2) + one * 0.3))
    assert not are_same(sound(np.zeros(RATE)), sound(np.zeros(RATE)))


def test_the_level_is_that_of_what_is_heard() -> None:
    tone = np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE) * 32767
    half_silent = np.concatenate([tone, np.zeros(RATE * 3)])
    assert level_db(sound(tone)) == pytest.approx(-3.01, abs=0.05)
    assert level_db(sound(half_silent)) == pytest.approx(-3.01, abs=0.05)
    assert level_db(sound(tone * 0.1)) == pytest.approx(-23.01, abs=0.1)
    assert level_db(sound(np.zeros(RATE))) == float("-inf")
    assert level_db(Sound(np.zeros(0, np.int16))) == float("-inf")


def test_sounds_of_no_length_have_no_bleed() -> None:
    empty = Sound(np.zeros(0, np.int16))
    assert find_bleed(empty, sound(voice(OWN, 1)), Gate()) == []
    assert not are_same(empty, sound(voice(OWN, 1)))
