"""Spans are read from whatever a model writes, and fit the video afterwards."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.videochat.spans import parse_spans, tidy

NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
SPANS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12)
DURATIONS = st.floats(min_value=0.01, max_value=1e5)


@pytest.mark.parametrize(
    ("written", "spans"),
    [
        ("[(5.2, 10.4)]", [(5.2, 10.4)]),
        ("[(5, 8), (12, 13.5)]", [(5, 8), (12, 13.5)]),
        ("[[5, 8], [12, 13]]", [(5, 8), (12, 13)]),
        ("[5, 8]", [(5, 8)]),
        ("[5, 8, 12, 13]", [(5, 8), (12, 13)]),
        ("(5; 8)", [(5, 8)]),
        ("5.2 - 10.4", [(5.2, 10.4)]),
        ("5.2-10.4 s", [(5.2, 10.4)]),
        ("5.2\N{EN DASH}10.4, 12 to 13", [(5.2, 10.4), (12, 13)]),
        ("from 5s to 8 seconds", [(5, 8)]),
        ("[(1:02, 1:10.5)]", [(62, 70.5)]),
        ("[(1:02,1:10)]", [(62, 70)]),
        ("[(01:00:05, 1:00:07.25)]", [(3605, 3607.25)]),
        ("00:00:01,500 --> 00:00:03,000", [(1.5, 3)]),
        ("[(1m30s, 2 min)]", [(90, 120)]),
        ("[(1.5 minutes, 1h0m2s)]", [(90, 3602)]),
        ('[{"start": 5, "end": 8}]', [(5, 8)]),
        ("[('5.2', '10.4')]", [(5.2, 10.4)]),
        ("[(10, 5)]", [(10, 5)]),
        ("[(-3, 4)]", [(-3, 4)]),
        ("[(5, 8), (12,)]", [(5, 8)]),
        ("[(5, 8), (9", [(5, 8)]),
        ("[(1e999, 2), (nan, inf), (3, 4)]", [(3, 4)]),
        ("[(nan, 5), (3, nan)]", []),
        ("1. 2 - 4\n2. 6 - 8", [(2, 4), (6, 8)]),
        (f"[(1{'0' * 27}, 5)]", [(1e27, 5)]),
        ("[(5, 8.123456789012345)]", [(5, 8.123456789012345)]),
        ("[]", []),
        ("none", []),
        ("", []),
    ],
)
def test_spans_are_read_as_models_write_them(written: str, spans: list[tuple[float, float]]) -> None:
    assert parse_spans(f"<think>(1, 2)</think><answer>a (3, 4)</answer><glue>{written}</glue>") == spans


@pytest.mark.parametrize("written", ["(3, inf)", "(3, Infinity)", "[3, end]", '("3", "end")', f"(3, {'9' * 300})"])
def test_a_span_without_an_end_lasts_to_that_of_the_video(written: str) -> None:
    assert tidy(parse_spans(f"<glue>[{written}]</glue>"), 10) == [(3, 10)]
    assert tidy(parse_spans("<glue>[(-inf, 3)]</glue>"), 10) == [(0, 3)]


def test_a_reply_that_was_cut_off_has_the_spans_so_far() -> None:
    assert parse_spans("<answer>a</answer><glue>[(5.2, 10.4), (12") == [(5.2, 10.4)]


def test_the_last_list_that_holds_spans_counts() -> None:
    assert parse_spans("<think>as <glue>[(1, 2)]</glue></think><GLUE>[(3, 4)]</GLUE><glue>none</glue>") == [(3, 4)]
    assert parse_spans("<think>I write <glue> later</think><glue>[(3, 4)]</glue>") == [(3, 4)]


def test_without_the_tags_there_are_no_spans() -> None:
    assert parse_spans("it happens at (5.2, 10.4)") == []


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    for start, end in parse_spans(f"<glue>{text}"):
        assert math.isfinite(start) and math.isfinite(end)


@given(st.text(alphabet="0123456789.:,()[]{}<>glue/ hms-+eE", max_size=200))
def test_nor_does_one_that_looks_like_spans(text: str) -> None:
    for start, end in parse_spans(f"<glue>{text}</glue>"):
        assert math.isfinite(start) and math.isfinite(end)


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), max_size=20))
def test_what_python_writes_is_read_back(spans: list[tuple[float, float]]) -> None:
    rounded = [(round(start, 3), round(end, 3)) for start, end in spans]
    assert parse_spans(f"<glue>{rounded}</glue>") == rounded


def test_a_megabyte_of_brackets_is_read_at_once() -> None:
    assert parse_spans("<glue>" + "([{" * 300_000) == []
    assert parse_spans("<glue>" * 100_000) == []


@given(SPANS, DURATIONS)
def test_tidied_spans_lie_within_the_video_in_order_and_apart(
    spans: list[tuple[float, float]], duration: float
) -> None:
    tidied = tidy(spans, duration)
    assert all(0 <= start <= end <= duration for start, end in tidied)
    assert all(before[1] < after[0] for before, after in zip(tidied, tidied[1:], strict=False))
    assert tidy(tidied, duration) == tidied


@given(SPANS, DURATIONS, st.floats(0, 1))
def test_a_moment_is_within_the_tidied_spans_where_one_of_them_holds_it(
    spans: list[tuple[float, float]], duration: float, share: float
) -> None:
    moment = share * duration * 0.999
    named = any(min(span) <= moment <= max(span) for span in spans)
    assert any(start <= moment <= end for start, end in tidy(spans, duration)) == named


def test_what_lies_beyond_the_end_is_left_out_and_what_reaches_over_it_is_cut() -> None:
    assert tidy([(12, 15), (8, 99), (20, 30)], 10.0) == [(8, 10.0)]
    assert tidy([(-9, -1), (-2, 1)], 10.0) == [(0.0, 1)]
    assert tidy([(10, 12)], 10.0) == []
