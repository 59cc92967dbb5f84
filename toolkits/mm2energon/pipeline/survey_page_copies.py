"""The part of a survey's page that shows what is there twice: samples, media, and questions that nearly are."""

from __future__ import annotations

from mm2energon.pages.document import bullets, card, folded, grid, table
from mm2energon.pages.markup import Markup, element, joined
from mm2energon.pages.numbers import counted, whole
from mm2energon.pipeline.survey import Survey
from mm2energon.pipeline.survey_copies import Group
from mm2energon.pipeline.survey_page_samples import near_copies

#: Groups of questions that are shown, and questions of each.
_TOP, _ALIKE = 12, 6


def copies(found: Survey) -> Markup:
    """What is there twice, and what nearly is."""
    rows, most = [], []
    for name, known in (
        ("samples", found.copies.samples),
        ("images", found.copies.images),
        ("videos", found.copies.videos),
        ("audio files", found.copies.audios),
    ):
        if not known.total:
            continue
        repeated = known.repeated()
        in_two = sum(len(group.splits) > 1 for group in repeated)
        rows.append(
            (name, whole(known.total), f"{whole(len(known))}{' or more' if known.is_cut else ''}", whole(in_two))
        )
        if repeated:
            most.append(folded(f"{name} that are there most often", bullets(map(_places, repeated[:_TOP]))))
    heads = ("", "read", "different", "in two splits")
    note = "The same bytes; of samples, the same media and the same text but for case and spaces."
    return joined(
        element("p", note, class_="soft"),
        grid([card("Exact copies", table(heads, rows, numbers=(1, 2, 3)), *most)], wide=True),
        near_copies(found),
        _reworded(found),
    )


def _places(group: Group) -> Markup:
    """How often something is there, and where."""
    more = f", and {whole(group.count - len(group.places))} more" if group.count > len(group.places) else ""
    where = joined(*(joined(", " if number else "", element("code", one)) for number, one in enumerate(group.places)))
    return joined(f"{counted(group.count, 'time')} in {' and '.join(sorted(group.splits))}: ", where, more)


def _reworded(found: Survey) -> Markup:
    """First questions that are worded nearly the same."""
    if not found.reworded:
        return element("p", "No two different first questions are worded nearly the same.")
    cards = (
        card(
            f"{counted(len(group), 'question')}, {counted(sum(count for _, count in group), 'sample')}",
            table(("", "samples"), [(text, whole(count)) for text, count in group[:_ALIKE]], numbers=(1,)),
            element("p", f"and {whole(len(group) - _ALIKE)} more", class_="soft") if len(group) > _ALIKE else None,
        )
        for group in found.reworded[:_TOP]
    )
    more = f" {_TOP} are shown." if len(found.reworded) > _TOP else ""
    note = (
        f"{counted(len(found.reworded), 'group')} of different first questions that are worded nearly the same: they "
        f"hold the same numbers, and share most groups of three letters.{more}"
    )
    return joined(element("p", note, class_="soft"), grid(cards))
