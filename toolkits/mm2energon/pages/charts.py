"""Charts as inline SVG: histograms with their cumulative curve, and scattered points.

Colours come from the style of the page, so that one drawing does for light and dark. What a bar stands for is told by
its title, which browsers show where the pointer rests; the drawing as a whole has a label for those who cannot see it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mm2energon.pages.bins import Bins
from mm2energon.pages.markup import Markup, element, joined
from mm2energon.pages.numbers import linear_ticks, log_ticks, percent, short, whole

#: Size of a drawing, and its margins, in units that are about a pixel.
_WIDTH, _HEIGHT = 380, 244
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 40, 34, 44
#: Ticks nearer than this to each other would overlap.
_LEAST_GAP = 34


@dataclass(frozen=True)
class Axis:
    """Where the values of an axis lie on the paper."""

    least: float
    most: float
    #: The ends, in units of the paper.
    begin: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """The place of a value."""
        one, two, here = (math.log10(v) if self.is_log else v for v in (self.least, self.most, value))
        return self.begin + (self.end - self.begin) * ((here - one) / (two - one) if two > one else 0.5)

    def ticks(self, *, about: int = 5, are_whole: bool = False) -> list[float]:
        """Round values on it, none so near to another that their numbers would touch."""
        if self.is_log:
            return log_ticks(self.least, self.most)
        return linear_ticks(self.least, self.most, about=about, are_whole=are_whole)


@dataclass(frozen=True)
class Labels:
    """What a chart says in words."""

    title: str
    #: What the values are, and their unit: `words`, `""`.
    across: str
    unit: str = ""
    #: What is counted.
    counted: str = "samples"
    #: Values that are marked by a line -> what is written there.
    marks: dict[float, str] = field(default_factory=dict)


def histogram(bins: Bins, labels: Labels) -> Markup:
    """Bars, and the share of values up to each place as a curve."""
    across = Axis(bins.edges[0], bins.edges[-1], _LEFT, _WIDTH - _RIGHT, bins.is_log)
    most = max([1, *bins.counts])
    up = Axis(0, most, _HEIGHT - _BOTTOM, _TOP)
    share = Axis(0, 1, _HEIGHT - _BOTTOM, _TOP)
    curve = " ".join(f"{_n(across.at(value))},{_n(share.at(part))}" for value, part in _curve(bins))
    return _drawing(
        f"{labels.title}: histogram of {whole(bins.total)} {labels.counted}",
        _frame(across, up, labels, across_is_whole=bins.are_whole),
        _shares(share),
        _bars(bins, across, up, labels),
        element("polyline", class_="curve", points=curve),
        _marks(across, labels),
        element("text", labels.counted, class_="name", x=_LEFT - 38, y=12),
        element("text", "cumulative", class_="name curve-name", x=_WIDTH - 4, y=12, text_anchor="end"),
    )


def _curve(bins: Bins) -> Iterator[tuple[float, float]]:
    """Where the cumulative curve goes: in steps where each bar stands for one value, else straight through each bar."""
    shares = bins.cumulative()
    if not bins.has_bar_for_each:
        yield from zip(bins.edges, shares, strict=True)
        return
    yield bins.edges[0], shares[0]
    for begin, end, before, after in zip(bins.edges, bins.edges[1:], shares, shares[1:], strict=False):
        yield (begin + end) / 2, before
        yield (begin + end) / 2, after
    yield bins.edges[-1], shares[-1]


def scatter(points: Sequence[tuple[float, float, int]], labels: Labels, *, upward: str) -> Markup:
    """Points, each as large as it is frequent.

    Args:
        points: (across, up, how often), above 0.
        upward: what the values of the axis that goes up are.
    """
    across = _axis_of([x for x, _, _ in points], _LEFT, _WIDTH - _RIGHT)
    up = _axis_of([y for _, y, _ in points], _HEIGHT - _BOTTOM, _TOP)
    most = max(count for _, _, count in points)
    circles = (
        element(
            "circle",
            element("title", f"{x:g} x {y:g}: {whole(count)} {labels.counted}"),
            class_="point",
            cx=_n(across.at(x)),
            cy=_n(up.at(y)),
            r=_n(2.5 + 9 * math.sqrt(count / most)),
        )
        for x, y, count in sorted(points, key=lambda point: -point[2])  # small ones on top
    )
    return _drawing(
        f"{labels.title}: {whole(sum(count for _, _, count in points))} {labels.counted}",
        _frame(across, up, replace(labels, across=_named(labels.across, across)), across_is_whole=True),
        joined(*circles),
        element("text", _named(upward, up), class_="name", x=_LEFT - 38, y=12),
    )


def _named(name: str, axis: Axis) -> str:
    return f"{name} (log)" if axis.is_log else name


def _axis_of(values: Sequence[float], begin: float, end: float) -> Axis:
    """An axis with some room around its values."""
    least, most = min(values), max(values)
    if most >= 8 * least > 0:
        return Axis(least / 1.2, most * 1.2, begin, end, is_log=True)
    room = (most - least) * 0.08 or max(1.0, most * 0.1)
    return Axis(max(0.0, least - room), most + room, begin, end)


def _drawing(label: str, *parts: Markup) -> Markup:
    return element("svg", *parts, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=label)


def _frame(across: Axis, up: Axis, labels: Labels, *, across_is_whole: bool) -> Markup:
    """Both axes, their ticks, and the lines that lead the eye."""
    floor = _HEIGHT - _BOTTOM
    lines = [
        joined(
            element("line", class_="rule", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=_n(up.at(tick)), y2=_n(up.at(tick))),
            element("text", short(tick), x=_LEFT - 5, y=_n(up.at(tick) + 4), text_anchor="end"),
        )
        for tick in up.ticks(about=4, are_whole=True)
    ]
    for tick in _apart(across.ticks(are_whole=across_is_whole), across.at):
        place = _n(across.at(tick))
        lines += [
            element("line", class_="tick", x1=place, x2=place, y1=floor, y2=floor + 4),
            element("text", short(tick, labels.unit), x=place, y=floor + 17, text_anchor="middle"),
        ]
    name = element(
        "text", labels.across, class_="name", x=(_LEFT + _WIDTH - _RIGHT) / 2, y=_HEIGHT - 6, text_anchor="middle"
    )
    return joined(*lines, element("line", class_="axis", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=floor, y2=floor), name)


def _shares(share: Axis) -> Markup:
    return joined(
        *(
            element("text", f"{part:.0%}", class_="curve-name", x=_WIDTH - _RIGHT + 5, y=_n(share.at(part) + 4))
            for part in (0, 0.5, 1)
        )
    )


def _bars(bins: Bins, across: Axis, up: Axis, labels: Labels) -> Markup:
    floor = _HEIGHT - _BOTTOM
    shown = []
    for begin, end, count in zip(bins.edges, bins.edges[1:], bins.counts, strict=False):
        if not count:
            continue
        left, right, top = across.at(begin), across.at(end), up.at(count)
        top = min(top, floor - 1.5)  # one among thousands is seen, too
        gap = 1 if right - left > 4 else 0
        title = f"{_between(begin, end, bins, labels)}: {whole(count)} {labels.counted}, {percent(count, bins.total)}"
        width = min(right - left - gap, 60)
        shown.append(
            element(
                "rect",
                element("title", title),
                class_="bar",
                x=_n((left + right - width) / 2),
                width=_n(width),
                y=_n(top),
                height=_n(floor - top),
            )
        )
    return joined(*shown)


def _between(begin: float, end: float, bins: Bins, labels: Labels) -> str:
    if bins.are_whole:
        first, last = math.ceil(begin), math.ceil(end) - 1
        return f"{first:,}" if first == last else f"{first:,} to {last:,}"
    return f"{short(begin, labels.unit)} to {short(end, labels.unit)}"


def _marks(across: Axis, labels: Labels) -> Markup:
    """Lines at values that matter, where they lie on the paper; a name that would touch another one is left out."""
    inside = [value for value in sorted(labels.marks) if across.least <= value <= across.most]
    named = _apart(inside, across.at, gap=24)
    lines = []
    for value in inside:
        place = _n(across.at(value))
        lines.append(element("line", class_="mark", x1=place, x2=place, y1=_TOP - 4, y2=_HEIGHT - _BOTTOM))
        if value in named:
            lines.append(
                element("text", labels.marks[value], class_="mark-name", x=place, y=_TOP - 7, text_anchor="middle")
            )
    return joined(*lines)


def _apart(values: Sequence[float], place: Callable[[float], float], *, gap: float = _LEAST_GAP) -> list[float]:
    kept: list[float] = []
    for value in values:
        if not kept or abs(place(value) - place(kept[-1])) >= gap:
            kept.append(value)
    return kept


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
