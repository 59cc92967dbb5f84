"""Text pages: no text is lost on the way to the pictures, and nothing is drawn that is not in the text."""

import io
import pickle
import string
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm2energon.errors import InputError, SampleError
from mm2energon.images.text_font import UndrawableText
from mm2energon.images.text_pages import PageStyle, draw_page, lay_out, readable
from PIL import Image, ImageDraw, ImageFont

from images.fonts import write_font

STYLE = PageStyle()
BLANKS = " \n\t\r\u2028\x0b\u00a0\u200b\ufeff\u00ad"
TEXTS = st.text(alphabet=st.sampled_from(string.ascii_letters + ".,!?'\"()-“”" + BLANKS * 6), max_size=400)
SMALL = st.builds(
    PageStyle, width=st.integers(70, 500), height=st.integers(70, 300), font_size=st.sampled_from([9, 20])
)


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fonts")
    return write_font(folder / "boxes.ttf", "abcdefgh中文字。、（）é")


def joined(pages):
    return "".join(line for page in pages for line in page)


def ink(data):
    """Where a picture is not white."""
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "PNG" and picture.mode == "L"
    return np.asarray(picture.convert("L")) < 255


def letters(text):
    """What of a text leaves a trace, by the categories of Unicode."""
    return [char for char in text if not char.isspace() and unicodedata.category(char) != "Cf"]


@settings(max_examples=150, deadline=None)
@given(TEXTS, SMALL)
def test_the_lines_of_all_pages_joined_are_the_text(text, style):
    pages = lay_out(text, style, origin="o")
    if not letters(text):
        assert pages == []
        return
    assert joined(pages) == readable(text) == unicodedata.normalize("NFC", text).strip()
    assert letters(joined(pages)) == letters(text)
    for page in pages:
        assert letters("".join(page))


@settings(max_examples=40, deadline=None)
@given(TEXTS.filter(letters), SMALL)
def test_every_line_is_drawn_inside_the_margins_and_none_over_another(text, style):
    font = ImageFont.load_default(style.font_size)
    height = sum(font.getmetrics())
    for page in lay_out(text, style, origin="o"):
        there = ink(draw_page(page, style))
        rows = np.flatnonzero(there.any(axis=1))
        assert there.shape == (style.height, style.width)
        assert not there[:, style.width - 20 :].any() and not there[:, : 20 - 2].any()  # two pixels of a j's foot
        assert rows[0] >= 20 - height and rows[-1] < style.height - 20 + height
        lines = sum(bool(letters(line)) for line in page)
        alone = [line for line in page if letters(line)]
        # As much ink as all lines have, each drawn on a picture of its own.
        assert there.sum() == pytest.approx(sum(_ink_of(line, font) for line in alone), rel=0.02), lines


def _ink_of(line, font):
    shown = "".join(
        " " if char.isspace() else char
        for char in line.rstrip().replace("\t", "    ")
        if char not in "\u200b\ufeff\u00ad"
    )
    picture = Image.new("L", (2000, 100), "white")
    ImageDraw.Draw(picture).text((50, 30), shown, font=font, fill="black")
    return int((np.asarray(picture) < 255).sum())


