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


@pytest.mark.parametrize("way", ["late", "exchanged poles", "drifting clock"])
def test_bleed_is_found_by_whatever_way_it_comes(way: str) -> None:
    own, other = voice(OWN, 1), voice(OTHERS, 2)
    times = np.arange(len(other))
    bleed = {
        "late": delayed(other, 4000),
        "exchanged poles": -other,
        "drifting clock": np.interp(times * (1 + 2e-4), times, other),
    }[way]
    sounds = gated({"user": sound(own + bleed * 10 ** (-7 / 20)), "assistant": sound(other)}, Gate())
    left = sounds["user"].piece(Span(0, SECONDS))
    late = 4000 if way == "late" else 0
    # Its beginning, and what echoes when the other is already silent, as well.
    for start, end in ((5.1, 8.9), (16.0, 17.9)):
        assert np.abs(left[round(start * RATE) + late : round(end * RATE) + late]).max() == 0
    assert np.mean(left[RATE : 4 * RATE] != 0) > 0.99
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


def test_two_tracks_of_one_sound_are_told_when_one_is_quieter_late_or_has_its_poles_exchanged() -> None:
    one = voice(OWN, 1)
    for other in (one * 0.6, delayed(one, 320), delayed(one, 3900) * -0.7, -one):
        assert are_same(sound(one), sound(other))
        assert are_same(sound(other), sound(one))


def test_what_is_quiet_enough_to_be_bleed_is_that_and_not_the_same() -> None:
    one = voice(OWN, 1)
    assert not are_same(sound(one), sound(one * 0.45))
    (muted,) = {gated({"a": sound(one), "b": sound(one * 0.45)}, Gate())["b"].muted}
    assert sum(span.end - span.start for span in muted) > 6


def test_the_same_hum_makes_no_two_tracks_the_same() -> None:
    hum = 20_000 * np.sin(np.arange(SECONDS * RATE) * 2 * np.pi * 50 / RATE)
    assert not are_same(sound(hum + voice(OWN, 1)), sound(hum + voice(OTHERS, 2)))


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
