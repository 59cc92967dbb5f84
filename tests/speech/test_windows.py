"""Windows hold what an engine hears at once; nothing is heard twice, and each word goes to a span."""

from hypothesis import given
from hypothesis import strategies as st
from mm2energon.speech.engines.windows import by_span, padded, windows
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
    assert all(window.heard.end - window.heard.start <= 30 for window in found)
    assert all(one.heard.end <= other.heard.start + 1e-6 for one, other in zip(found, found[1:], strict=False))
    assert all(one.heard.start <= one.spans[0].start and one.heard.end >= one.spans[-1].end for one in found)


def test_answers_close_together_share_a_window_and_a_pause_begins_another() -> None:
    spans = [Span(1, 2), Span(3, 4), Span(5.4, 6), Span(8, 9)]
    assert [len(window.spans) for window in windows(spans, pad=0.2)] == [3, 1]


def test_a_window_is_full_before_thirty_seconds() -> None:
    spans = [Span(n, n + 0.9) for n in range(60)]
    assert [len(window.spans) for window in windows(spans, pad=0.2)] == [29, 29, 2]


def test_the_pad_is_half_the_silence_where_that_is_shorter_and_never_before_the_start() -> None:
    assert padded([Span(0.1, 1), Span(1.2, 2), Span(5, 6)], 0.2) == [Span(0, 1.1), Span(1.1, 2.2), Span(4.8, 6.2)]


def test_a_word_goes_to_the_span_that_its_middle_is_in_or_nearest_to() -> None:
    spans = [Span(1, 2), Span(3, 4)]
    found = by_span([word(0, 0.5), word(1.8, 2.4), word(2.4, 3.2), word(9, 9.5)], spans)
    assert [[one.start for one in words] for words in found] == [[0, 1.8], [2.4, 9]]


def test_no_span_is_no_window() -> None:
    assert windows([], pad=0.2) == []
    assert padded([], 0.2) == []
