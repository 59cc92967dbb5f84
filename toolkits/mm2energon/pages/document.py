"""The page around what is reported: its head, its style, and the few shapes that it is laid out in.

One file, no script, nothing from elsewhere; a policy in its head keeps browsers from fetching or running anything,
whatever a text of the data may hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mm2energon.pages.markup import Markup, element, joined

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

#: What stands in a cell of a table in the place of a bar without length.
_NO_BAR = "<!-- 0 -->"
_STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1c2330; --soft: #5a6474; --line: #d9dee6;
  --grid: #e8ebf0; --bar: #4c7fd0; --curve: #b4540a; --mark: #7a4fb5; --warn: #9a3412; --warn-card: #fff4ea;
  --tag: #e4ecfa; --tag-ink: #1d4ea3; --user: #eef2f8; --assistant: #eaf5ee; --system: #f5f0e4; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --card: #1b2129; --ink: #e6eaf0; --soft: #9ba6b5;
  --line: #323b47; --grid: #2a323c; --bar: #6c9cea; --curve: #f0a35c; --mark: #c3a0f5; --warn: #ffb489;
  --warn-card: #33241a; --tag: #24344f; --tag-ink: #a9c6f7; --user: #232c38;
  --assistant: #1d3027; --system: #332e20; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1400px; margin: 0 auto; padding: 20px 16px 60px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 36px 0 12px; }
h3 { font-size: 15px; margin: 0 0 2px; }
p { margin: 4px 0 10px; max-width: 110ch; }
.soft, figcaption, .key { color: var(--soft); font-size: 13px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 12px 0 0; }
a { color: var(--tag-ink); }
.grid { display: grid; gap: 14px; align-items: start; margin-bottom: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); }
.tiles { display: grid; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); margin: 18px 0; }
.card, .tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px;
  min-width: 0; }
.tile b, .only { display: block; font-size: 21px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.warning { background: var(--warn-card); border-left: 4px solid var(--warn); }
.warning h3 { color: var(--warn); }
figure { margin: 0; }
svg { display: block; width: 100%; height: auto; margin-top: 6px; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .name { fill: var(--ink); }
svg .curve-name { fill: var(--curve); }
svg .mark-name { fill: var(--mark); font-weight: 600; }
svg .bar { fill: var(--bar); }
svg .bar:hover, svg .point:hover { fill: var(--curve); }
svg .point { fill: var(--bar); fill-opacity: .55; stroke: var(--bar); }
svg .curve { fill: none; stroke: var(--curve); stroke-width: 1.8; stroke-linejoin: round; }
svg .mark { stroke: var(--mark); stroke-width: 1.2; stroke-dasharray: 4 3; }
svg .rule { stroke: var(--grid); }
svg .axis, svg .tick { stroke: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: 4px 8px 4px 0; border-bottom: 1px solid var(--grid); vertical-align: top; overflow-wrap: break-word; }
th.number, td.number { text-align: right; white-space: nowrap; overflow-wrap: normal; }
td.share { width: 30%; min-width: 60px; vertical-align: middle; }
.share div { background: var(--bar); height: 10px; border-radius: 2px; min-width: 2px; }
details { margin-top: 8px; }
summary { cursor: pointer; color: var(--soft); font-size: 13px; }
ul { margin: 6px 0; padding-left: 18px; }
li { overflow-wrap: anywhere; }
code, .key { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 12.5px; overflow-wrap: anywhere; }
.media { display: flex; flex-wrap: wrap; gap: 6px; align-items: flex-start; margin: 8px 0; }
.media img { display: block; max-width: 100%; max-height: 200px; border-radius: 4px; border: 1px solid var(--line);
  background: repeating-conic-gradient(#8883 0 25%, transparent 0 50%) 0 / 16px 16px; }
.strip { display: flex; gap: 2px; overflow-x: auto; max-width: 100%; margin-top: 8px; padding-bottom: 4px; }
.strip img { max-width: none; height: 92px; width: auto; border-radius: 2px; flex: none; }
.broken { display: inline-block; border: 1px dashed var(--warn); color: var(--warn); border-radius: 4px;
  padding: 6px 10px; font-size: 13px; overflow-wrap: anywhere; flex: none; max-width: 100%; }
.turn { border-radius: 6px; padding: 6px 9px; margin: 6px 0; white-space: pre-wrap; overflow-wrap: anywhere;
  unicode-bidi: isolate; }
.turn b { display: block; font-size: 12px; color: var(--soft); font-weight: 600; }
.talk { max-height: 340px; overflow-y: auto; }
.user { background: var(--user); } .assistant { background: var(--assistant); } .system { background: var(--system); }
.tag { background: var(--tag); color: var(--tag-ink); border-radius: 3px; padding: 0 4px; font-size: 13px; }
.pair { display: flex; gap: 8px; flex-wrap: wrap; }
footer { margin-top: 40px; color: var(--soft); font-size: 13px; }
@media print { body { background: none; } .card, .tile { break-inside: avoid; } .talk { max-height: none; } }
"""


def document(title: str, *body: object, generator: str) -> bytes:
    """A whole page.

    Args:
        generator: what made it, by which its pages are known.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="generator", content=generator),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(_STYLE)),
    )
    page = element("html", head, element("body", element("main", *body)), lang="en")
    return f"<!DOCTYPE html>\n{page}\n".encode()


def section(name: str, title: str, *body: object) -> Markup:
    """A part of the page, to which its table of contents leads."""
    return element("section", element("h2", title), *body, id=name)


def contents(parts: dict[str, str]) -> Markup:
    """Links to the sections: name -> title."""
    return element(
        "nav", *(element("a", title, href=f"#{name}") for name, title in parts.items()), aria_label="Contents"
    )


def tiles(figures: Iterable[tuple[str, str]]) -> Markup:
    """Figures that are seen first: (number, what it is)."""
    shown = (element("div", element("b", number), element("span", what), class_="tile") for number, what in figures)
    return element("div", *shown, class_="tiles")


def card(title: str, *body: object, class_: str = "card") -> Markup:
    """A box with a heading."""
    return element("div", element("h3", title), *body, class_=class_)


def grid(cards: Iterable[Markup], *, wide: bool = False) -> Markup:
    """Boxes beside each other, as many as there is room for."""
    return element("div", *cards, class_="grid wide" if wide else "grid")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[int] = ()) -> Markup:
    """A table that scrolls by itself where the page is narrow.

    Args:
        numbers: columns that are set to the right.
    """

    def cells(tag: str, row: Sequence[object]) -> Markup:
        return element("tr", *(_cell(tag, one, is_number=place in numbers) for place, one in enumerate(row)))

    body = joined(*(cells("td", row) for row in rows))
    return element(
        "div", element("table", element("thead", cells("th", heads)), element("tbody", body)), class_="scroll"
    )


def share_bar(part: float, of: float) -> Markup:
    """A bar for the cell of a table, as long as the share."""
    return element("div", style=f"width:{100 * part / of:.1f}%") if part else Markup(_NO_BAR)


def folded(title: str, *body: object) -> Markup:
    """What is seen when it is asked for."""
    return element("details", element("summary", title), *body)


def bullets(items: Iterable[object]) -> Markup:
    """A list."""
    return element("ul", *(element("li", item) for item in items))


def _cell(tag: str, content: object, *, is_number: bool) -> Markup:
    is_bar = isinstance(content, Markup) and content.startswith(("<div style=", _NO_BAR))
    return element(tag, content, class_="number" if is_number else "share" if is_bar else None)
