"""Which frames a round sees: never more than the budget, and more of them where it looks closely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.videochat.frames import Shown
from mm2energon.videochat.looking import look_closer, look_evenly
from mm2energon.videochat.spans import tidy


def steady(frames: int, rate: float = 30.0) -> Shown:
    return Shown(np.arange(frames) / rate, frames / rate, 0.0)


def in_span(times: tuple[float, ...], start: float, end: float) -> int:
    return sum(start <= time < end for time in times)


def test_the_first_round_sees_the_whole_video_at_the_rate() -> None:
    look = look_evenly(steady(300), fps=2.0, budget=64)
    assert look.times == pytest.approx([number / 2 for number in range(20)], abs=1e-5)
    assert look.is_even


def test_of_a_long_video_it_sees_exactly_the_budget_from_the_first_frame_to_the_last() -> None:
    shown = steady(30_000)
    look = look_evenly(shown, fps=2.0, budget=64)
    assert len(look.times) == 64
    assert look.times[0] == 0.0
    assert look.times[-1] == pytest.approx(float(shown.times[-1]), abs=1e-5)


def test_a_short_video_has_some_frames_in_any_case() -> None:
    assert len(look_evenly(steady(30), fps=0.1, budget=64).times) == 4
    assert len(look_evenly(steady(2), fps=0.1, budget=64).times) == 2
    assert len(look_closer(steady(30), [(0.2, 0.3)], fps=0.1, budget=64).times) == 4


def test_spans_are_seen_denser_out_of_the_same_budget() -> None:
    shown, span = steady(30_000), (400.0, 420.0)
    before, after = look_evenly(shown, fps=2.0, budget=64), look_closer(shown, [span], fps=2.0, budget=64)
    assert len(after.times) == 64
    assert in_span(before.times, *span) == 1
    assert in_span(after.times, *span) == 32
    assert not after.is_even
    assert list(after.inside).count(True) == 32


def test_within_a_span_the_frames_are_even_in_time() -> None:
    look = look_closer(steady(30_000), [(400.0, 410.0), (500.0, 510.0)], fps=1.0, budget=40)
    gaps = np.diff([time for time in look.times if 400 <= time < 410])
    assert gaps.max() < 2 * gaps.min()
    assert abs(in_span(look.times, 400, 410) - in_span(look.times, 500, 510)) <= 1


def test_spans_get_no_more_than_four_times_the_rate_and_the_rest_keeps_its_own() -> None:
    look = look_closer(steady(300), [(4.0, 5.0)], fps=2.0, budget=64)
    assert in_span(look.times, 4, 5) == 8
    assert len(look.times) - in_span(look.times, 4, 5) == 18


def test_a_span_that_is_nearly_all_of_the_video_is_seen_no_thinner_than_before() -> None:
    shown = steady(30_000)
    before = look_evenly(shown, fps=2.0, budget=64)
    after = look_closer(shown, [(0.0, 950.0)], fps=2.0, budget=64)
    assert in_span(after.times, 0, 950) >= in_span(before.times, 0, 950)


def test_spans_that_are_the_whole_video_change_nothing_but_the_rate() -> None:
    look = look_closer(steady(300), [(0.0, 10.0)], fps=2.0, budget=20)
    assert len(look.times) == 20
    assert look.is_even


def test_a_moment_is_seen_by_the_frame_that_is_shown_then() -> None:
    look = look_closer(steady(3000), [(50.01, 50.01)], fps=0.1, budget=8)
    assert 50.0 in look.times


VIDEOS = st.lists(st.floats(0.001, 3.0), min_size=1, max_size=200).map(
    lambda gaps: Shown(np.cumsum([0.0, *gaps[:-1]]), float(sum(gaps)), 0.0)
)
SPANS = st.lists(st.tuples(st.floats(-10, 700), st.floats(-10, 700)), min_size=1, max_size=6)


@given(VIDEOS, SPANS, st.floats(0.01, 30), st.integers(2, 100))
def test_no_round_is_above_its_budget_nor_sees_a_frame_twice(
    shown: Shown, spans: list[tuple[float, float]], fps: float, budget: int
) -> None:
    tidied = tidy(spans, shown.duration)
    for look in (look_evenly(shown, fps=fps, budget=budget), look_closer(shown, tidied, fps=fps, budget=budget)):
        assert 1 <= len(look.times) <= budget
        assert list(look.times) == sorted(set(look.times))
        assert all(np.abs(shown.times - time).min() < 1e-5 for time in look.times)
        assert len(look.inside) == len(look.times)
        assert look.spans == () or any(look.inside)


@given(st.integers(300, 20_000), st.floats(0, 0.9), st.floats(0.01, 0.1), st.integers(8, 128))
def test_the_spans_of_a_long_video_are_denser_than_the_rest(
    frames: int, start: float, length: float, budget: int
) -> None:
    shown = steady(frames)
    span = (start * shown.duration, min(start + length, 1.0) * shown.duration)
    look = look_closer(shown, [span], fps=2.0, budget=budget)
    inside = sum(look.inside) / (span[1] - span[0])
    outside = (len(look.times) - sum(look.inside)) / (shown.duration - span[1] + span[0])
    assert inside > outside
