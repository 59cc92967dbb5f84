"""Text pages: a long text laid out on pictures of one size, and drawn; what does not fit goes to the next picture.

The look is that of T2Vid's pictures: black on white, a margin of 20 pixels, the lines in the middle of the height. Its
script draws 115 words on a picture whatever room they need; here a picture ends where it is full.

The lines of all pages, one behind the other, are the text (as `readable` gives it), to the last blank. Letters stand
one beside the other from left to right: a text whose letters join, stack or run from right to left is refused, as is
one with a character that the font lacks, for a box in its place would teach the wrong thing.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import PIL
from PIL import Image, ImageDraw, ImageFont, features

from mm2energon.errors import InputError, SampleError

_MARGIN_PIXELS = 20
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
#: A word and the blanks behind it, or blanks that a paragraph begins with.
_RUNS = re.compile(r"\S+\s*|\s+")
#: What does not begin a line in East Asian text.
_NOT_FIRST = frozenset({"Pe", "Pf", "Po"})
#: Words whose lengths make up this share of a line are not measured together: what changes between a blank and a
#: letter (kerning) is a pixel or two. It saves four of five measurements.
_SURE = 0.8
_LENGTHS_REMEMBERED = 100_000
_SHOWN_CHARACTERS = 5


@dataclass(frozen=True)
class PageStyle:
    """How pages look; sizes in pixels."""

    width: int = 448
    height: int = 448
    font_size: int = 20
    #: A font file; None: the one that comes with Pillow (Aileron: ASCII and some quotation marks).
    font: Path | None = None

    def check(self) -> None:
        """Refuse what no line fits on.

        Raises:
            InputError: the font cannot be used, or the pictures are too small for it.
        """
        if not 1 <= self.font_size <= 1000:
            raise InputError(f"--font-size {self.font_size}: 1 to 1000 pixels were expected")
        face = _face(self)
        needed = (2 * _MARGIN_PIXELS + round(face.widest("W")), 2 * _MARGIN_PIXELS + face.line_pixels)
        if self.width < needed[0] or self.height < needed[1]:
            raise InputError(
                f"--size {self.width}x{self.height}: too small for letters of --font-size {self.font_size} and a "
                f"margin of {_MARGIN_PIXELS} pixels; {needed[0]}x{needed[1]} or more was expected"
            )

    def identity(self) -> dict[str, int | str]:
        """What decides the pictures of a text: with another Pillow or FreeType letters may look another way."""
        font = "Pillow's own" if self.font is None else _sha256(self.font)
        drawn_by = f"Pillow {PIL.__version__}, FreeType {features.version('freetype2')}"
        return {
            "width": self.width,
            "height": self.height,
            "font_size": self.font_size,
            "font": font,
            "drawn_by": drawn_by,
        }


class UndrawableText(SampleError):
    """A text holds characters that are not drawn."""

    def __init__(self, message: str, scripts: tuple[str, ...]) -> None:
        super().__init__(message, "undrawable-text")
        self.args = (message, scripts)  # so that the error survives pickling
        #: The scripts that they are of, by the first word of their Unicode names.
        self.scripts = scripts


def readable(text: str) -> str:
    """A text as it is laid out: accents joined to their letters (NFC), without blanks at its ends."""
    return unicodedata.normalize("NFC", text).strip()


def lay_out(text: str, style: PageStyle, *, origin: str) -> list[list[str]]:
    """The lines of each page: pieces of `readable(text)` that, joined, are that text.

    A line ends between words, where the text has a line break, or, where a word alone is too long, inside of it. Of
    several blank lines one is drawn. A text that leaves no trace has no pages.

    Raises:
        UndrawableText: it holds what the font lacks, or what is not drawn letter by letter.
    """
    text = readable(text)
    face = _face(style)
    _check_drawable(text, face, style, origin)
    if not _visible(text):
        return []
    per_page = (style.height - 2 * _MARGIN_PIXELS) // face.line_pixels
    pages: list[list[str]] = []
    for line in _lines(text, face, style.width - 2 * _MARGIN_PIXELS):
        if pages and (len(pages[-1]) < per_page or not line.strip()):  # a blank line begins no page
            pages[-1].append(line)
        else:
            pages.append([line])
    return pages


def draw_page(lines: Iterable[str], style: PageStyle) -> bytes:
    """The PNG of a page."""
    face = _face(style)
    shown = [_visible(line) for line in lines]
    while shown and not shown[-1]:
        shown.pop()
    picture = Image.new("RGB", (style.width, style.height), "white")
    pen = ImageDraw.Draw(picture)
    top = (style.height - len(shown) * face.line_pixels) // 2
    for number, line in enumerate(shown):
        pen.text((_MARGIN_PIXELS, top + number * face.line_pixels), line, font=face.font, fill="black")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _lines(text: str, face: _Face, room: int) -> Iterator[str]:
    """The lines of a text, blanks at their ends included; blank lines that follow one another are one."""
    blank = ""
    for paragraph in text.splitlines(keepends=True):
        if not _visible(paragraph):
            blank += paragraph
            continue
        if blank:
            yield blank
            blank = ""
        yield from _broken(paragraph, face, room)
    if blank:
        yield blank


def _broken(paragraph: str, face: _Face, room: int) -> Iterator[str]:
    line, about = "", 0.0
    for word in _words(paragraph, room):
        about += face.length(word)
        if about <= _SURE * room or face.fits(line + word, room):
            line += word
            continue
        if line:
            yield line
        line = word
        while not face.fits(line, room):
            cut = _longest(line, face, room)
            yield line[:cut]
            line = line[cut:]
        about = face.length(line)
    yield line


def _words(paragraph: str, room: int) -> Iterator[str]:
    """What a line may end between: words with the blanks behind them, and the single characters of East Asian text.

    None is longer than there are pixels in a line, so that none takes long to measure.
    """
    for run in _RUNS.findall(paragraph):
        start = 0
        for at in range(1, len(run)):
            if at - start >= room or (_is_wide(run[at]) or _is_wide(run[at - 1])) and not _clings(run[at]):
                yield run[start:at]
                start = at
        yield run[start:]


def _is_wide(char: str) -> bool:
    return char > "\u1100" and unicodedata.east_asian_width(char) in "WF"


def _clings(char: str) -> bool:
    return unicodedata.category(char) in _NOT_FIRST


def _longest(line: str, face: _Face, room: int) -> int:
    """How many characters of a line that is too long fit, one at least."""
    low, high = 1, len(line) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if face.fits(line[:middle], room) else (low, middle - 1)
    return low


def _visible(line: str) -> str:
    """What of a line is drawn: tabs as four blanks, other blanks as one, nothing behind the last letter."""
    if line.isascii() and line.isprintable():
        return line.rstrip()
    plain = line.rstrip().replace("\t", _TAB)
    return "".join(" " if char.isspace() else char for char in plain if unicodedata.category(char) != _INVISIBLE)


class _Face:
    """A font of one size, and what is known of it."""

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

    def widest(self, text: str) -> float:
        """Pixels that a line takes, its last letter's overhang included."""
        return self.font.getbbox(text)[2]

    def length(self, word: str) -> float:
        """Pixels up to what comes behind a word."""
        length = self._lengths.get(word)
        if length is None:
            if len(self._lengths) == _LENGTHS_REMEMBERED:
                self._lengths.clear()
            length = self._lengths[word] = self.font.getlength(word.replace("\t", _TAB))
        return length

    def fits(self, line: str, room: int) -> bool:
        """Whether a line has room."""
        return self.widest(_visible(line)) <= room

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
def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@lru_cache(maxsize=4)
def _face(style: PageStyle) -> _Face:
    try:
        if style.font is None:
            font = ImageFont.load_default(style.font_size)
        else:
            font = ImageFont.truetype(style.font, style.font_size, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--font {style.font or 'left out'}: cannot be used ({error}); "
            "a TrueType or OpenType font that scales was expected"
        ) from error
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise InputError("--font-size: this Pillow was built without FreeType; install one that has it")
    return _Face(font)


