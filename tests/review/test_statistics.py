"""Statistics of a review: each figure by hand, also told as lines and as a page that obeys no text of the data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mm2energon.review.review import open_review
from mm2energon.review.statistics_told import lines_of, page_of

from review.reviewing import edited, write_csv

ROWS = [
    "0,v.mp4,One?,cats,One two three.,",
    "1,v.mp4,One <image> two?,cats,One.,",
    "2,v.mp4,One two three?,<b>dogs</b>,One.,",
    "3,v.mp4,One?,<b>dogs</b>,One two.,accepted",
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The figures, and how two reviewers agree."""
    path = write_csv(tmp_path_factory.mktemp("statistics") / "a.csv", *ROWS)
    with open_review(path, reviewers=["anna", "bert"]) as review:
        review.wait()
        review.decide([0, 1], "accept", reviewer="anna")
        review.decide([1], "reject", reviewer="anna", reason="wrong")
        sample = replace(review.item(2).sample, turns=edited("Q?", "A."))
        review.decide([2], "edit", reviewer="bert", sample=sample)
        review.decide([0], "accept", reviewer="bert")
        review.decide([1], "accept", reviewer="bert")
        review.assign(["anna", "bert"])
        yield review.statistics(), review.agreement()


def test_entries_are_counted_by_status_category_and_reviewer(told):
    figures, _ = told
    assert figures["entries"] == 4 and figures["edited"] == 1
    assert figures["status"] == {"pending": 0, "accepted": 3, "rejected": 0, "disputed": 1}
    assert figures["category"] == {"<b>dogs</b>": {"accepted": 2}, "cats": {"accepted": 1, "disputed": 1}}
    assert figures["reviewer"] == {"anna": {"accepted": 1, "rejected": 1}, "bert": {"accepted": 3}}
    assert figures["edited_by"] == {"anna": 0, "bert": 1}
    assert figures["reason"] == {"wrong": 1}
    assert figures["medium"] == {"video": {"accepted": 3, "disputed": 1}}
    assert sum(share["entries"] for share in figures["assigned"].values()) == 4


def test_a_day_counts_every_decision_that_was_made_on_it(told):
    figures, _ = told
    [by_status] = figures["days"].values()
    assert by_status == {"accepted": 5, "rejected": 1}


def test_lengths_are_those_of_the_source(told):
    figures, _ = told
    question, answer = figures["words"]["question"], figures["words"]["answer"]
    assert (question["mean"], question["median"], question["min"], question["max"]) == (1.75, 1.5, 1, 3)
    assert question["bins"] == [[1, 1, 2], [2, 2, 1], [3, 3, 1]]
    assert answer["by_status"]["disputed"] == {"count": 1, "mean": 1.0, "median": 1.0}
    assert figures["turns"]["bins"] == [[2, 2, 4]]


def test_lines_tell_them(told):
    lines = lines_of("a.csv", *told)
    assert lines[0] == "a.csv: 4 entries, 1 of them edited"
    assert any(line.split()[:2] == ["accepted", "3"] for line in lines)
    assert any(line.startswith("words of questions") and "mean 1.75, median 1.5, 1 to 3" in line for line in lines)
    assert any(line.startswith("agreement: anna and bert: 50 % of 2 entries alike") for line in lines)


def test_the_page_shows_texts_of_the_data_as_texts(told):
    page = page_of("a.csv", *told).decode()
    assert "&lt;b&gt;dogs&lt;/b&gt;" in page and "<b>dogs" not in page
    assert page.count("<svg") == 3 and "<script" not in page
    assert "default-src &#x27;none&#x27;" in page


def test_data_without_entries_have_figures_too(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[]")
    with open_review(path) as review:
        review.wait()
        figures = review.statistics()
    assert figures["entries"] == 0 and figures["words"]["question"]["bins"] == []
    assert lines_of("a.json", figures, []) and page_of("a.json", figures, [])


def test_lengths_that_spread_over_powers_of_ten_are_drawn_on_such_an_axis(tmp_path):
    lengths = [0, *[1] * 50, *[3] * 30, 20, 400, 5000]
    rows = [f"{number},v.mp4,{'word ' * length},c,A.," for number, length in enumerate(lengths)]
    with open_review(write_csv(tmp_path / "a.csv", *rows)) as review:
        review.wait()
        figures = review.statistics()
    question = figures["words"]["question"]
    assert question["is_log"] and question["bins"][0] == [0, 0, 1]
    assert sum(count for _, _, count in question["bins"]) == len(lengths)
    ends = [(first, last) for first, last, _ in question["bins"]]
    assert all(last + 1 == first for (_, last), (first, _) in zip(ends, ends[1:], strict=False))
    assert page_of("a.csv", figures, []).count(b"<svg") == 3
