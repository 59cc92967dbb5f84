"""Statistics of a review, told: lines for a terminal, and a page with plots that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import mm2energon
from mm2energon.pages.bins import Bins
from mm2energon.pages.charts import Labels, histogram
from mm2energon.pages.document import card, document, grid, section, share_bar, table, tiles
from mm2energon.pages.lines import bar_lines, spark
from mm2energon.pages.markup import Markup, element
from mm2energon.pages.numbers import percent, short, whole
from mm2energon.review.model import STATUSES, Agreement

#: What the head of a page says of who made it.
GENERATOR = "mm2energon export"
#: Categories, reasons and days that are shown.
_SHOWN = 30
_LENGTHS = {"question": "words of questions", "answer": "words of answers", "turns": "turns"}


def lines_of(name: str, figures: Mapping[str, Any], agreement: Sequence[Agreement]) -> list[str]:
    """The figures as lines."""
    lines = [f"{name}: {whole(figures['entries'])} entries, {whole(figures['edited'])} of them edited", ""]
    lines += _indented("status", figures["status"])
    lines += _indented("category", {one or "(none)": sum(by.values()) for one, by in figures["category"].items()})
    lines += _indented("reviewer", {one or "(no name)": sum(by.values()) for one, by in figures["reviewer"].items()})
    lines += _indented("reason", figures["reason"])
    lines += _indented("decisions by day", {day: sum(by.values()) for day, by in figures["days"].items()})
    lines += _length_lines(figures)
    lines += [f"agreement: {line}" for line in map(_agreement_line, agreement)]
    return lines


def _indented(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    shown = {one: count for one, count in list(counts.items())[:_SHOWN] if count}
    if not shown:
        return
    yield title
    yield from (f"  {line}" for line in bar_lines(shown))
    if len(counts) > _SHOWN:
        yield f"  ... {len(counts)} in all"
    yield ""


def _length_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    known = [(title, _length(figures, name)) for name, title in _LENGTHS.items()]
    rows = [(title, about) for title, about in known if about["count"]]
    for title, about in rows:
        middle = f"mean {short(about['mean'])}, median {short(about['median'])}, {about['min']} to {about['max']}"
        yield f"{title:<19}{spark([count for _, _, count in about['bins']])}  {middle}"
    if rows:
        yield ""


def _length(figures: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = figures["turns"] if name == "turns" else figures["words"][name]
    return found


def _agreement_line(one: Agreement) -> str:
    pair = " and ".join(name or "(no name)" for name in one.reviewers)
    if one.agreement is None:
        return f"{pair}: nothing that both have decided on"
    kappa = f"Cohen's kappa is not defined ({one.undefined})" if one.kappa is None else f"Cohen's kappa {one.kappa:.3f}"
    return f"{pair}: {percent(one.agreement, 1)} of {whole(one.count)} entries alike, {kappa}"


def page_of(name: str, figures: Mapping[str, Any], agreement: Sequence[Agreement]) -> bytes:
    """The figures as a page."""
    every = figures["entries"]
    heads = [(whole(figures["status"][status]), status) for status in STATUSES]
    parts = {
        "Category": _by_status(figures["category"], "(none)"),
        "Reviewer": _by_status(figures["reviewer"], "(no name)"),
        "Decisions by day": _by_status(figures["days"], ""),
        "Reasons": _by_status({one: {"": count} for one, count in figures["reason"].items()}, ""),
        "Length": grid(_charts(figures), wide=True),
        "Agreement": _agreement_table(agreement),
    }
    return document(
        f"{name}: review",
        element("h1", name),
        element(
            "p", "Lengths are those of the entries as their source has them; days are those of UTC.", class_="soft"
        ),
        tiles([(whole(every), "entries"), *heads, (whole(figures["edited"]), "edited")]),
        *(section(title.lower().replace(" ", "-"), title, body) for title, body in parts.items() if body),
        element("footer", f"mm2energon {mm2energon.__version__} export; one file that fetches nothing."),
        generator=GENERATOR,
    )


def _by_status(found: Mapping[str, Mapping[str, int]], nameless: str) -> Markup | None:
    """A table of what has how many entries of each status."""
    if not found:
        return None
    present = [status for status in STATUSES if any(by.get(status) for by in found.values())]
    most = max(sum(by.values()) for by in found.values())
    rows = [
        [one or nameless, whole(sum(by.values())), share_bar(sum(by.values()), most)]
        + [whole(by.get(status, 0)) for status in present]
        for one, by in list(found.items())[:_SHOWN]
    ]
    numbers = (1, *range(3, 3 + len(present)))
    more = element("p", f"The first {_SHOWN} of {whole(len(found))}.") if len(found) > _SHOWN else None
    return element("div", table(["", "all", "", *present], rows, numbers=numbers), more, class_="card")


def _charts(figures: Mapping[str, Any]) -> Iterator[Markup]:
    for name, title in _LENGTHS.items():
        about = _length(figures, name)
        if about["count"]:
            labels = Labels(title.capitalize(), title.split()[0], counted="entries")
            middle = f"mean {short(about['mean'])}, median {short(about['median'])}"
            rows = [[of, whole(one["count"]), short(one["mean"])] for of, one in about["by_status"].items()]
            by_status = table(["status", "entries", "mean"], rows, numbers=(1, 2))
            yield card(
                title.capitalize(), element("p", middle, class_="soft"), histogram(_bins(about), labels), by_status
            )


def _bins(about: Mapping[str, Any]) -> Bins:
    bars, zeros = about["bins"], 0
    if about["is_log"] and bars[0][1] == 0:  # which has no place on an axis of powers
        zeros, bars = bars[0][2], bars[1:]
    edges = [first - 0.5 for first, _, _ in bars] + [bars[-1][1] + 0.5]
    return Bins(edges, [count for _, _, count in bars], is_log=about["is_log"], are_whole=True, zeros=zeros)


def _agreement_table(agreement: Sequence[Agreement]) -> Markup | None:
    if not agreement:
        return None
    rows = [
        [
            " and ".join(name or "(no name)" for name in one.reviewers),
            whole(one.count),
            "" if one.agreement is None else percent(one.agreement, 1),
            one.undefined or "not defined" if one.kappa is None else f"{one.kappa:.3f}",
        ]
        for one in agreement
    ]
    heads = ["reviewers", "both decided", "alike", "Cohen's kappa"]
    return element("div", table(heads, rows, numbers=(1, 2)), class_="card")