def _check_drawable(text: str, face: _Face, style: PageStyle, origin: str) -> None:
    """
    Raises:
        UndrawableText: a character is not drawn.
        SampleError: `not-unicode`.
    """
    characters = sorted({char for char in set(text) if not char.isspace() and not _is_invisible(char)})
    halves = [char for char in characters if unicodedata.category(char) == "Cs"]
    if halves:
        raise SampleError(
            f"{origin}: the text holds half of a surrogate pair ({_named(halves)}); "
            "whole characters were expected; mend the text",
            "not-unicode",
        )
    shaped = [char for char in characters if _is_shaped(char)]
    if shaped:
        raise _undrawable(shaped, origin, "is not drawn letter by letter from left to right", "take it out")
    lacking = [char for char in characters if not face.has(char)]
    if lacking:
        what = f"is not in {face.name}" + ("" if style.font else ", the font that comes with Pillow")
        raise _undrawable(lacking, origin, what, "give a --font that has it")
    room = style.width - 2 * _MARGIN_PIXELS
    wide = [char for char in characters if not face.fits(char, room)]
    if wide:
        raise _undrawable(wide, origin, "is wider than a line", "choose a larger --size")


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) == _INVISIBLE and unicodedata.bidirectional(char) not in _RIGHT_TO_LEFT


def _is_shaped(char: str) -> bool:
    return (
        unicodedata.bidirectional(char) in _RIGHT_TO_LEFT
        or unicodedata.category(char) in _MARKS
        or _JOINED.match(char) is not None
    )


def _undrawable(characters: list[str], origin: str, what: str, advice: str) -> UndrawableText:
    scripts = tuple(sorted({_script(char) for char in characters}))
    return UndrawableText(
        f"{origin}: of the text {_named(characters)} {what} ({', '.join(scripts)}); "
        f"text that can be drawn was expected; {advice}",
        scripts,
    )


def _named(characters: list[str]) -> str:
    shown = ", ".join(f"{char!r} U+{ord(char):04X}" for char in characters[:_SHOWN_CHARACTERS])
    return shown + (f" and {len(characters) - _SHOWN_CHARACTERS} more" if len(characters) > _SHOWN_CHARACTERS else "")


def _script(char: str) -> str:
    """`CYRILLIC`, `CJK`, ...; signs that belong to no script are called by what they are."""
    category = unicodedata.category(char)
    if category.startswith("L") or category in _MARKS:
        return unicodedata.name(char, "UNNAMED").split()[0].partition("-")[0]
    return {"P": "punctuation", "S": "symbols", "N": "numbers", "C": "control characters"}.get(category[0], "signs")
