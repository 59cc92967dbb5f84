"""HTML elements: what is not Markup is escaped, so that a text of a stranger stays a text."""

from __future__ import annotations

import html
import re

#: Control characters, halves of surrogate pairs, and what turns the direction of the text around it.
_NOT_SHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
#: Elements that have no end tag.
_VOID = frozenset({"br", "hr", "img", "meta"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """A text as HTML that shows it, without what a browser would obey."""
    if isinstance(value, Markup):
        return value
    plain = str(value).replace("\r\n", "\n").replace("\r", "\n")
    return Markup(html.escape(_NOT_SHOWN.sub(lambda match: repr(match[0])[1:-1], plain)))


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """An element of HTML or SVG.

    Args:
        children: elements, and texts, which are escaped; None is left out.
        attributes: by name, an underscore in which is a dash (`class_` is `class`); True stands for one without a
            value, None and False for none.
    """
    given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    shown = "".join(
        f" {name}" if value is True else f' {name}="{text(value)}"'
        for name, value in given.items()
        if value is not None and value is not False
    )
    content = joined(*children)
    return Markup(f"<{tag}{shown}>" if tag in _VOID else f"<{tag}{shown}>{content}</{tag}>")


def joined(*parts: object) -> Markup:
    """Parts one behind the other; None is left out."""
    return Markup("".join(text(part) for part in parts if part is not None))
