"""Bars for a terminal, in blocks of eighths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mm2energon.pages.numbers import whole

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"


def bar_lines(rows: Mapping[str, int], *, width: int = 30) -> list[str]:
    """A line for each name: its count, and a bar as long as that is large."""
    most = max([1, *rows.values()])
    letters = max(map(len, rows), default=0)
    digits = max((len(whole(count)) for count in rows.values()), default=0)
    return [
        f"{name:<{letters}}  {whole(count):>{digits}}  {bar(count / most, width=width)}".rstrip()
        for name, count in rows.items()
    ]


def bar(share: float, *, width: int) -> str:
    """A bar from the left; what is more than nothing is seen."""
    eighths = round(share * width * 8)
    eighths = max(eighths, 1) if share > 0 else eighths
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def spark(counts: Sequence[int]) -> str:
    """A histogram of one line: a letter for each bar."""
    most = max([1, *counts])
    return "".join(_HEIGHTS[max(1, round(8 * count / most)) if count else 0] for count in counts)
