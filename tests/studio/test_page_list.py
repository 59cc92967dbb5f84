"""The list stays fluid however long it is: with 100,000 entries of a true studio, and a million of a stand-in."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Page, Route, expect

from studio.opened import chat
from studio.reviewed import studio, write_dataset
from studio.stand_in import opened

MANY, MILLION = 100_000, 1_000_000
#: As many rows as a screen shows, with some above and below.
MOST_ROWS = 40


def seen(page: Page) -> list[int]:
    """The places of the rows that are in sight, in order."""
    return list(
        page.evaluate(
            """() => { const list = document.querySelector(".list").getBoundingClientRect();
                return [...document.querySelectorAll(".row")].map((row) => [row.index, row.getBoundingClientRect()])
                    .filter(([, box]) => box.top > list.top - 1 && box.bottom < list.bottom + 1)
                    .map(([index]) => index); }"""
        )
    )


def test_a_list_of_100000_entries_holds_a_screen_of_rows(browser: Browser, tmp_path: Path) -> None:
    data = tmp_path / "many.jsonl"
    with data.open("w") as file:
        for number in range(MANY):
            answer = "needle" if number == 77_777 else "hay"
            file.write(json.dumps({"conversations": chat(f"Question {number}?", answer)}) + "\n")
    with studio(data) as address, opened(browser, address) as page:
        page.set_default_timeout(60_000)
        expect(page.locator(".row").first).to_be_attached()
        # Entries are there before all are indexed.
        expect(page.locator(".tally")).to_have_text("100,000 entries", timeout=120_000)
        page.locator(".list").press("End")
        expect(page.locator(".sample-title")).to_have_text("many.jsonl:100000")
        assert page.locator(".row").count() < MOST_ROWS
        assert seen(page)[-1] == MANY - 1
        page.get_by_role("searchbox").fill("needle")
        expect(page.locator(".tally")).to_have_text("1 of 100,000 entries")
        expect(page.locator(".sample-title")).to_have_text("many.jsonl:77778")


def row_told(number: int) -> dict[str, object]:
    about = {"number": number, "identity": f"{number:016x}.0", "origin": f"train.json[{number}]", "status": "pending"}
    texts = {"question": f"Question {number}?", "answer": "Yes.", "category": "", "reason": "", "turns": 2}
    none: dict[str, object] = {"media": {}, "warnings": [], "by_reviewer": {}, "assigned_to": [], "edited": False}
    return about | texts | none


def answer_for_a_million(route: Route) -> None:
    """What a studio with a million entries answers for its list."""
    url = urlsplit(route.request.url)
    if url.path.endswith("/views"):
        route.fulfill(json={"id": "1", "count": MILLION, "counts": {"status": {"pending": MILLION}}})
        return
    asked = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
    last = min(MILLION, asked["offset"] + asked["limit"])
    route.fulfill(json={"rows": [row_told(number) for number in range(asked["offset"], last)], "count": MILLION})


def test_a_list_of_a_million_entries_is_scrolled_finely_and_far(browser: Browser, tmp_path: Path) -> None:
    with studio(write_dataset(tmp_path / "data")) as address, opened(browser, "about:blank") as page:
        page.route("**/api/views**", answer_for_a_million)
        page.route("**/api/views/**", answer_for_a_million)
        page.goto(address)
        expect(page.locator(".row").first).to_be_attached()
        assert page.locator(".list-canvas").evaluate("(node) => node.offsetHeight") < 16_000_000
        page.locator(".list").evaluate("(node) => { node.scrollTop = node.scrollHeight / 2; }")
        expect(page.locator("#row-500000 .row-question")).to_be_attached()
        before = seen(page)
        page.locator(".list").hover()
        page.mouse.wheel(0, 164)
        expect(page.locator(f"#row-{before[0] - 6}")).to_have_count(0)
        assert before[0] < seen(page)[0] <= before[0] + 4
        page.locator(".list").press("End")
        expect(page.locator("#row-999999 .row-question")).to_be_attached()
        assert seen(page)[-1] == MILLION - 1
        assert page.locator(".row").count() < MOST_ROWS
        page.locator(".list").press("Home")
        expect(page.locator("#row-0 .row-question")).to_be_attached()
        assert seen(page)[0] == 0
