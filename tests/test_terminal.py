"""Text for people holds nothing that a terminal would obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.terminal import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, 图片 é 😀", "plain, 图片 é 😀"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("gpj.\u202ecod", "gpj.\\u202ecod"),
        ("\udcff", "\\udcff"),
        ("a\u2028b\u200bc", "a\\u2028b\\u200bc"),
    ],
)
def test_control_characters_are_shown_as_their_codes(text: str, expected: str) -> None:
    assert shown(text) == expected


@given(st.text())
def test_what_is_shown_is_one_line_of_printable_text(text: str) -> None:
    assert shown(text).isprintable()
