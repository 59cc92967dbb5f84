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
#: What modules export of which others know the outcome alone: the kind of their errors, and what all requests are.
_OWN = ("StudioError", "request")


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


def test_nothing_of_the_page_is_there_in_vain() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    scripts = {name: text for name, text in texts.items() if name.endswith(".js")}
    said = texts["index.html"] + "".join(scripts.values())
    assert [name for name in texts if name != "index.html" and f'"{name}"' not in said and f"/{name}" not in said] == []
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_page_*.py"))
    for name, text in scripts.items():
        others = tests + "".join(other for others_name, other in scripts.items() if others_name != name)
        exported = re.findall(r"^export (?:async )?(?:function|const|class) (\w+)", text, re.MULTILINE)
        assert [one for one in exported if not re.search(rf"\b{one}\b", others) and one not in _OWN] == []


def test_every_style_is_of_something_that_a_script_makes() -> None:
    made = "".join(path.read_text(encoding="utf-8") for path in FILES if path.suffix in (".js", ".html"))
    words = set(re.findall(r"[a-zA-Z][\w-]*", made))
    starts = tuple(re.findall(r"([a-z-]+)\$\{", made))  # of names such as `turn-${role}`
    for path in FILES:
        if path.suffix == ".css":
            styles = re.sub(r"/\*.*?\*/|\{[^{}]*\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            named = set(re.findall(r"[.#]([a-zA-Z][\w-]*)", styles)) - words
            assert {name for name in named if not name.startswith(starts)} == set(), path.name
