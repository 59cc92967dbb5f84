"""Reviewing, as a person does it: Debian's Chromium on the true server, with generated media."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from studio.reviewed import (
    ARABIC,
    BROKEN,
    EVIL,
    FIRST_PLAIN,
    IMAGES,
    MISSING,
    NONSENSE,
    SAME,
    TEXT,
    VIDEO,
    events,
    show,
    studio,
    write_dataset,
)
from studio.stand_in import opened


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("review") / "data")


@pytest.fixture(scope="module")
def address(data: Path) -> Iterator[str]:
    with studio(data) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        yield page


def title(number: int) -> str:
    return f"train.json[{number}]"


def row(page: Page, number: int) -> str:
    """What the list shows of an entry."""
    return page.locator(f"#row-{number} .row-foot").inner_text()


def test_decisions_are_saved_and_the_next_entry_opens(page: Page, address: str, data: Path) -> None:
    show(page, address, FIRST_PLAIN)
    page.get_by_role("button", name="Accept", exact=True).click()
    expect(page.locator(".sample-title")).to_have_text(title(FIRST_PLAIN + 1))
    page.keyboard.press("r")
    page.get_by_role("button", name="unclear question").click()
    expect(page.locator(".sample-title")).to_have_text(title(FIRST_PLAIN + 2))
    expect(page.locator(f"#row-{FIRST_PLAIN} .chip")).to_have_text("accepted")
    expect(page.locator(f"#row-{FIRST_PLAIN + 1} .chip")).to_have_text("rejected")
    assert [(one["do"], one.get("reason") or "") for one in events(data)] == [
        ("accept", ""),
        ("reject", "unclear question"),
    ]


def test_an_edit_is_saved_undone_and_done_again(page: Page, address: str) -> None:
    number = FIRST_PLAIN + 3
    show(page, address, number)
    page.locator(".turn-assistant").dblclick()
    page.get_by_label("Assistant, turn 2").fill("A better answer.")
    page.get_by_role("combobox", name="Category").fill("mended")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".sample-title")).to_have_text(title(number + 1))
    page.keyboard.press("k")
    expect(page.locator(".turn-assistant")).to_contain_text("A better answer.")
    expect(page.locator(".details")).to_contain_text("mended")
    expect(page.locator(".sample-chips")).to_contain_text("accepted")
    page.get_by_role("button", name="Undo here").click()
    expect(page.locator(".turn-assistant")).to_contain_text("Answer 3.")
    expect(page.locator(".sample-chips")).to_contain_text("pending")
    page.locator(".history summary").click()
    expect(page.locator(".history")).to_contain_text("assistant: A better answer.")
    page.keyboard.press("y")
    expect(page.locator(".turn-assistant")).to_contain_text("A better answer.")


def test_an_unsaved_edit_outlives_moving_on_and_a_reload(page: Page, address: str) -> None:
    number = FIRST_PLAIN + 5
    show(page, address, number)
    page.keyboard.press("e")
    expect(page.get_by_label("Assistant, turn 2")).to_be_focused()
    page.keyboard.type(" And more.")
    page.get_by_role("button", name="Next entry").click()
    expect(page.locator(".sample-title")).to_have_text(title(number + 1))
    assert "unsaved draft" in row(page, number)
    page.reload()
    show(page, address, number)
    expect(page.get_by_label("Assistant, turn 2")).to_have_value("Answer 5. And more.")
    page.get_by_label("Assistant, turn 2").press("Escape")
    expect(page.get_by_role("dialog")).to_contain_text("Discard your edit?")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Assistant, turn 2")).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(".turn-assistant")).to_contain_text("Answer 5.")
    assert "unsaved draft" not in row(page, number)


def test_an_edit_that_was_made_elsewhere_meanwhile_is_said(page: Page, address: str) -> None:
    number = FIRST_PLAIN + 12
    show(page, address, number)
    page.keyboard.press("e")
    page.keyboard.type(" Mine.")
    turns = [{"role": "user", "text": "Question 12?"}, {"role": "assistant", "text": "Theirs."}]
    sent = {"do": "edit", "turns": turns}
    assert page.request.post(f"{address}/api/items/{number}/decision", data=sent, headers={"X-Studio": "1"}).ok
    expect(page.locator(".sample-note")).to_contain_text("edited elsewhere meanwhile")
    expect(page.get_by_label("Assistant, turn 2")).to_have_value("Answer 12. Mine.")
    page.get_by_role("button", name="Discard mine").click()
    expect(page.locator(".turn-assistant")).to_contain_text("Theirs.")
    expect(page.locator(".sample-note")).to_be_hidden()


def test_nobody_decides_on_an_entry_that_is_still_on_its_way(page: Page, address: str, data: Path) -> None:
    number, before, held = FIRST_PLAIN + 13, len(events(data)), []
    page.add_init_script(  # what was open before stays until the next one is there, however long that takes
        "const late = setTimeout; setTimeout = (run, wait) => late(run, wait === 180 ? 1e6 : wait);"
    )
    show(page, address, number)
    page.route(f"**/api/items/{number + 1}?*", lambda route: held.append(route))
    page.keyboard.press("a")
    expect(page.locator(".row-open")).to_have_id(f"row-{number + 1}")
    for key in ("a", "u", "e"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Accept", exact=True).click()
    for route in held:
        route.continue_()
    page.unroute(f"**/api/items/{number + 1}?*")
    expect(page.locator(".sample-title")).to_have_text(title(number + 1))
    assert [one["do"] for one in events(data)[before:]] == ["accept"]
    page.evaluate(  # within the moment in which fast steps are awaited
        """() => { for (const key of ["j", "a"]) document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })); }"""
    )
    expect(page.locator(".sample-title")).to_have_text(title(number + 2))
    assert len(events(data)) == before + 1


def test_what_is_decided_without_a_server_is_shown_kept_and_sent_later(page: Page, address: str, data: Path) -> None:
    number, before = FIRST_PLAIN + 8, len(events(data))
    show(page, address, number)
    expect(page.locator(".chat")).to_be_visible()
    page.route("**/api/**", lambda route: route.abort())
    page.keyboard.press("e")
    page.keyboard.type(" Offline.")
    page.keyboard.press("Control+s")
    expect(page.locator("#notice")).to_contain_text("The server does not answer")
    expect(page.locator(f"#row-{number} .row-foot")).to_contain_text("not sent yet")
    expect(page.locator(".turn-assistant")).to_contain_text("Answer 8. Offline.")
    assert len(events(data)) == before
    page.unroute("**/api/**")
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator(f"#row-{number} .row-foot")).not_to_contain_text("not sent yet")
    expect(page.locator(f"#row-{number} .chip")).to_have_text("accepted")
    assert [one["do"] for one in events(data)[before:]] == ["edit"]


def test_a_decision_that_the_server_refuses_is_said_and_nothing_moves(page: Page, address: str) -> None:
    number = FIRST_PLAIN + 9
    show(page, address, number)
    answer = '{"error": {"message": "the disk is full", "code": "disk"}}'
    page.route("**/decision", lambda route: route.fulfill(status=500, content_type="application/json", body=answer))
    page.keyboard.press("e")
    page.keyboard.type(" Kept.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toasts")).to_contain_text("Not saved: the disk is full")
    expect(page.get_by_label("Assistant, turn 2")).to_have_value("Answer 9. Kept.")
    expect(page.locator(".sample-title")).to_have_text(title(number))


def test_an_edit_that_is_refused_after_it_waited_is_a_draft_again(page: Page, address: str) -> None:
    number = FIRST_PLAIN + 11
    show(page, address, number)
    expect(page.locator(".chat")).to_be_visible()
    page.route("**/api/**", lambda route: route.abort())
    page.keyboard.press("e")
    page.keyboard.type(" Offline.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(f"#row-{number} .row-foot")).to_contain_text("not sent yet")
    answer = '{"error": {"message": "the journal is gone", "code": "bad-input"}}'
    page.route("**/decision", lambda route: route.fulfill(status=400, content_type="application/json", body=answer))
    page.unroute("**/api/**")
    expect(page.locator(".toasts")).to_contain_text("was not saved: the journal is gone")
    page.unroute("**/decision")
    expect(page.locator(f"#row-{number} .row-foot")).to_contain_text("unsaved draft")
    show(page, address, number)
    expect(page.get_by_label("Assistant, turn 2")).to_have_value("Answer 11. Offline.")


def test_marked_entries_are_decided_on_at_once_and_undone_as_one(page: Page, address: str, data: Path) -> None:
    show(page, address, query="?text=Question")
    page.locator("#row-5").click()
    page.locator("#row-2").click(modifiers=["Shift"])
    page.locator("#row-7").click(modifiers=["Control"])
    expect(page.locator(".bulk-text")).to_have_text("5 entries marked")
    page.get_by_role("toolbar", name="Marked entries").get_by_role("button", name="Reject").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Reason").fill("too easy")
    page.keyboard.press("Enter")
    expect(page.locator("#row-7 .chip")).to_have_text("rejected")
    assert (events(data)[-1]["do"], events(data)[-1]["reason"], len(events(data)[-1]["entries"])) == (
        "reject",
        "too easy",
        5,
    )
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator("#row-7 .chip")).to_have_text("pending")
    page.locator(".list").press("Control+a")
    expect(page.locator(".bulk-text")).to_have_text("30 entries marked")


def test_a_question_is_left_with_the_view_that_asked_it(page: Page, address: str, data: Path) -> None:
    before = len(events(data))
    show(page, address, query="?text=Question")
    page.get_by_role("link", name="Statistics").click()
    page.get_by_role("link", name="Review").click()
    expect(page.locator(".row").first).to_be_visible()
    page.locator(".list").press("Control+a")
    expect(page.locator(".bulk-text")).to_have_text("30 entries marked")
    page.keyboard.press("Shift+A")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Statistics")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.go_forward()
    expect(page.locator(".row").first).to_be_attached()
    assert len(events(data)) == before


def test_hostile_texts_are_shown_as_texts(page: Page, address: str) -> None:
    show(page, address, EVIL)
    expect(page.locator(".turn-user")).to_contain_text("<script>document.title = 'hit'</script><img src=x")
    expect(page.locator(".turn-user .unseen-mark")).to_have_text(["U+202E", "U+202C", "U+0007"])
    assert "</textarea><b>bold</b>" in page.locator(".turn-assistant").inner_text()
    page.keyboard.press("e")
    expect(page.get_by_label("Assistant, turn 2")).to_have_value("</textarea><b>bold</b>")
    assert "hit" not in page.title()
    assert page.locator("main script, main b, main img").count() == 0


def test_unseen_characters_are_named_and_those_of_scripts_and_emoji_stay(page: Page, address: str) -> None:
    named = "async (text) => (await import(new URL('texts.js', document.baseURI))).oneLine(text)"
    hidden = {"a\u00adb": "aU+00ADb", "a\u200db": "aU+200Db", "\u2028": "U+2028", "hi\U000e0041": "hiU+E0041"}
    for text, told in hidden.items():
        assert page.evaluate(named, text) == told
    for text in (
        "می\u200cخواهم",
        "क्\u200dष",
        "👩\u200d👩\u200d👧",
        "👩🏽\u200d🚀",
        "🏴\U000e0067\U000e0062\U000e007f",
        "🏳️\u200d🌈",
    ):
        assert page.evaluate(named, text) == text


def test_a_long_text_is_cut_between_words_and_characters(page: Page, address: str) -> None:
    shown = (
        "async (text) => (await import(new URL('texts.js', document.baseURI))).richText(text).firstChild.textContent"
    )
    assert page.evaluate(shown, "x" * 5995 + " <image>") == "x" * 5995
    assert page.evaluate(shown, "x" + "😀" * 4000) == "x" + "😀" * 2999


def test_a_huge_text_is_shown_stretch_by_stretch_to_its_end(page: Page, address: str) -> None:
    text = "At 0:05 <image> " * 60_000
    found = page.evaluate(
        """async (text) => { const { richText } = await import(new URL("texts.js", document.baseURI));
            const box = richText(text, { onTime: () => {} }), labels = [];
            for (let more; (more = box.querySelector(".more-text")); more.click()) labels.push(more.textContent);
            return [labels, box.textContent, box.querySelectorAll(".time").length]; }""",
        text,
    )
    assert found[0] == ["Show more of 960,000 characters"] * 4 + ["Show all 960,000 characters"]
    numbers = itertools.count(1)
    assert found[1:] == [re.sub("<image>", lambda _: f"image {next(numbers)}", text), 60_000]


def test_texts_that_run_from_right_to_left_do_and_long_ones_unfold(page: Page, address: str) -> None:
    show(page, address, ARABIC)
    text = page.locator(".turn-user .rich")
    box = text.evaluate("""(node) => { const range = document.createRange(); range.selectNodeContents(node);
        return [range.getBoundingClientRect().right, node.getBoundingClientRect().right]; }""")
    assert abs(box[0] - box[1]) < 2
    more = page.get_by_role("button", name="Show all 20,000 characters")
    short = page.locator(".turn-assistant .rich").evaluate("(node) => node.textContent.length")
    more.click()
    assert page.locator(".turn-assistant .rich").evaluate("(node) => node.textContent.length") == 20_000 > short


def test_times_frames_and_the_field_seek_the_video(page: Page, address: str) -> None:
    show(page, address, VIDEO)
    time = "document.querySelector('video').currentTime"
    expect(page.locator(".strip-caption")).to_contain_text("9 frames for training at 2 fps", timeout=40_000)
    page.get_by_role("button", name="0:02", exact=True).click()
    assert page.evaluate(time) == 2
    page.get_by_role("button", name="3.5 s", exact=True).click()
    assert page.evaluate(time) == 3.5
    page.get_by_role("option", name="Frame 4 at 0:01.5").click()
    assert page.evaluate(time) == 1.5
    page.keyboard.press("ArrowRight")
    assert page.evaluate(time) == 2
    page.keyboard.press("Escape")
    page.locator("body").press("g")
    page.keyboard.type("1.25")
    page.keyboard.press("Enter")
    assert page.evaluate(time) == 1.25
    expect(page.get_by_role("option", selected=True, name="Frame 3 at 0:01")).to_be_attached()
    expect(page.get_by_label("About this sample")).to_contain_text("tokens")


def test_images_are_enlarged_and_gone_through(page: Page, address: str) -> None:
    show(page, address, IMAGES)
    page.get_by_role("button", name="Enlarge image 1: 0.png").click()
    expect(page.get_by_role("dialog").get_by_role("img", name="0.png")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog")).to_contain_text("2: 1.png (64 × 48)")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Enlarge image 1: 0.png")).to_be_focused()


def test_broken_media_and_entries_say_what_is_wrong(page: Page, address: str) -> None:
    show(page, address, BROKEN)
    expect(page.locator(".player-problem")).to_contain_text("It cannot be played", timeout=40_000)
    show(page, address, MISSING)
    expect(page.locator(".broken")).to_contain_text("missing.png")
    show(page, address, NONSENSE)
    expect(page.locator(".unreadable")).to_contain_text("unknown-format")
    expect(page.get_by_role("button", name="Edit")).to_have_attribute("aria-disabled", "true")


def test_entries_alike_stand_side_by_side(page: Page, address: str) -> None:
    show(page, address, SAME)
    page.get_by_role("button", name="Side by side").click()
    columns = page.get_by_role("dialog").get_by_role("article")
    expect(columns).to_have_count(2)
    expect(columns.last).to_contain_text("same entry")
    columns.last.get_by_role("button", name="Reject").click()
    expect(columns.last.locator(".chip").first).to_have_text("rejected")
    columns.last.get_by_role("button", name=title(SAME + 1)).click()
    expect(page.locator(".sample-title")).to_have_text(title(SAME + 1))


def test_filters_narrow_the_list_and_stand_in_the_address(page: Page, address: str) -> None:
    show(page, address)
    page.keyboard.press("f")
    page.get_by_role("checkbox", name="clips").click()
    expect(page.locator(".tally")).to_have_text("1 of 40 entries")
    assert "category=clips" in page.url
    page.get_by_role("button", name="Clear all").click()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("searchbox").fill("number")
    expect(page.locator(".tally")).to_have_text("1 of 40 entries")
    page.reload()
    expect(page.locator(".tally")).to_have_text("1 of 40 entries")
    page.get_by_role("searchbox").fill("no such words")
    expect(page.locator(".list-nothing")).to_contain_text("Nothing matches")
    page.get_by_role("button", name="Clear all filters").click()
    expect(page.locator(".tally")).to_have_text("40 entries")


def test_an_address_that_asks_for_nonsense_leads_back_to_the_list(page: Page, address: str) -> None:
    page.goto(f"{address}/#/review?sort=size&status=lost")
    expect(page.get_by_text("status 'lost': there is none of that name")).to_be_visible()
    page.get_by_role("button", name="Clear all filters").click()
    expect(page.locator(".row").first).to_be_attached()
    assert "?" not in page.url


def test_no_key_fires_while_somebody_types_and_the_keys_are_listed(page: Page, address: str, data: Path) -> None:
    before = len(events(data))
    show(page, address, TEXT)
    page.keyboard.press("/")
    page.keyboard.type("are")
    expect(page.get_by_role("searchbox")).to_have_value("are")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog")).to_contain_text("Accept")
    page.get_by_label("Keys without Ctrl are on").uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Keys")).to_be_focused()
    page.keyboard.press("a")
    page.wait_for_timeout(200)
    assert len(events(data)) == before
