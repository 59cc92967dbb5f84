"""The pictures of a survey's page: samples with what is said and shown in them, and near copies beside each other."""

from __future__ import annotations

import base64
import re

from mm2energon.pages.document import bullets, card, folded, grid
from mm2energon.pages.markup import Markup, element, joined
from mm2energon.pages.numbers import counted, short, whole
from mm2energon.pipeline.survey import Survey
from mm2energon.pipeline.survey_cards import Card, Shown
from mm2energon.pipeline.survey_copies import Group, Where
from mm2energon.pipeline.survey_sample import SampleSeen

_TAG = re.compile("(<(?:image|video|audio)>)")


def sample_cards(found: Survey) -> Markup:
    """The samples that are shown."""
    if not found.cards:
        return Markup()
    note = f"{counted(len(found.cards), 'sample')} at random (seed {found.options.seed}), as they lie in the shards."
    cards = (_sample_card(where, seen, shown, found) for where, seen, shown in found.cards)
    return joined(element("p", note, class_="soft"), grid(cards, wide=True))


def near_copies(found: Survey) -> Markup:
    """Groups of media that look nearly the same."""
    cut = " Not all were compared: there are too many." if found.copies.is_cut else ""
    if not found.near_count:
        return element("p", f"No two different images or videos look nearly the same.{cut}")
    more = f" {len(found.near)} are shown." if len(found.near) < found.near_count else ""
    note = (
        f"{counted(found.near_count, 'group')} of images or videos whose bytes differ, and that look nearly the same "
        f"(by brightness and colours of a coarse grid).{more}{cut}"
    )
    return joined(
        element("p", note, class_="soft"), grid(_group_card(group, pictures) for group, pictures in found.near)
    )


def _group_card(group: Group, pictures: list[Shown]) -> Markup:
    kind = group.places[0].kind
    splits = f" in {' and '.join(sorted(group.splits))}" if len(group.splits) > 1 else ""
    return card(
        f"{counted(group.count, kind)}{splits}",
        element(
            "div",
            *(_picture(one, str(where)) for one, where in zip(pictures, group.places, strict=True)),
            class_="media",
        ),
        folded("where", bullets(element("code", str(where)) for where in group.places)),
    )


def _sample_card(where: Where, seen: SampleSeen, shown: Card, found: Survey) -> Markup:
    tokens = ""
    if seen.visual_tokens is not None and seen.text_tokens is not None:
        how = "" if found.options.tokenizer else " (text estimated)"
        tokens = f", {whole(seen.visual_tokens + seen.text_tokens)} tokens{how}"
    return element(
        "article",
        element("div", element("b", where.split), f" {where}", class_="key"),
        element("div", f"{counted(seen.turns, 'turn')}, {short(seen.size_bytes, 'B')}{tokens}", class_="soft"),
        _media(where, seen, shown),
        element("div", *(_turn(role, text) for role, text in shown.turns), _more(shown), class_="talk", tabindex="0"),
        *(element("p", what, class_="broken") for _, what in seen.faults[:3]),
        class_="card",
    )


def _media(where: Where, seen: SampleSeen, shown: Card) -> Markup | None:
    parts: list[Markup] = []
    if shown.images:
        more = shown.image_count - len(shown.images)
        left = element("span", f"and {whole(more)} more", class_="soft") if more else None
        pictures = (_picture(one, f"image {number} of {where.key}") for number, one in enumerate(shown.images))
        parts.append(element("div", *pictures, left, class_="media"))
        sizes = ", ".join(f"{one.width}x{one.height}" for one in seen.images[: len(shown.images)])
        parts.append(element("div", sizes, class_="soft"))
    for number, (frames, count) in enumerate(shown.videos):
        strip = (_picture(one, f"frame of video {number} of {where.key}") for one in frames)
        parts += [element("div", *strip, class_="strip", tabindex="0"), _video_line(number, len(frames), count, seen)]
    if shown.video_count > len(shown.videos):
        parts.append(element("div", f"and {whole(shown.video_count - len(shown.videos))} more videos", class_="soft"))
    parts += [element("div", f"audio file of {short(size, 'B')}", class_="soft") for size in shown.audio_bytes]
    return joined(*parts) if parts else None


def _video_line(number: int, drawn: int, count: int, seen: SampleSeen) -> Markup:
    video = seen.videos[number]
    size = f", {video.looked[0].width}x{video.looked[0].height}" if video.looked else ""
    rate = f", {video.fps:.3g} a second, {short(count / video.fps, 's')}" if video.fps else ""
    what = f"{counted(count, 'frame')}{rate}{size}" + (f"; {drawn} of them shown" if drawn < count else "")
    return element("div", what, class_="soft")


def _picture(shown: Shown, name: str) -> Markup:
    if shown.fault:
        return element("span", f"{name}: {shown.fault}", class_="broken")
    source = "data:image/jpeg;base64," + base64.b64encode(shown.jpeg).decode("ascii")
    return element("img", src=source, alt=name, title=name)


def _turn(role: str, said: str) -> Markup:
    pieces = (element("span", piece, class_="tag") if _TAG.fullmatch(piece) else piece for piece in _TAG.split(said))
    return element("div", element("b", role), *pieces, class_=f"turn {role}", dir="auto")


def _more(shown: Card) -> Markup | None:
    more = shown.turn_count - len(shown.turns)
    return element("div", f"and {whole(more)} more turns", class_="soft") if more else None
