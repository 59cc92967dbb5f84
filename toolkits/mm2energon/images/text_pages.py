"""Text pages: a long text laid out on pictures of one size, and drawn; what does not fit goes to the next picture.

The look is that of T2Vid's pictures: black on white, a margin of 20 pixels, the lines in the middle of the height. Its
script draws 115 words on a picture whatever room they need; here a picture ends where it is full.

The lines of all pages, one behind the other, are the text (as `readable` gives it), to the last blank.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, takewhile
from pathlib import Path

import PIL
from PIL import Image, ImageDraw, features

from mm2energon.errors import InputError
from mm2energon.images.text_font import Face, check_drawable, font_identity, open_face, visible

_MARGIN_PIXELS = 20
_MOST_FONT_PIXELS = 1000
#: A word and the blanks behind it, or blanks that a paragraph begins with.
_RUNS = re.compile(r"\S+\s*|\s+")
#: What does not begin a line in East Asian text.
_NOT_FIRST = frozenset({"Pe", "Pf", "Po"})
#: Words whose lengths make up this share of a line are not measured together: what changes between a blank and a
#: letter (kerning) is a pixel or two. It saves four of five measurements.
_SURE = 0.8


@dataclass(frozen=True)
class PageStyle:
    """How pages look; sizes in pixels."""

    width: int = 448
    height: int = 448
    font_size: int = 20
    #: A font file; None: the one that comes with Pillow (Aileron: ASCII and some quotation marks).
    font: Path | None = None

    @property
    def face(self) -> Face:
        """The font, opened.

        Raises:
            InputError: it cannot be used.
        """
        return open_face(self.font, self.font_size)

    @property
    def line_room(self) -> int:
        """Pixels of a line."""
        return self.width - 2 * _MARGIN_PIXELS

    def check(self) -> None:
        """Refuse what no line fits on.

        Raises:
            InputError: the font cannot be used, or the pictures are too small for it.
        """
        if not 1 <= self.font_size <= _MOST_FONT_PIXELS:
            raise InputError(f"--font-size {self.font_size}: 1 to {_MOST_FONT_PIXELS} pixels were expected")
        needed = 2 * _MARGIN_PIXELS + self.face.line_pixels
        if min(self.width, self.height) < needed:
            raise InputError(
                f"--size {self.width}x{self.height}: too small for letters of --font-size {self.font_size} and a "
                f"margin of {_MARGIN_PIXELS} pixels; {needed}x{needed} or more was expected"
            )

    def identity(self) -> dict[str, int | str]:
        """What decides the pictures of a text: with another Pillow or FreeType letters may look another way."""
        return {
            "width": self.width,
            "height": self.height,
            "font_size": self.font_size,
            "font": font_identity(self.font),
            "drawn_by": f"Pillow {PIL.__version__}, FreeType {features.version('freetype2')}",
        }


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
    face = style.face
    check_drawable(text, face, room=style.line_room, origin=origin)
    if not visible(text):
        return []
    per_page = (style.height - 2 * _MARGIN_PIXELS) // face.line_pixels
    pages: list[list[str]] = []
    for line in _lines(text, face, style.line_room):
        if pages and (len(pages[-1]) < per_page or not visible(line)):  # a blank line begins no page
            pages[-1].append(line)
        else:
            pages.append([line])
    return pages


def draw_page(lines: Iterable[str], style: PageStyle) -> bytes:
    """The PNG of a page."""
    face = style.face
    shown = [visible(line) for line in lines]
    while shown and not shown[-1]:
        shown.pop()
    picture = Image.new("L", (style.width, style.height), "white")  # gray: a quarter of the bytes of RGB
    pen = ImageDraw.Draw(picture)
    top = (style.height - len(shown) * face.line_pixels) // 2
    for number, line in enumerate(shown):
        pen.text((_MARGIN_PIXELS, top + number * face.line_pixels), line, font=face.font, fill="black")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _lines(text: str, face: Face, room: int) -> Iterator[str]:
    """The lines of a text, blanks at their ends included; blank lines that follow one another are one."""
    blank = ""
    for paragraph in text.splitlines(keepends=True):
        if not visible(paragraph):
            blank += paragraph
            continue
        if blank:
            yield blank
            blank = ""
        yield from _broken(paragraph, face, room)
    if blank:
        yield blank


def _broken(paragraph: str, face: Face, room: int) -> Iterator[str]:
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


def _longest(line: str, face: Face, room: int) -> int:
    """How many characters of a line that is too long fit, one at least."""
    lengths = accumulate(map(face.length, line))
    cut = max(1, sum(1 for _ in takewhile(lambda length: length <= room, lengths)))
    while cut > 1 and not face.fits(line[:cut], room):
        cut -= 1
    return cut
