"""Text font: which characters a font draws and how much room they take, and which texts are not drawn at all.

A font has a character when that leaves another trace than a code point for which no font has a glyph. Letters stand one
beside the other from left to right: a text whose letters join, stack or run from right to left is refused, as is one
with a character that the font lacks, for a box in its place would teach the wrong thing.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from mm2energon.errors import InputError, SampleError

_TAB = "    "
#: A code point that no font has a glyph for: what it draws instead is its sign for what it lacks.
_NO_CHARACTER = "\uffff"
#: Directions (Unicode's bidirectional classes) and categories (marks) of what does not stand letter by letter.
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI"})
_MARKS = frozenset({"Mn", "Mc", "Me"})
#: Mongolian and 'Phags-pa: joined, without marks.
_JOINED = re.compile("[\u1800-\u18af\ua840-\ua87f]")
#: What has no look of its own: soft hyphens, joiners, byte order marks.
_INVISIBLE = "Cf"
_HALF_A_PAIR = "Cs"
_CONTROL = "Cc"
_LENGTHS_REMEMBERED = 100_000
_LONG = 200
_SHOWN_CHARACTERS = 5


class UndrawableText(SampleError):
    """A text holds characters that are not drawn."""

    def __init__(self, message: str, scripts: tuple[str, ...]) -> None:
        super().__init__(message, "undrawable-text")
        self.args = (message, scripts)  # so that the error survives pickling
        #: The scripts that they are of, by the first word of their Unicode names.
        self.scripts = scripts


class Face:
    """A font of one size, and what is known of it; sizes in pixels."""

    def __init__(self, font: ImageFont.FreeTypeFont) -> None:
        self.font = font
        ascent, descent = font.getmetrics()
        self.line_pixels = max(1, ascent + descent)
        self._lacking = self._look(_NO_CHARACTER)
        self._known: dict[str, bool] = {}
        self._lengths: dict[str, float] = {}

    @property
    def name(self) -> str:
        """As the file calls itself."""
        return " ".join(part for part in self.font.getname() if part) or "the font"

    def fits(self, line: str, room: int) -> bool:
        """Whether a line has room, its last letter's overhang included."""
        shown = visible(line)
        if len(shown) > _LONG and sum(map(self.length, shown)) > 2 * room:
            return False  # told without measuring, which takes a millisecond for each thousand letters
        return self.font.getbbox(shown)[2] <= room

    def length(self, word: str) -> float:
        """Pixels up to what comes behind a word."""
        length = self._lengths.get(word)
        if length is None:
            if len(self._lengths) == _LENGTHS_REMEMBERED:
                self._lengths.clear()
            length = self._lengths[word] = self.font.getlength(word.replace("\t", _TAB))
        return length

    def has(self, char: str) -> bool:
        """Whether a character leaves a trace, and another one than that of characters that the font lacks."""
        known = self._known.get(char)
        if known is None:
            look = self._look(char)
            known = self._known[char] = any(look[0]) and look != self._lacking
        return known

    def _look(self, char: str) -> tuple[bytes, object, float]:
        mask = self.font.getmask(char, mode="L")
        return bytes(mask), (mask.size, self.font.getbbox(char)), self.font.getlength(char)


@lru_cache(maxsize=4)
def open_face(path: Path | None, size: int) -> Face:
    """A font file, or, without one, the font that comes with Pillow (Aileron: ASCII and some quotation marks).

    Raises:
        InputError: it cannot be used.
    """
    try:
        if path is None:
            font = ImageFont.load_default(size)
        else:  # the basic layout, which is the same whatever libraries the Pillow at hand was built with
            font = ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(
            f"--font {path or '(none given)'}: cannot be used ({error}); "
            "a TrueType or OpenType font that scales was expected"
        ) from error
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise InputError("this Pillow was built without FreeType, and draws no text; install one that has it")
    return Face(font)


@lru_cache(maxsize=4)
def font_identity(path: Path | None) -> str:
    """What tells a font from another."""
    return "Pillow's own" if path is None else f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"


def visible(line: str) -> str:
    """What of a line is drawn: tabs as four blanks, other blanks as one, nothing behind the last letter."""
    if line.isascii() and line.isprintable():
        return line.rstrip()
    plain = line.rstrip().replace("\t", _TAB)
    return "".join(" " if char.isspace() else char for char in plain if unicodedata.category(char) != _INVISIBLE)


def check_drawable(text: str, face: Face, *, room: int, origin: str) -> None:
    """Refuse a text that would not be drawn as it is.

    Args:
        room: pixels of a line.

    Raises:
        UndrawableText: a character is not in the font, or not drawn letter by letter, or too wide.
        SampleError: `not-unicode`.
    """
    characters = sorted(char for char in set(text) if not char.isspace() and not _is_invisible(char))
    halves = [char for char in characters if unicodedata.category(char) == _HALF_A_PAIR]
    if halves:
        raise SampleError(
            f"{origin}: the text holds half of a surrogate pair ({_named(halves)}); "
            "whole characters were expected; mend the text",
            "not-unicode",
        )
    if controls := [char for char in characters if unicodedata.category(char) == _CONTROL]:
        raise _undrawable(controls, origin, "has no look in any font", "take it out of the text")
    if shaped := [char for char in characters if _is_shaped(char)]:
        raise _undrawable(shaped, origin, "does not stand letter by letter from left to right", "take the entry out")
    if lacking := [char for char in characters if not face.has(char)]:
        raise _undrawable(lacking, origin, f"is not in the font, {face.name}", "give a --font that has it")
    if wide := [char for char in characters if not face.fits(char, room)]:
        raise _undrawable(wide, origin, "is wider than a line", "choose a larger --size")


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) == _INVISIBLE and unicodedata.bidirectional(char) not in _RIGHT_TO_LEFT


def _is_shaped(char: str) -> bool:
    runs_left = unicodedata.bidirectional(char) in _RIGHT_TO_LEFT
    return runs_left or unicodedata.category(char) in _MARKS or _JOINED.match(char) is not None


def _undrawable(characters: list[str], origin: str, what: str, advice: str) -> UndrawableText:
    scripts = tuple(sorted({_script(char) for char in characters}))
    return UndrawableText(
        f"{origin}: {_named(characters)} ({', '.join(scripts)}) {what}; "
        f"a text that can be drawn was expected; {advice}",
        scripts,
    )


def _named(characters: list[str]) -> str:
    shown = ", ".join(f"{char!r} U+{ord(char):04X}" for char in characters[:_SHOWN_CHARACTERS])
    return shown + (f" and {len(characters) - _SHOWN_CHARACTERS} more" if len(characters) > _SHOWN_CHARACTERS else "")


def _script(char: str) -> str:
    """`CYRILLIC`, `CJK`, ...; what belongs to no script is called by what it is."""
    category = unicodedata.category(char)
    if category.startswith("L") or category in _MARKS:
        return unicodedata.name(char, "UNNAMED").split()[0].partition("-")[0]
    return {"P": "punctuation", "S": "symbols", "N": "numbers", "C": "control characters"}.get(category[0], "signs")
