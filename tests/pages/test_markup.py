"""Markup: whatever a text holds, it stays a text."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from mm2energon.pages.markup import Markup, element, joined, text


class Reader(HTMLParser):
    """What a page holds, as the parser of the standard library sees it."""

    def __init__(self):
        super().__init__()
        self.tags, self.said = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said += data


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Cn"))))
def test_a_text_is_read_back_as_it_was(said):
    found = read(element("p", said, title=said))
    assert found.said == said
    assert found.tags == [("p", {"title": said})]


@given(st.text())
def test_no_text_makes_an_element_or_what_utf_8_cannot_hold(said):
    page = element("p", said, title=said)
    page.encode()
    assert [tag for tag, _ in read(page).tags] == ["p"]


def test_what_a_browser_would_obey_is_shown_instead():
    assert text("a\0b\x1b[0m\u202ec\ud800") == "a\\x00b\\x1b[0m\\u202ec\\ud800".replace("'", "")
    assert text("one\r\ntwo\ttab") == "one\ntwo\ttab"


def test_markup_is_not_escaped_twice_and_none_is_left_out():
    inner = element("b", "<")
    assert element("p", inner, None, " & ") == "<p><b>&lt;</b> &amp; </p>"
    assert joined(inner, None) == inner and isinstance(joined("x"), Markup)


def test_attributes_may_be_words_of_python_or_without_a_value():
    assert element("td", class_="a", aria_label="b", open=True, hidden=False, id=None) == (
        '<td class="a" aria-label="b" open></td>'
    )