def test_a_long_text_goes_on_on_the_next_pictures_which_are_full():
    text = "The quick brown fox jumps over the lazy dog. " * 200
    pages = lay_out(text, STYLE, origin="o")
    assert len(pages) > 5 and joined(pages) == text.strip()
    assert {len(page) for page in pages[:-1]} == {408 // 25}  # 448 less both margins, and Aileron's 20 + 5 pixels
    assert all(line.endswith(" ") for page in pages[:-1] for line in page)


def test_lines_end_between_words_at_line_breaks_and_inside_of_words_that_are_too_long_alone():
    text = "one two\nthree\n\n\n\n  indented " + "x" * 100 + " end"
    (page,) = lay_out(text, STYLE, origin="o")
    assert page[:3] == ["one two\n", "three\n", "\n\n\n"]  # several blank lines are one
    assert page[3] == "  indented "
    assert page[4].strip("x") == "" and page[-1].endswith("x end")


def test_a_blank_line_begins_no_page(boxes):
    style = PageStyle(width=200, height=80, font=boxes)  # two lines
    pages = lay_out("a\nb\n\n\nc\n\nd", style, origin="o")
    assert pages == [["a\n", "b\n", "\n\n"], ["c\n", "\n"], ["d"]]
    assert ink(draw_page(pages[1], style)).sum() == ink(draw_page(["c"], style)).sum()
    assert np.array_equal(ink(draw_page(pages[1], style)), ink(draw_page(["c"], style)))  # in the middle


def test_text_without_blanks_between_words_breaks_between_any_two_letters_but_not_before_a_stop(boxes):
    style = PageStyle(width=40 + 20 * 3, height=448, font=boxes)
    (page,) = lay_out("中文字中。文字中文", style, origin="o")
    assert joined([page]) == "中文字中。文字中文"
    assert page == ["中文字中。文", "字中文"]  # 60 pixels and boxes of 10: the stop would be the seventh
    assert lay_out("中文字中文字。文", style, origin="o") == [["中文字中文", "字。文"]]  # it takes its letter along


def test_what_is_drawn_are_the_letters_of_the_text_in_their_order(boxes):
    """A box of width 8 + k/5 pixels stands for letter k: widths read off the picture give the text back."""
    style = PageStyle(width=800, height=100, font=boxes, font_size=100)  # one line of 100 pixels does not fit
    with pytest.raises(InputError, match="too small"):
        style.check()
    style = PageStyle(width=840, height=448, font=boxes, font_size=100)
    style.check()
    text = "abc hg fed cab ah hag bad"
    read = []
    for page in lay_out(text, style, origin="o"):
        there = ink(draw_page(page, style))
        top = (448 - 100 * len(page)) // 2
        for number in range(len(page)):
            row = there[top + number * 100 + 50]
            edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
            read += ["abcdefgh"[end - start - 30] for start, end in edges.reshape(-1, 2)]
    assert "".join(read) == text.replace(" ", "")


def test_the_same_text_gives_the_same_bytes():
    text = "Some text, drawn twice.\n" * 30
    once, twice = ([draw_page(page, STYLE) for page in lay_out(text, STYLE, origin="o")] for _ in range(2))
    assert once == twice


@pytest.mark.parametrize(
    ("text", "scripts", "said"),
    [
        ("Привет all", ("CYRILLIC",), "--font"),
        ("漢字 and 中", ("CJK",), "--font"),
        (
            "a\x00b",
            ("control characters",),
            "U+0000 (control characters) has no look in any font; a text that can be drawn was expected; take it",
        ),
        ("smile 🙂", ("symbols",), "U+1F642"),
        ("nobody \ue000 knows", ("control characters",), "U+E000"),
        ("\ufffd", ("symbols",), "U+FFFD"),
        ("שלום", ("HEBREW",), "letter by letter"),
        ("سلام", ("ARABIC",), "letter by letter"),
        ("हिन्दी", ("DEVANAGARI",), "letter by letter"),
        ("x\u0304 bar", ("COMBINING",), "letter by letter"),
        ("ᠮᠣᠩ", ("MONGOLIAN",), "letter by letter"),
        ("to the \u202eleft", ("control characters",), "letter by letter"),
    ],
)
def test_what_the_font_cannot_draw_is_refused_by_name_and_script(text, scripts, said):
    with pytest.raises(UndrawableText, match="o: ") as refused:
        lay_out(text, STYLE, origin="o")
    assert refused.value.scripts == scripts and said in str(refused.value)
    again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - our own
    assert (str(again), again.scripts, again.code) == (str(refused.value), scripts, "undrawable-text")


def test_half_of_a_surrogate_pair_is_refused_as_everywhere():
    with pytest.raises(SampleError) as refused:
        lay_out("a \ud83d b", STYLE, origin="o")
    assert refused.value.code == "not-unicode"


def test_a_letter_that_leaves_no_trace_is_lacking_whatever_the_sign_for_that_looks_like(tmp_path):
    blank = write_font(tmp_path / "blank.ttf", "ab", blank="b", notdef_is_blank=True)
    style = PageStyle(font=blank)
    assert joined(lay_out("aa a", style, origin="o")) == "aa a"
    for text in ("ab", "ax"):
        with pytest.raises(UndrawableText):
            lay_out(text, style, origin="o")


def test_accents_are_joined_to_their_letters_and_what_has_no_look_is_kept_but_not_drawn(boxes):
    style = PageStyle(font=boxes)
    (page,) = lay_out("e\u0301a\u00ad\ufeffb\u200bc", style, origin="o")
    assert page == ["\u00e9a\u00ad\ufeffb\u200bc"]
    assert draw_page(page, style) == draw_page(["\u00e9abc"], style)


def test_a_letter_wider_than_a_line_is_refused(boxes):
    style = PageStyle(width=40 + 40, height=200, font=boxes, font_size=100)
    assert joined(lay_out("aa", style, origin="o")) == "aa"
    with pytest.raises(UndrawableText, match="wider than a line"):
        lay_out("ab", style, origin="o")


@pytest.mark.parametrize(
    "style",
    [
        PageStyle(width=448, height=60),
        PageStyle(font_size=500),
        PageStyle(font_size=1_000_000),
    ],
)
def test_pictures_that_no_line_fits_on_are_refused(style):
    with pytest.raises(InputError):
        style.check()


def test_a_file_that_is_no_font_is_refused(tmp_path):
    (tmp_path / "x.ttf").write_bytes(b"no font")
    for name in ("x.ttf", "gone.ttf"):
        with pytest.raises(InputError, match="--font"):
            PageStyle(font=tmp_path / name).check()


def test_a_text_of_a_million_letters_without_a_blank_takes_no_longer_than_another():
    pages = lay_out("x" * 200_000, PageStyle(width=2000, height=2000, font_size=9), origin="o")
    assert joined(pages) == "x" * 200_000
