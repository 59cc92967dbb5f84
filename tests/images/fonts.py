"""Fonts made by code: each letter a box of a width of its own, so that what is drawn can be told from its pixels."""

from __future__ import annotations

from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

_UNITS = 1000


def write_font(path: Path, characters: str, *, blank: str = "", notdef_is_blank: bool = False) -> Path:
    """A font in which letter number k is a box of 0.3 em and k hundredths; those of `blank` leave no trace."""
    names = {char: f"glyph{number}" for number, char in enumerate(characters)}
    widths = {name: 400 + 10 * number for number, name in enumerate(names.values())}
    glyphs = {
        name: _box(0 if char in blank else width)
        for (char, name), width in zip(names.items(), widths.values(), strict=True)
    }
    glyphs[".notdef"] = _box(0 if notdef_is_blank else 900)
    glyphs["space"] = _box(0)
    advances = {**{name: (width, 0) for name, width in widths.items()}, ".notdef": (950, 0), "space": (300, 0)}
    builder = FontBuilder(_UNITS, isTTF=True)
    builder.setupGlyphOrder([".notdef", "space", *names.values()])
    builder.setupCharacterMap({ord(" "): "space", **{ord(char): name for char, name in names.items()}})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(advances)
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)
    return path


def _box(width: int):
    pen = TTGlyphPen(None)
    if width:
        corners = [(50, 0), (50, 700), (width - 50, 700), (width - 50, 0)]
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()
