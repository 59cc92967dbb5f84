"""Which frames are taken, from their times alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.errors import InputError
from mm2energon.video.sampling import Sampling, choose


def constant(count: int, rate: Fraction | int, start: float = 0.0) -> tuple[list[float], float]:
    """Times of a constant rate, and the end of the last frame."""
    return [start + float(number / Fraction(rate)) for number in range(count)], start + float(count / Fraction(rate))


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (24, (0, 12, 24, 36)),
        (25, (0, 12, 25, 37)),
        (Fraction(30_000, 1001), (0, 14, 29, 44)),
        (30, (0, 15, 30, 45)),
        (60, (0, 30, 60, 90)),
    ],
)
def test_half_a_second_gives_two_frames_a_second_at_every_source_rate(
    rate: Fraction | int, expected: tuple[int, ...]
) -> None:
    times, _ = constant(200, rate)
    choice = choose(times, 2.0, Sampling(interval_seconds=0.5))
    assert choice.indices == expected
    assert choice.fps == 2.0


def test_a_late_start_moves_the_instants_with_it() -> None:
    times, end = constant(60, 30, start=95_443.7)
    assert choose(times, end, Sampling(interval_seconds=0.5)).indices == (0, 15, 30, 45)


def test_an_interval_below_the_spacing_gives_every_frame_once_at_the_source_rate() -> None:
    times, end = constant(50, 25)
    choice = choose(times, end, Sampling(interval_seconds=1e-6))
    assert choice.indices == tuple(range(50))
    assert choice.fps == 25.0


def test_a_still_is_taken_once_and_the_rate_is_that_of_what_was_taken() -> None:
    times = [0, 0.1, 0.2, 0.7, 1.2, 1.25, 1.3, 3.0, 3.1]
    choice = choose(times, 3.2, Sampling(interval_seconds=0.5))
    assert choice.indices == (0, 2, 3, 6, 7)
    assert choice.fps == pytest.approx(4 / 3.0, abs=1e-6)


def test_the_rate_that_was_asked_for_is_given_back_exactly() -> None:
    times, end = constant(300, 60)
    assert choose(times, end, Sampling(fps=29.97)).fps == 29.97
    assert choose(times, end, Sampling(interval_seconds=0.1)).fps == 10.0


def test_times_rounded_to_milliseconds_count_as_the_instants_they_stand_for() -> None:
    times = [round(number / 15, 3) for number in range(60)]
    exact = choose(times, 4.0, Sampling(fps=15), tolerance_seconds=0.0005)
    assert exact.indices == tuple(range(60))


def test_an_instant_at_the_rounded_end_is_outside() -> None:
    times = [round(number / 30, 3) for number in range(60)]
    assert len(choose(times, 2.001, Sampling(interval_seconds=0.5), tolerance_seconds=0.0005).indices) == 4


@given(st.integers(1, 400), st.integers(1, 400))
def test_a_number_of_frames_follows_the_rule_of_qwen(frames: int, count: int) -> None:
    times, end = constant(frames, 30)
    chosen = choose(times, end, Sampling(num_frames=count)).indices
    if count >= frames:
        assert chosen == tuple(range(frames))
    else:  # nframes of qwen-vl-utils: linspace over the ordinals, rounded
        linspace = [Fraction(frames - 1) * number / max(count - 1, 1) for number in range(count)]
        assert chosen == tuple(round(place) for place in linspace)


def test_a_number_of_frames_is_reached_even_when_one_still_fills_the_video() -> None:
    times = [*(number / 10 for number in range(9)), 100.0]
    assert choose(times, 101.0, Sampling(num_frames=4)).indices == (0, 3, 6, 9)


def test_too_many_frames_are_spread_over_the_whole_video() -> None:
    times, end = constant(300, 30)
    choice = choose(times, end, Sampling(interval_seconds=0.5, max_frames=4))
    assert choice.indices == (0, 100, 199, 299)
    assert choice.fps == pytest.approx(3 / (299 / 30), abs=1e-6)


def test_too_few_frames_become_the_minimum_but_no_more_than_there_are() -> None:
    times, end = constant(30, 30)
    assert len(choose(times, end, Sampling(interval_seconds=0.5, min_frames=8)).indices) == 8
    assert len(choose(times, end, Sampling(interval_seconds=0.5, min_frames=80)).indices) == 30


def test_a_single_frame_has_the_rate_that_was_asked_for() -> None:
    assert choose([0.0], 0.04, Sampling(interval_seconds=0.5)).fps == 2.0
    assert choose([0.0], 0.04, Sampling(num_frames=1)).fps == 25.0


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=60),
    st.floats(0.01, 20),
    st.integers(0, 10_000),
)
def test_a_frame_is_taken_exactly_when_it_is_on_the_screen_at_some_instant(
    gaps: list[int], interval: float, start: int
) -> None:
    interval = round(interval, 2)
    ticks = [start + sum(gaps[:number]) for number in range(len(gaps) + 1)]
    end = ticks[-1] + 40
    choice = choose([tick / 1000 for tick in ticks], end / 1000, Sampling(interval_seconds=interval))
    step = Fraction(str(interval)) * 1000
    instants = range(int(-(-(end - start) // step)) + 1)
    expected = {
        max(number for number, tick in enumerate(ticks) if tick <= start + k * step)
        for k in instants
        if start + k * step < end
    }
    assert choice.indices == tuple(sorted(expected))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"fps": 2.0, "num_frames": 3},
        {"interval_seconds": 0},
        {"interval_seconds": float("nan")},
        {"fps": -1},
        {"fps": True},
        {"num_frames": 0},
        {"num_frames": 2.5},
        {"fps": 1, "max_frames": 0},
        {"fps": 1, "min_frames": 4, "max_frames": 3},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Sampling(**values)  # type: ignore[arg-type]


def test_arrays_are_taken_as_well_as_lists() -> None:
    assert choose(np.arange(4) / 2, 2.0, Sampling(fps=1)).indices == (0, 2)
