"""The files of the page hold what its policy lets a browser run, and nothing that makes HTML of data."""

from __future__ import annotations

import re
from pathlib import Path

import mm2energon.studio
import pytest

PAGE = Path(mm2energon.studio.__file__).parent / "page"
FILES = sorted(PAGE.iterdir())
#: What reads texts as HTML or as code, or styles elements by an attribute.
MAKES_HTML = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser)\b|\beval\(|\bFunction\(|setAttribute\(.style"
)
ELSEWHERE = re.compile(r"(?:https?:)?//[a-z0-9-]+\.[a-z]{2,}", re.IGNORECASE)
NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_makes_no_html_of_texts_and_names_no_other_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace(NAMESPACE, "")
    code = re.sub(r"(?m)^\s*(//|\*|/\*).*$", "", text)
    assert MAKES_HTML.search(code) is None
    if path.suffix != ".js":  # in scripts, addresses are examples for people
        assert ELSEWHERE.search(text) is None


def test_the_page_has_nothing_inline_and_all_that_it_names_is_there() -> None:
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html) is None
    named = re.findall(r'(?:href|src)="([^"#]+)"', html)
    named += [
        name for path in PAGE.glob("*.js") for name in re.findall(r'"\./([\w.]+)"', path.read_text(encoding="utf-8"))
    ]
    assert named and {name for name in named if not (PAGE / name).is_file()} == set()
