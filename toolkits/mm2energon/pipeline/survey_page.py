"""The page of a survey: what a person sees first, then distributions, copies, samples."""

from __future__ import annotations

from collections.abc import Iterator

import mm2energon
from mm2energon.errors import REASONS
from mm2energon.pages.bins import bins_of
from mm2energon.pages.charts import Labels, histogram, scatter
from mm2energon.pages.document import (
    bullets,
    card,
    contents,
    document,
    folded,
    grid,
    section,
    share_bar,
    table,
    tiles,
)
from mm2energon.pages.markup import Markup, element, joined
from mm2energon.pages.numbers import counted, percent, quantile, short, whole
from mm2energon.pipeline.survey import WARNINGS, Survey, Warned
from mm2energon.pipeline.survey_measures import LIMITS, MEASURES, Measure
from mm2energon.pipeline.survey_numbers import Spread, Tally
from mm2energon.pipeline.survey_page_copies import copies
from mm2energon.pipeline.survey_page_samples import sample_cards
from mm2energon.pipeline.survey_page_splits import splits

#: What the head of a page says of who made it, by which a page of ours is known.
GENERATOR = "mm2energon report"
#: Rows of a table, points of a drawing, shards, and places of a warning that are seen at once.
_TOP, _POINTS, _MOST_SHARDS, _SEEN = 12, 400, 500, 2
#: What cannot be read stands before all else that is warned of.
_WORST = ("bad-part", "unreadable-image")


def page_of(found: Survey) -> bytes:
    """The page."""
    parts: dict[str, tuple[str, Markup]] = {
        "warnings": ("Warnings", _warnings(found)),
        "splits": ("Splits and accounts", splits(found)),
        "tokens": ("Tokens", _tokens(found)),
        "text": ("Text", _text(found)),
        "images": ("Images", _charts(found, "images", _sizes(found.image_sizes, "Sizes of images", "images"))),
        "videos": ("Videos", _charts(found, "videos", _sizes(found.frame_sizes, "Sizes of frames", "videos"))),
        "audio": ("Audio", _charts(found, "audio")),
        "shards": ("Shards", joined(_charts(found, "shards"), _shards(found))),
        "copies": ("Copies", copies(found) if found.read else Markup()),
        "samples": ("Samples", sample_cards(found)),
    }
    parts = {name: part for name, part in parts.items() if part[1]}
    return document(
        f"{found.name}: report",
        element("h1", f"{found.name}"),
        element("p", _head(found), class_="soft"),
        contents({name: title for name, (title, _) in parts.items()}),
        tiles(_figures(found)),
        *(section(name, title, body) for name, (title, body) in parts.items()),
        element(
            "footer", f"mm2energon {mm2energon.__version__} report; one file that fetches nothing and runs nothing."
        ),
        generator=GENERATOR,
    )


def _head(found: Survey) -> str:
    made_by = found.manifest.get("made_by")
    by = f"made by {made_by}, " if isinstance(made_by, str) else ""
    return f"{by}for {found.target.name}: {found.target.reader}. {how_many_were_read(found)}"


def how_many_were_read(found: Survey) -> str:
    """Which samples the figures are of."""
    lost = f"; {whole(found.unread)} cannot be read" if found.unread else ""
    if found.chosen == found.samples:
        return f"All {counted(found.samples, 'sample')} looked at{lost}."
    return (
        f"{whole(found.chosen)} of {whole(found.samples)} samples looked at{lost}: spread over all shards at random "
        f"(seed {found.options.seed}). All figures but those of splits, formats and shards are of these."
    )


def _figures(found: Survey) -> Iterator[tuple[str, str]]:
    yield short(found.samples), "sample" if found.samples == 1 else "samples"
    yield short(sum(size for _, _, size in found.splits.values()), "B"), "in shards"
    of_read = "" if found.chosen == found.samples else " read"
    for name, what in (("image_pixels", "images"), ("video_frames", "videos")):
        if count := found.spreads[name].count:
            yield short(count), f"{what[:-1] if count == 1 else what}{of_read}"
    if found.spreads["tokens"].count:
        ordered = found.spreads["tokens"].ordered()
        yield short(quantile(ordered, 0.5)), f"tokens, median ({found.options.model})"
    refused = sum(sum(account.set_aside.values()) for account in found.accounts)
    yield whole(refused), "entry set aside" if refused == 1 else "entries set aside"
    yield whole(len(found.warnings)), "kind of warning" if len(found.warnings) == 1 else "kinds of warnings"


def _warnings(found: Survey) -> Markup:
    if not found.warnings:
        return element("p", "Nothing was found that training would trip over.")
    order = {code: number for number, code in enumerate(dict.fromkeys((*_WORST, *WARNINGS, *REASONS)))}
    return grid(
        (
            card(
                f"{code}: {whole(warned.count)}",
                element("p", WARNINGS.get(code) or REASONS.get(code, "")),
                *_where(warned),
                class_="card warning",
            )
            for code, warned in sorted(found.warnings.items(), key=lambda item: order.get(item[0], len(order)))
        ),
        wide=True,
    )


def _where(warned: Warned) -> Iterator[Markup]:
    """The first samples that are warned of, and more where that is asked."""
    told = [joined(element("code", place), f": {what}") for place, what in warned.places]
    yield bullets(told[:_SEEN])
    if more := told[_SEEN:]:
        of_all = f", of {whole(warned.count)}" if warned.count > len(told) else ""
        yield folded(f"{whole(len(more))} more{of_all}", bullets(more))


