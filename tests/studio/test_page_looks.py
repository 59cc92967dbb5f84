"""Looked at as a tool looks: axe-core in every view and dialog, fingers on a narrow screen, several people, a token."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from studio.looking import too_small
from studio.reviewed import BROKEN, FIRST_PLAIN, IMAGES, VIDEO, faults, show, studio, write_dataset
from studio.stand_in import opened

NARROW = 390
PEOPLE = ("anna", "ben")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = write_dataset(tmp_path_factory.mktemp("looks") / "data")
    with studio(data, reviewers=PEOPLE) as address:
        yield address


def dispute(page: Page, number: int) -> None:
    """Let the two decide differently on an entry."""
    for name, do in zip(PEOPLE, ("accept", "reject"), strict=True):
        decide(page, number, {"do": do, "reviewer": name, "reason": "" if do == "accept" else "wrong answer"})


def decide(page: Page, number: int, body: dict[str, Any]) -> None:
    address = f"{page.url.split('#')[0]}api/items/{number}/decision"
    assert page.request.post(address, data=body, headers={"X-Studio": "1"}).ok


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, NARROW])
def test_axe_finds_nothing_in_any_view(browser: Browser, address: str, width: int, scheme: Any) -> None:
    with opened(browser, address, width=width, scheme=scheme) as page:
        expect(page.locator(".row").first).to_be_attached()
        dispute(page, FIRST_PLAIN)
        assert faults(page) == []
        for number in (VIDEO, IMAGES, BROKEN, FIRST_PLAIN):
            show(page, address, number)
            expect(page.locator(".check-result .skeleton")).to_have_count(0, timeout=40_000)
            assert faults(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        for view, shown in (("statistics", ".figure svg"), ("export", ".template")):
            page.goto(f"{address}/#/{view}")
            expect(page.locator(shown).first).to_be_visible()
            assert faults(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.set_viewport_size({"width": width, "height": 300})  # a text that is longer than the window
        show(page, address, FIRST_PLAIN + 1)
        for key in ("x", "Shift+X"):
            page.keyboard.press(key)
        expect(page.locator(".toast")).to_contain_text("Reset: 0 entries")
        assert faults(page) == []


@pytest.mark.parametrize("width", [1280, NARROW])
def test_a_server_that_is_gone_is_said_where_it_covers_no_button(browser: Browser, address: str, width: int) -> None:
    with opened(browser, address, width=width) as page:
        show(page, address, FIRST_PLAIN + 2)
        page.route("**/api/**", lambda route: route.fulfill(status=500, json={"error": {"message": "No."}}))
        for _ in range(2):  # the same message is shown once
            page.get_by_role("button", name="Accept", exact=True).click()
            expect(page.locator(".toast")).to_have_text("Not saved: No.")
        page.unroute("**/api/**")
        page.route("**/api/**", lambda route: route.abort())
        expect(page.locator("#notice")).to_be_visible()
        tops = [page.locator(name).bounding_box() for name in (".toast", "#notice", ".actions")]
        for upper, lower in itertools.pairwise(tops):
            assert upper["y"] + upper["height"] <= lower["y"]
        page.unroute("**/api/**")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_dialog_and_each_gives_the_focus_back(
    browser: Browser, address: str, scheme: Any
) -> None:
    with opened(browser, address, scheme=scheme) as page:
        show(page, address, IMAGES)
        expect(page.locator(".check-result .skeleton")).to_have_count(0, timeout=40_000)
        page.get_by_role("button", name="Edit").focus()
        for key in ("?", "r", "w", "z"):
            page.keyboard.press(key)
            expect(page.get_by_role("dialog")).to_be_visible()
            assert faults(page) == []
            assert page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
            page.keyboard.press("Escape")
            expect(page.get_by_role("button", name="Edit")).to_be_focused()
        page.keyboard.press("e")
        assert faults(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("f")
        assert faults(page) == []


def test_on_a_narrow_screen_list_and_sample_are_two_screens(browser: Browser, address: str) -> None:
    with opened(browser, address, width=NARROW) as page:
        expect(page.locator(".row").first).to_be_attached()
        expect(page.locator(".sample")).to_be_hidden()
        assert too_small(page) == []
        page.locator("#row-1").click()
        expect(page.locator(".sample-title")).to_be_focused()
        expect(page.locator(".list")).to_be_hidden()
        assert too_small(page) == []
        page.get_by_role("button", name="Edit").click()
        assert too_small(page) == []
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Next entry").click()
        expect(page.locator(".sample-title")).to_have_text("train.json[2]")
        page.go_back()
        expect(page.locator(".list")).to_be_visible()
        page.locator("#row-2").click()
        page.get_by_role("button", name="Back to the list").click()
        expect(page.locator(".list")).to_be_focused()
        for view in ("statistics", "export"):
            page.goto(f"{address}/#/{view}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            assert too_small(page) == []


def test_two_people_disagree_and_somebody_settles_it(browser: Browser, address: str) -> None:
    number = FIRST_PLAIN + 2
    with opened(browser, address) as page:
        dispute(page, number)
        show(page, address, number)
        expect(page.locator(".verdicts")).to_contain_text("wrong answer")
        page.keyboard.press("w")
        page.get_by_role("radio", name="ben").check()
        page.get_by_role("button", name="That is me").click()
        expect(page.locator(".person")).to_contain_text("ben")
        page.reload()
        expect(page.locator(".person")).to_contain_text("ben")
        page.get_by_role("button", name="Settle: accept").click()
        expect(page.locator(f"#row-{number} .chip")).to_have_text("accepted")
        page.goto(f"{address}/#/statistics")
        expect(page.locator(".agreement")).to_contain_text("kappa")
        page.get_by_role("button", name="Share out").click()
        page.get_by_role("dialog").get_by_role("button", name="Share out").click()
        expect(page.locator(".toasts")).to_contain_text("anna 20, ben 20")
        show(page, address, query="?assigned_to=ben")
        expect(page.locator(".tally")).to_have_text("20 of 40 entries")


def test_an_entry_given_to_two_waits_for_the_second_and_says_so(browser: Browser, address: str) -> None:
    number = FIRST_PLAIN + 9
    headers = {"X-Studio": "1"}
    with opened(browser, address) as page:
        asked = {"text": '"question 9?"'}
        view = page.request.post(f"{address}/api/views", data=asked, headers=headers).json()["id"]
        shared = {"reviewers": list(PEOPLE), "per_entry": 2, "view": view}
        assert page.request.post(f"{address}/api/assignments", data=shared, headers=headers).ok
        decide(page, number, {"do": "accept", "reviewer": "anna"})
        show(page, address, number)
        expect(page.locator(f"#row-{number} .chip")).to_have_text("pending, 1 of 2")
        expect(page.locator(".sample-chips")).to_have_text("pending, 1 of 2")
        expect(page.locator(".verdicts + .hint")).to_contain_text("Waits for ben.")
        expect(page.get_by_role("button", name="Settle: accept")).to_be_visible()
        expect(page.locator(".actions .action-accept").first).to_have_attribute("aria-pressed", "true")
        assert faults(page) == []
        show(page, address, query="?left_to=ben&text=%22question+9%3F%22")
        expect(page.locator(".tally")).to_have_text("1 of 40 entries")
        decide(page, number, {"do": "accept", "reviewer": "ben"})
        show(page, address, number)
        expect(page.locator(".sample-chips")).to_have_text("accepted")
        expect(page.get_by_role("button", name="Settle: accept")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, NARROW])
def test_two_edits_stand_side_by_side_and_one_is_chosen_for_all(browser: Browser, address: str, width: int) -> None:
    number = FIRST_PLAIN + (6 if width == NARROW else 7)
    with opened(browser, address, width=width) as page:
        for name in PEOPLE:
            turns = [{"role": "user", "text": "What?"}, {"role": "assistant", "text": f"As {name} has it."}]
            decide(page, number, {"do": "edit", "reviewer": name, "turns": turns})
        show(page, address, number)
        page.locator(".sample-title").press("s")
        versions = page.get_by_role("dialog").get_by_role("article")
        expect(versions).to_have_count(2)
        expect(versions.nth(0)).to_contain_text("As anna has it.")
        expect(versions.nth(1)).to_contain_text("As ben has it.")
        assert faults(page) == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Compare versions").click()
        versions.nth(0).get_by_role("button", name="Choose this of anna").click()
        show(page, address, number)
        expect(page.locator(".sample-chips")).to_contain_text("accepted")
        expect(page.locator(".turn-assistant")).to_contain_text("As anna has it.")


def test_decisions_of_others_appear_by_themselves(browser: Browser, address: str) -> None:
    number = FIRST_PLAIN + 4
    with opened(browser, address) as page:
        show(page, address, number)
        expect(page.locator(".sample-chips")).to_contain_text("pending")
        dispute(page, number)
        expect(page.locator(".sample-chips")).to_contain_text("disputed")
        expect(page.locator(f"#row-{number} .chip")).to_have_text("disputed")


def test_two_decisions_of_others_that_are_fetched_at_once_end_with_the_second(browser: Browser, address: str) -> None:
    number, held = FIRST_PLAIN + 10, []
    with opened(browser, address) as page:
        show(page, address, number)
        expect(page.locator(".sample-chips")).to_contain_text("pending")
        page.route(re.compile(rf"/api/items/{number}\?"), lambda route: held.append(route))
        answers = []
        for name, do in zip(PEOPLE, ("accept", "reject"), strict=True):
            decide(page, number, {"do": do, "reviewer": name, "reason": ""})
            while len(held) == len(answers):
                page.wait_for_timeout(50)
            answers.append(held[-1].fetch())
        for route, answer in zip(held, answers, strict=True):
            route.fulfill(response=answer)
        expect(page.locator(".sample-chips")).to_contain_text("disputed")


def test_what_others_decide_while_the_page_opens_is_not_missed(browser: Browser, address: str) -> None:
    number, held = FIRST_PLAIN + 11, []
    with opened(browser, address) as page:
        show(page, address, number)
        page.route("**/api/changes*", lambda route: held.append(route), times=1)
        page.reload(wait_until="commit")
        while not held:
            page.wait_for_timeout(50)
        page.wait_for_timeout(1000)  # long enough for a page that would not wait to have the entry as it was
        dispute(page, number)
        held[0].continue_()
        expect(page.locator(".sample-chips")).to_contain_text("disputed")


def test_the_theme_is_switched_and_remembered(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        light, ground = (
            page.evaluate("getComputedStyle(document.documentElement).backgroundColor"),
            page.locator("html"),
        )
        page.get_by_role("button", name="Theme: system").click()
        page.get_by_role("button", name="Theme: light").click()
        expect(ground).not_to_have_css("background-color", light)
        page.reload()
        expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
        expect(ground).not_to_have_css("background-color", light)


def test_a_token_is_asked_for_and_a_wrong_one_is_said(browser: Browser, tmp_path: Path) -> None:
    data, token = write_dataset(tmp_path / "data"), "a-token-of-sixteen-characters"
    with studio(data, token=token) as address, opened(browser, address) as page:
        page.get_by_role("textbox", name="Token").fill("wrong")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("alert").filter(has_text="not the token")).to_be_visible()
        page.get_by_role("textbox", name="Token").fill(token)
        page.get_by_role("button", name="Enter").click()
        expect(page.locator(".row").first).to_be_attached()


def test_who_comes_back_to_the_review_finds_the_filter_and_the_entry(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        show(page, address, FIRST_PLAIN + 2, "?text=Question")
        page.get_by_role("link", name="Statistics").click()
        expect(page.locator(".figure svg").first).to_be_visible()
        page.get_by_role("link", name="Review").click()
        expect(page.locator(".sample-title")).to_have_text(f"train.json[{FIRST_PLAIN + 2}]")
        expect(page.get_by_role("searchbox")).to_have_value("Question")
        page.go_back()
        expect(page.locator(".figure svg").first).to_be_visible()


@pytest.mark.parametrize("width", [320, 768, 1024])
def test_at_widths_between_nothing_is_cut_off_or_lies_upon_another(browser: Browser, address: str, width: int) -> None:
    with opened(browser, address, width=width) as page:
        show(page, address, VIDEO)
        edges = """() => [...document.querySelectorAll(".brand > *, .bar nav a, .bar-end > *, .actions button, .go-on")]
            .filter((node) => node.checkVisibility()).map((node) => node.getBoundingClientRect())
            .map(({ left, right, top, bottom }) => [left, right, top, bottom])"""
        boxes = page.evaluate(edges)
        assert [box for box in boxes if box[0] < 0 or box[1] > width] == []
        upon = [
            (one, other)
            for at, one in enumerate(boxes)
            for other in boxes[:at]
            if min(one[1], other[1]) - max(one[0], other[0]) > 1 and min(one[3], other[3]) - max(one[2], other[2]) > 1
        ]
        assert upon == []


def test_on_paper_a_view_is_whole_and_light(browser: Browser, address: str) -> None:
    with opened(browser, address, scheme="dark") as page:
        page.goto(f"{address}/#/statistics")
        expect(page.locator(".figure svg").first).to_be_visible()
        page.emulate_media(media="print")
        expect(page.locator(".bar")).to_be_hidden()
        expect(page.locator("html")).to_have_css("background-color", "rgb(246, 246, 244)")
        whole, last = page.evaluate(
            "[document.documentElement.scrollHeight, document.querySelector('.view').getBoundingClientRect().bottom]"
        )
        assert whole >= last > 800


def test_large_text_of_the_browser_makes_rows_taller_and_nothing_wide(browser: Browser, address: str) -> None:
    twice = ["--blink-settings=defaultFontSize=32"]
    large = browser.browser_type.launch(executable_path="/usr/bin/chromium", args=twice)
    try:
        with opened(large, address) as page:
            show(page, address)  # the same as a narrow screen
            tall = "(node) => [node.offsetHeight, node.querySelector('.row-main').scrollHeight]"
            row, content = page.locator(".row").first.evaluate(tall)
            assert row == 2 * 92 >= content
            assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    finally:
        large.close()
