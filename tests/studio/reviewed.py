"""A true studio on a small dataset of every kind of medium, and what a test asks of its page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from media import write_clip, write_image
from mm2energon.studio.app import create_app
from playwright.sync_api import Page, expect

from studio.opened import entry, settings_for, write_entries
from studio.stand_in import serving

HOSTILE = (
    "<script>document.title = 'hit'</script><img src=x onerror=\"document.title = 'hit'\"> \u202egnp.exe\u202c \u0007"
)
#: What stands at which number.
TEXT, VIDEO, IMAGES, BROKEN, MISSING, EVIL, ARABIC, NONSENSE, SAME, SAME_AGAIN = range(10)
#: Entries of text alone follow, for decisions.
FIRST_PLAIN, PLAIN = 10, 30


def write_dataset(folder: Path) -> Path:
    """Two videos, of which one is broken, two images, texts of all kinds, and plain ones."""
    folder.mkdir(parents=True, exist_ok=True)
    write_clip(folder / "clip.mp4", frames=41, rate=10, size=(320, 180))
    (folder / "broken.mp4").write_bytes((folder / "clip.mp4").read_bytes()[:1500])
    for number in range(2):
        write_image(folder / f"{number}.png", number=number)
    special = [
        entry("image", question="What is said?", answer="Nothing."),
        entry(
            "video", "clip.mp4", question="What happens at 0:02 and after 3.5 s?", answer="It turns.", category="clips"
        ),
        entry(
            "image", "0.png", "1.png", question="How do these differ?", answer="In their number.", category="pictures"
        ),
        entry("video", "broken.mp4", question="What is broken?", answer="The video."),
        entry("image", "missing.png", question="What is missing?", answer="The file."),
        entry("image", question=HOSTILE, answer="</textarea><b>bold</b>"),
        entry("image", question="هل يمكنك وصف ما يحدث؟", answer="رجل يمشي. " * 2000),
        {"nonsense": True},
        entry("image", question="Is this twice here?", answer="Yes."),
        entry("image", question="Is this twice here?", answer="Yes."),
    ]
    plain = [entry("image", question=f"Question {number}?", answer=f"Answer {number}.") for number in range(PLAIN)]
    return write_entries(folder / "train.json", special + plain)


@contextmanager
def studio(data: Path, **more: Any) -> Iterator[str]:
    """The address of a studio that shows the data."""
    app = create_app(settings_for(data, **more))
    with serving(app) as address:
        yield address


def events(data: Path) -> list[dict[str, Any]]:
    """The decisions that are kept beside the data."""
    journal = data.with_name(f"{data.stem}.review.jsonl")
    return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []


def show(page: Page, address: str, number: int | None = None, query: str = "") -> None:
    """Open the review, at an entry, and wait until both sides are there."""
    page.goto("about:blank")
    page.goto(f"{address}/#/review{'' if number is None else f'/{number}'}{query}")
    expect(page.locator(".row").first).to_be_attached()
    if number is not None:
        expect(page.locator(".sample-title")).to_have_text(f"train.json[{number}]")


def faults(page: Page) -> list[str]:
    """What axe-core finds on the whole page, by the rules of WCAG 2.2 AA and its best practices."""
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": tags, "resultTypes": ["violations"]})
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found.response["violations"]]