def _tokens(found: Survey) -> Markup:
    if not found.read:
        return Markup()
    how = "counted by its tokenizer" if found.options.tokenizer else "estimated (give --tokenizer for exact numbers)"
    note = (
        f"For {found.options.model}: visual tokens are counted from the sizes of images and the numbers of frames; "
        f"tokens of text, chat template included, are {how}."
    )
    rows = []
    for limit in LIMITS:
        cells: list[object] = [whole(limit)]
        for name in ("tokens", "visual_tokens"):
            spread = found.spreads[name]
            cells.append(percent(spread.share_above(limit), 1) if spread.count else "")
        rows.append((*cells, share_bar(found.spreads["tokens"].share_above(limit), 1)))
    heads = ("longer than", "all tokens", "visual alone", "")
    return joined(
        element("p", note, class_="soft"),
        _charts(found, "tokens", card("Samples that would exceed a context", table(heads, rows, numbers=(1, 2)))),
    )


def _text(found: Survey) -> Markup:
    if not found.read:
        return Markup()
    return joined(
        _charts(found, "text"),
        grid(
            (
                card("Questions asked most", _most(found.questions, found.read)),
                card("Answers given most", _most(found.answers, found.read)),
            ),
            wide=True,
        ),
    )


def _most(tally: Tally[str], read: int) -> Markup:
    """The most frequent texts, and how many different ones there are."""
    most = "more than " if tally.is_cut else ""
    different = f"{most}{whole(len(tally))} different, in {counted(read, 'sample')}"
    rows = [
        (text or "(empty)", whole(count), percent(count, tally.total)) for text, count in tally.top(_TOP) if count > 1
    ]
    shown = (
        table(("first of each sample, in small letters", "samples", "share"), rows, numbers=(1, 2)) if rows else None
    )
    return joined(element("p", f"{different}.", class_="soft"), shown)


def _charts(found: Survey, part: str, *more: Markup) -> Markup:
    """The histograms of a part of the page; empty where there is nothing to draw."""
    cards: list[Markup] = [
        _chart(found.spreads[name], measure, marks=_marks(name))
        for name, measure in MEASURES.items()
        if measure.part == part and found.spreads[name].count
    ]
    cards += [one for one in more if one]
    high = [one for one in cards if "<svg" in one or "<table" in one]
    of_one_line = [one for one in cards if one not in high]
    return joined(*(grid(some) for some in (high, of_one_line) if some))


def _shards(found: Survey) -> Markup:
    """The bytes of each shard."""
    most = max((size for _, size in found.shards.values()), default=0)
    rows = [
        (name, whole(samples), short(size, "B"), share_bar(size, most))
        for name, (samples, size) in list(found.shards.items())[:_MOST_SHARDS]
    ]
    left = len(found.shards) - len(rows)
    more = element("p", f"and {whole(left)} more, which --json tells", class_="soft") if left else None
    whole_table = table(("shard", "samples", "bytes", ""), rows, numbers=(1, 2))
    shown = joined(whole_table, more) if len(rows) <= _TOP else folded("show them", whole_table, more)
    return grid([card("Each shard", shown)], wide=True)


def _marks(name: str) -> dict[float, str]:
    return {float(limit): f"{limit // 1024}k" for limit in LIMITS} if "tokens" in name else {}


def _chart(spread: Spread, measure: Measure, *, marks: dict[float, str]) -> Markup:
    """A histogram with its figures; of a single value, the value."""
    unit = measure.unit
    if spread.least == spread.most:
        of_all = element("p", f"{_all(spread.count, measure.one, measure.counted)}. {measure.remark}", class_="soft")
        return card(measure.title, element("span", short(spread.most, unit), class_="only"), of_all)
    ordered = spread.ordered()
    bins = bins_of(ordered)
    middle = " to ".join(short(quantile(ordered, share), unit) for share in (0.05, 0.95))
    figures = (
        f"{counted(spread.count, measure.one, measure.counted)}: median {short(quantile(ordered, 0.5), unit)}, "
        f"mean {short(spread.mean, unit)}, nine of ten from {middle}, most {short(spread.most, unit)}."
    )
    notes = [figures, f"{whole(bins.zeros)} of 0 are not drawn." if bins.zeros else "", measure.remark]
    labels = Labels(measure.title, f"{measure.across}{' (log)' if bins.is_log else ''}", unit, measure.counted, marks)
    caption = element("figcaption", " ".join(filter(None, notes)))
    return card(measure.title, element("figure", caption, histogram(bins, labels)))


def _all(number: int, one: str, many: str) -> str:
    return counted(number, one, many) if number == 1 else f"all {counted(number, one, many)}"


def _sizes(sizes: Tally[tuple[int, int]], title: str, what: str) -> Markup:
    points = [(float(width), float(height), count) for (width, height), count in sizes.top(_POINTS)]
    if not points:
        return Markup()
    (width, height), most = sizes.top(1)[0]
    if len(sizes) == 1:
        of_all = element("p", f"{_all(sizes.total, what[:-1], what)}.", class_="soft")
        return card(title, element("span", f"{width} x {height}", class_="only"), of_all)
    drawn = f" The {_POINTS} most frequent are drawn." if len(sizes) > _POINTS else ""
    caption = (
        f"{whole(len(sizes))} different sizes, {width} x {height} most often ({percent(most, sizes.total)}).{drawn}"
    )
    drawing = scatter(points, Labels(title, "width in pixels", counted=what), upward="height in pixels")
    return card(title, element("figure", element("figcaption", caption), drawing))
