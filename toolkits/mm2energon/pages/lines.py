"""Bars for a terminal, in blocks of eighths."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from mm2energon.pages.numbers import whole
from mm2energon.terminal import shown

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"
#: For terminals that have no blocks.
_PLAIN = str.maketrans(
    {**dict(zip(_HEIGHTS[1:], "_.-=+*##", strict=True)), **dict.fromkeys(_EIGHTHS[1:-1], ":"), "…": "~"}
)


def bar_lines(rows: Mapping[str, int], *, width: int = 30, columns: int = 100) -> list[str]:
    """A line for each name: its count, and a bar as long as that is large.

    Args:
        width: letters of the longest bar, where there is room for it.
        columns: letters of a line; names that take more than half of it are cut.
    """
    most = max([1, *rows.values()])
    digits = max((len(whole(count)) for count in rows.values()), default=0)
    names = [_cut(shown(name), columns // 2) for name in rows]
    letters = max(map(_cells, names), default=0)
    width = max(1, min(width, columns - letters - digits - 4))
    return [
        f"{name}{' ' * (letters - _cells(name))}  {whole(count):>{digits}}  {bar(count / most, width=width)}".rstrip()
        for name, count in zip(names, rows.values(), strict=True)
    ]


def _cells(text: str) -> int:
    """Places that a text takes in a terminal: two for a letter of Chinese, none for a mark on another letter."""
    return sum(0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF") for one in text)


def _cut(text: str, most: int) -> str:
    if _cells(text) <= most:
        return text
    kept = text[:most]
    while _cells(kept) > most - 1:
        kept = kept[:-1]
    return f"{kept}…"


def plain(line: str) -> str:
    """A line as a terminal shows it that has no blocks."""
    return line.translate(_PLAIN)


def bar(share: float, *, width: int) -> str:
    """A bar from the left; what is more than nothing is seen."""
    eighths = round(share * width * 8)
    eighths = max(eighths, 1) if share > 0 else eighths
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def spark(counts: Sequence[int]) -> str:
    """A histogram of one line: a letter for each bar."""
    most = max([1, *counts])
    return "".join(_HEIGHTS[max(1, round(8 * count / most)) if count else 0] for count in counts)
