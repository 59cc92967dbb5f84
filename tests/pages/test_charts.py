"""Charts: what is drawn is what was counted, and stays on the paper."""

import re
import xml.etree.ElementTree as ET
from random import Random

import pytest
from mm2energon.pages.bins import bins_of
from mm2energon.pages.charts import Labels, histogram, scatter
from mm2energon.pages.lines import bar_lines, plain, spark
from mm2energon.pages.numbers import linear_ticks, log_ticks, percent, quantile, short

RANDOM = Random(1)
SETS = {
    "few whole": [2, 2, 4, 6],
    "one": [5],
    "spread": [round(RANDOM.lognormvariate(4, 2)) for _ in range(500)],
    "fractions": [RANDOM.gauss(50, 9) for _ in range(500)],
    "bytes": [RANDOM.lognormvariate(12, 2) for _ in range(300)],
}


def drawn(svg):
    """The drawing as XML, and the rectangle that it must stay in."""
    root = ET.fromstring(svg)
    return root, [float(number) for number in root.get("viewBox").split()]


@pytest.mark.parametrize("name", SETS)
def test_the_bars_tell_how_many_there_are_and_the_curve_ends_at_the_top(name):
    bins = bins_of(SETS[name])
    root, (_, _, width, height) = drawn(histogram(bins, Labels("t", "values", marks={50.0: "50"})))
    titles = [bar.find("title").text for bar in root.iter("rect")]
    assert sum(int(re.search(r": ([\d,]+) samples", one)[1].replace(",", "")) for one in titles) == sum(bins.counts)
    places = [tuple(map(float, one.split(","))) for one in root.find("polyline").get("points").split()]
    assert places[-1][1] == min(y for _, y in places)
    assert all(0 <= x <= width and 0 <= y <= height for x, y in places)
    for bar in root.iter("rect"):
        x, y, w, h = (float(bar.get(one)) for one in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width and y >= 0 and y + h <= height and w > 0 and h > 0


def test_the_higher_bar_is_the_more_frequent():
    root, _ = drawn(histogram(bins_of([1] * 10 + [2] * 5 + [3]), Labels("t", "n")))
    heights = [float(bar.get("height")) for bar in root.iter("rect")]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.2) and heights[1] > heights[2]


def test_numbers_along_an_axis_do_not_touch():
    for values in SETS.values():
        root, _ = drawn(histogram(bins_of(values), Labels("t", "n", "B")))
        places = sorted(float(one.get("x")) for one in root.iter("text") if one.get("text-anchor") == "middle")
        ticks = [float(one.get("x1")) for one in root.iter("line") if one.get("class") == "tick"]
        assert all(b - a >= 34 for a, b in zip(sorted(ticks), sorted(ticks)[1:], strict=False)), places


def test_points_are_larger_where_there_are_more_of_them():
    root, _ = drawn(scatter([(640, 480, 100), (1280, 720, 1)], Labels("t", "width"), upward="height"))
    sizes = {one.find("title").text: float(one.get("r")) for one in root.iter("circle")}
    assert sizes["640 x 480: 100 samples"] > sizes["1280 x 720: 1 samples"]


def test_an_axis_of_powers_says_so():
    root, _ = drawn(scatter([(100, 50, 1), (3000, 60, 1)], Labels("t", "width"), upward="height"))
    assert {"width (log)", "height"} <= {one.text for one in root.iter("text")}


def test_a_label_with_markup_in_it_is_text():
    root, _ = drawn(histogram(bins_of([1, 2]), Labels("<b>", "<script>", counted="<i>")))
    assert "<script>" in [one.text for one in root.iter("text")]


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0, "", "0"),
        (0.25, "", "0.25"),
        (1536, "", "1,536"),
        (12_345, "", "12.3k"),
        (1_500_000, "B", "1.5 MB"),
        (999, "B", "999 B"),
        (3, "s", "3 s"),
        (0.0000123, "", "1.23e-05"),
    ],
)
def test_numbers_are_short(value, unit, shown):
    assert short(value, unit) == shown


def test_shares_are_never_rounded_to_none_or_all():
    assert [percent(n, 10_000) for n in (0, 1, 50, 1234, 9999, 10_000)] == [
        "0 %",
        "< 0.1 %",
        "0.5 %",
        "12 %",
        "> 99.9 %",
        "100 %",
    ]


def test_ticks_are_round():
    assert linear_ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert log_ticks(1, 1000) == [1, 10, 100, 1000]


def test_a_quantile_is_one_of_the_values():
    assert [quantile([1, 2, 3, 4], share) for share in (0, 0.25, 0.5, 0.51, 1)] == [1, 1, 2, 3, 4]


def test_bars_of_a_terminal_are_as_long_as_the_counts():
    lines = bar_lines({"train": 20, "val": 10, "none": 0}, width=10)
    assert lines == ["train  20  ██████████", "val    10  █████", "none    0"]
    assert spark([0, 1, 8]) == " ▁█"
    assert all(plain(line).isascii() for line in [*bar_lines({"x" * 80: 1, "y": 7}, columns=50), spark(range(9))])
