"""The table of docs/formats.md says what the FORMATS table says; UPDATE_DOCS=1 writes it anew."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from mm2energon.formats import FORMATS
from mm2energon.formats.holds import Holds

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
MARKS = re.compile(r"(?<=<!-- formats -->\n).*?(?=<!-- /formats -->)", re.DOTALL)


def row_of(name: str) -> str:
    row: Any = FORMATS[name]
    holds: Holds = row.HOLDS
    video = "whole" if not holds.frame_lists else "whole, frames"
    cells = [
        f"`{name}`",
        number(holds.images),
        f"{'just ' * holds.needs_video}{number(holds.videos)}{f' ({video})' if holds.videos != 0 else ''}",
        number(holds.audios),
        "yes" if holds.mixed and holds.images != 0 and holds.videos != 0 else "no",
        "yes" if holds.system else "no",
        number(holds.questions),
        "in turn" if holds.alternate else "any",
        holds.tags,
    ]
    return f"| {' | '.join(cells)} |\n"


def number(most: int | None) -> str:
    return "any" if most is None else str(most) if most else "no"


def table() -> str:
    names = "format", "images", "videos", "audio", "both", "system turn", "questions", "order of turns", "tags"
    head = f"| {' | '.join(names)} |\n{'|---' * len(names)}|\n"
    return head + "".join(row_of(name) for name in FORMATS)


def test_the_table_of_formats_is_true() -> None:
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(MARKS.sub(lambda _: table(), text), encoding="utf-8")
        text = PAGE.read_text(encoding="utf-8")
    found = MARKS.search(text)
    assert found is not None and found[0] == table(), f"run: UPDATE_DOCS=1 {sys.executable} -m pytest {__file__}"
