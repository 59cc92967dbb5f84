"""Windows hold what an engine hears at once; nothing is heard twice, and each word goes to a span."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.speech.engines.windows import padded, windows
from mm2energon.speech.sound import RATE, Sound
from mm2energon.speech.utterances import Span, Word


def word(start: float, end: float) -> Word:
    return Word(" x", start, end, 1.0)


@st.composite
def spans_in_order(draw: st.DrawFn) -> list[Span]:
    spans, at = [], 0.0
    for silence, speech in draw(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 28)), max_size=30)):
        spans.append(Span(at + silence, at + silence + speech))
        at = spans[-1].end
    return spans


@given(spans_in_order())
def test_every_span_is_in_one_window_and_no_window_is_longer_than_whisper_hears(spans: list[Span]) -> None:
    found = windows(spans, pad=0.2)
    assert [span for window in found for span in window.spans] == spans
    silence = Sound(np.zeros(round((spans[-1].end + 1) * RATE) if spans else 0, np.int16))
    assert all(len(window.sound(silence)) <= 30 * RATE for window in found)
    heard = [one for window in found for one in window.heard]
    assert all(one.end <= other.start + 1e-6 for one, other in zip(heard, heard[1:], strict=False))
    assert all(one.start <= span.start and one.end >= span.end for one, span in zip(heard, spans, strict=True))


@given(spans_in_order())
def test_a_word_comes_back_to_where_it_was_said(spans: list[Span]) -> None:
    for window in windows(spans, pad=0.2):
        said = [
            word(start + span.start - heard.start, start + span.end - heard.start)
            for start, span, heard in zip(window.starts, window.spans, window.heard, strict=True)
        ]
        for span, words in zip(window.spans, window.words(said), strict=True):
            (one,) = words
            assert (one.start, one.end) == (pytest.approx(span.start, abs=0.001), pytest.approx(span.end, abs=0.001))


def test_turns_share_a_window_however_far_apart_they_are() -> None:
    spans = [Span(1, 2), Span(3, 4), Span(5.4, 6), Span(900, 901)]
    assert [len(window.spans) for window in windows(spans, pad=0.2)] == [4]


def test_a_window_is_full_before_thirty_seconds() -> None:
    spans = [Span(n * 10, n * 10 + 2.6) for n in range(10)]  # 3 s with their pads
    assert [len(window.spans) for window in windows(spans, pad=0.2)] == [9, 1]


def test_a_window_is_what_is_said_in_its_spans_one_after_the_other() -> None:
    samples = np.zeros(20 * RATE, np.int16)
    samples[2 * RATE : 3 * RATE], samples[12 * RATE : 14 * RATE] = 8192, 16384
    (window,) = windows([Span(2, 3), Span(12, 14)], pad=0.2)
    found = window.sound(Sound(samples))
    loud = [(value, np.flatnonzero(found == value) / RATE) for value in (0.25, 0.5)]
    assert [(value, times[0], len(times) / RATE) for value, times in loud] == [(0.25, 0.2, 1), (0.5, 1.6, 2)]


def test_the_pad_is_half_the_silence_where_that_is_shorter_and_never_before_the_start() -> None:
    assert padded([Span(0.1, 1), Span(1.2, 2), Span(5, 6)], 0.2) == [Span(0, 1.1), Span(1.1, 2.2), Span(4.8, 6.2)]


def test_a_word_goes_to_the_span_that_its_middle_is_in_or_nearest_to_and_stays_in_what_was_heard() -> None:
    (window,) = windows([Span(1, 2), Span(30, 31)], pad=0.2)  # heard from 0 to 1.4, and from there to 2.8 of the window
    found = window.words([word(-1, 0.5), word(1.0, 1.6), word(1.5, 2.1), word(9, 9.5)])
    assert [[(one.start, one.end) for one in words] for words in found] == [
        [(0.8, 1.3), (1.8, 2.2)],
        [(29.9, 30.5), (31.2, 31.2)],
    ]


def test_no_span_is_no_window() -> None:
    assert windows([], pad=0.2) == []
    assert padded([], 0.2) == []
