"""A survey told otherwise than by its page: in lines for a terminal, and as JSON for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import mm2energon
from mm2energon.errors import REASONS
from mm2energon.pages.bins import bins_of
from mm2energon.pages.lines import bar_lines, spark
from mm2energon.pages.numbers import counted, percent, quantile, short, whole
from mm2energon.pipeline.survey import WARNINGS, Survey
from mm2energon.pipeline.survey_copies import Group, Known
from mm2energon.pipeline.survey_measures import LIMITS, MEASURES

#: What a JSON of ours says it is by, by which it is known.
BY = "mm2energon report"
#: Names that are told, in the JSON and in the terminal.
_TOP, _TOLD = 50, 12
#: Letters of a title and of a drawing, where they stand beside each other.
_TITLE, _DRAWN, _INDENT = 28, 26, "  "


def lines_of(found: Survey, *, columns: int = 120) -> list[str]:
    """The essentials, for a terminal of that many columns."""
    lines = bar_lines({split: samples for split, (_, samples, _) in found.splits.items()}, columns=columns)
    if found.kinds:
        lines += ["", *bar_lines(dict(found.kinds.most_common()), columns=columns)]
    if found.formats:
        formats = {name: sum(counts.values()) for name, counts in found.formats.items()}
        lines += ["", "read as", *bar_lines(formats, columns=columns)]
    if named := {name: count for name, count in found.sources.top(_TOLD) if name}:
        lines += ["", "sources", *bar_lines(named, columns=columns)]
    for part in dict.fromkeys(measure.part for measure in MEASURES.values()):
        rows = [line for told in _measures(found, part) for line in _laid_out(*told, columns=columns)]
        lines += ["", *rows] if rows else []
        if part == "tokens" and rows:
            lines += _laid_out("longer than", "", _limits(found), columns=columns)
    for account in found.accounts:
        if account.set_aside:
            lines += [
                "",
                f"set aside by {account.command} ({account.of})",
                *bar_lines(account.set_aside, columns=columns),
            ]
    lines += ["", *(line for one in _copy_lines(found) for line in textwrap.wrap(one, columns))]
    for code, warned in found.warnings.items():
        place, what = warned.places[0]
        meaning = WARNINGS.get(code) or REASONS.get(code, "")
        lines += [f"warning: {code}: {whole(warned.count)} ({meaning})", f"         first {place}: {what}"]
    return lines


def _laid_out(title: str, drawn: str, told: str, *, columns: int) -> list[str]:
    """A title, a drawing and what is told: beside each other, or where there is no room below."""
    line = f"{title:<{_TITLE}} {drawn:<{_DRAWN}}  {told}" if drawn else f"{title:<{_TITLE}} {told}"
    if len(line) <= columns:
        return [line]
    below = [*([drawn] if drawn else []), *textwrap.wrap(told, max(20, columns - len(_INDENT)))]
    return [title, *(_INDENT + one for one in below)]


def _measures(found: Survey, part: str) -> Iterator[tuple[str, str, str]]:
    """(title, drawing, figures) of what is measured."""
    for name, measure in MEASURES.items():
        spread = found.spreads[name]
        if measure.part == part and spread.count:
            ordered = spread.ordered()
            figures = ", ".join(
                f"{word} {short(value, measure.unit)}"
                for word, value in (("median", quantile(ordered, 0.5)), ("95 %", quantile(ordered, 0.95)))
            )
            ends = f"{short(spread.least, measure.unit)} to {short(spread.most, measure.unit)}"
            if spread.least == spread.most:
                yield measure.title, "", f"{short(spread.most, measure.unit)} (all {whole(spread.count)})"
            else:
                yield measure.title, spark(bins_of(ordered).counts), f"{ends}; {figures}"


def _limits(found: Survey) -> str:
    spread = found.spreads["tokens"]
    shares = ", ".join(f"{limit // 1024}k {percent(spread.share_above(limit), 1)}" for limit in LIMITS)
    how = "" if found.options.tokenizer else "; tokens of text are estimated"
    return f"{shares} ({found.options.model}{how})"


def _copy_lines(found: Survey) -> Iterator[str]:
    for what, known in (
        ("samples", found.copies.samples),
        ("images", found.copies.images),
        ("videos", found.copies.videos),
        ("audio files", found.copies.audios),
    ):
        if known.total:
            yield f"{whole(len(known))} different {what} of {whole(known.total)}"
    yield f"{counted(found.near_count, 'group')} of images or videos that look nearly the same"
    yield f"{counted(len(found.reworded), 'group')} of questions that are worded nearly the same"


def json_of(found: Survey) -> dict[str, Any]:
    """Everything that the page says in numbers."""
    return {
        "by": BY,
        "version": mm2energon.__version__,
        "of": found.name,
        "target": found.target.name,
        "model": found.options.model,
        "text_tokens": "counted" if found.options.tokenizer else "estimated",
        "seed": found.options.seed,
        **_dataset(found),
        **_measured(found),
        "copies": _copies(found),
        "accounts": [
            {
                "command": one.command,
                "of": one.of,
                "read": one.read,
                "written": one.written,
                "set_aside": one.set_aside,
                "formats": one.formats,
            }
            for one in found.accounts
        ],
        "warnings": {
            code: {"count": warned.count, "places": [[where, what] for where, what in warned.places]}
            for code, warned in found.warnings.items()
        },
        "shown": [str(where) for where, _, _ in found.cards],
    }


def _dataset(found: Survey) -> dict[str, Any]:
    """What it holds."""
    return {
        "splits": {
            split: {"shards": shards, "samples": samples, "bytes": size}
            for split, (shards, samples, size) in found.splits.items()
        },
        "shards": {name: {"samples": samples, "bytes": size} for name, (samples, size) in found.shards.items()},
        "samples": found.samples,
        "read": found.read,
        "unread": found.unread,
        "kinds": dict(found.kinds),
        "formats": found.formats,
        "sources": {name: count for name, count in found.sources.top(_TOP) if name},
    }


def _measured(found: Survey) -> dict[str, Any]:
    """What its samples measure, and what they say most often."""
    return {
        "measures": {name: spread.as_dict() for name, spread in found.spreads.items()},
        "longer_than": {
            str(limit): {name: round(found.spreads[name].share_above(limit), 6) for name in ("tokens", "visual_tokens")}
            for limit in LIMITS
        },
        "image_sizes": [[*size, count] for size, count in found.image_sizes.top(_TOP)],
        "frame_sizes": [[*size, count] for size, count in found.frame_sizes.top(_TOP)],
        "questions": [[text, count] for text, count in found.questions.top(_TOP)],
        "answers": [[text, count] for text, count in found.answers.top(_TOP)],
    }


def _copies(found: Survey) -> dict[str, Any]:
    return {
        "samples": _known(found.copies.samples),
        "images": _known(found.copies.images),
        "videos": _known(found.copies.videos),
        "audios": _known(found.copies.audios),
        "near": [_group(group) for group, _ in found.near],
        "near_groups": found.near_count,
        "questions": [
            {"samples": sum(count for _, count in group), "texts": [[text, count] for text, count in group[:_TOLD]]}
            for group in found.reworded[:_TOP]
        ],
        "question_groups": len(found.reworded),
    }


def _known(known: Known) -> dict[str, Any]:
    repeated = known.repeated()
    return {"read": known.total, "different": len(known), "repeated": [_group(one) for one in repeated[:_TOP]]}


def _group(group: Group) -> dict[str, Any]:
    return {"count": group.count, "places": [str(where) for where in group.places], "splits": sorted(group.splits)}
