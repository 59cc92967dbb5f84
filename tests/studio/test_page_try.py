"""Try a model, as a person does it: Debian's Chromium, the true page, a server that speaks from a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from media import write_clip
from playwright.sync_api import Browser, BrowserContext, Page, expect

from studio import stand_in as stand_ins
from studio.looking import too_small
from studio.reviewed import faults
from studio.stand_in import StandIn, opened, opened_in

QUESTION = "What colour is the square?"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=16, rate=8, size=(320, 240))


@pytest.fixture(scope="module")
def stand_in(clip: Path) -> StandIn:
    return StandIn(clip)


@pytest.fixture
def page(context: BrowserContext, scripted: str, server: StandIn) -> Iterator[Page]:
    with opened_in(context, f"{scripted}/#/try") as page:
        yield page


def give(page: Page, clip: Path) -> None:
    """Upload the clip as one does who has chosen it."""
    page.set_input_files("#try-file", clip)
    expect(page.locator("video")).to_be_visible()


def ask(page: Page, clip: Path, question: str = QUESTION, *, beside: str = "") -> None:
    """Give the clip and ask."""
    give(page, clip)
    if beside:
        page.get_by_label("Compared with").select_option(beside)
    page.get_by_label("Question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


def answer(page: Page, name: str = "Base model") -> Any:
    """The answer of an adapter, as it stands on the page."""
    return page.get_by_role("article", name=name).locator(".try-answer")


def time_of(page: Page) -> float:
    """Where the player is."""
    return float(page.locator("video").evaluate("video => video.currentTime"))


def test_a_question_about_an_uploaded_video_is_answered(page: Page, server: StandIn, clip: Path) -> None:
    ask(page, clip)
    expect(answer(page)).to_have_text("The square is blue.")
    assert server.uploads == [("clip.mp4", clip.stat().st_size)]
    asked = server.asked[0]
    assert (asked["question"], asked["video"], asked["adapters"]) == (QUESTION, "v1", [None])
    assert (asked["backend"], asked["model"]) == ("transformers", "/models/tiny-qwen2_5-vl")
    assert asked["parameters"]["iterations"] == 3


def test_tokens_are_shown_as_they_come_and_places_in_the_queue_before(page: Page, server: StandIn, clip: Path) -> None:
    server.hold_before = "loading"
    ask(page, clip)
    expect(page.locator(".try-status").get_by_text("Place 2 in the queue …")).to_be_visible()
    server.hold_before = "spans"
    expect(answer(page)).to_have_text("It is <b>blue</b>.")
    expect(page.locator(".try-status").get_by_text("round 1 of 2 …")).to_be_visible()
    server.hold_before = ""
    expect(answer(page)).to_have_text("The square is blue.")


def test_what_a_model_writes_is_text_and_never_html(page: Page, server: StandIn, clip: Path) -> None:
    server.hold_before = "spans"
    ask(page, clip)
    expect(answer(page)).to_have_text("It is <b>blue</b>.")
    assert answer(page).locator("b").count() == 0


def test_thoughts_are_folded_and_so_are_the_rounds_before_the_last(page: Page, clip: Path) -> None:
    ask(page, clip)
    expect(answer(page)).to_have_text("The square is blue.")
    thought = page.get_by_text("Now I see it.")
    expect(thought).to_be_hidden()
    page.get_by_text("What it thought").click()
    expect(thought).to_be_visible()
    page.locator("summary", has_text="Round 1").click()
    expect(page.get_by_text("Something moves in the middle.")).to_be_visible()


def test_no_token_is_announced_but_the_answer_is(page: Page, clip: Path) -> None:
    page.evaluate(
        """() => {
            window.said = [];
            const told = () => document.getElementById("polite").textContent;
            new MutationObserver(() => told() && said.push(told())).observe(document.getElementById("polite"), { childList: true });
        }"""  # noqa: E501
    )
    ask(page, clip)
    expect(page.locator("#polite")).to_have_text("Base model answers: The square is blue.")
    said = page.evaluate("said")
    assert not [text for text in said if "<b>" in text]
    assert answer(page).get_attribute("aria-live") is None


def test_a_lost_connection_is_taken_up_behind_the_last_event(page: Page, server: StandIn, clip: Path) -> None:
    server.cut_after = 6
    ask(page, clip)
    expect(answer(page)).to_have_text("The square is blue.")
    assert server.connections == ["", "6"]


def test_a_page_that_is_loaded_anew_goes_on_where_it_was(page: Page, server: StandIn, clip: Path) -> None:
    server.hold_before = "spans"
    ask(page, clip)
    expect(answer(page)).to_have_text("It is <b>blue</b>.")
    page.reload()
    expect(answer(page)).to_have_text("It is <b>blue</b>.")
    expect(page.get_by_label("Question")).to_have_value(QUESTION)
    expect(page.locator("video")).to_be_visible()
    server.hold_before = ""
    expect(answer(page)).to_have_text("The square is blue.")
    assert len(server.asked) == 1


def test_an_answer_that_is_cancelled_keeps_what_had_come(page: Page, server: StandIn, clip: Path) -> None:
    server.hold_before = "spans"
    ask(page, clip)
    expect(answer(page)).to_have_text("It is <b>blue</b>.")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".try-status").get_by_text("Cancelled. What had come by then stays here.")).to_be_visible()
    expect(answer(page)).to_have_text("It is <b>blue</b>.")
    assert server.cancelled == ["0"]


def test_what_fails_says_why_and_can_be_asked_again(page: Page, server: StandIn, clip: Path) -> None:
    ask(page, clip, "please fail")
    failure = page.locator(".try-status").get_by_text("the model ran out of memory: 24 GB were needed; use 4-bit")
    expect(failure).to_be_visible()
    page.get_by_role("button", name="Ask again", exact=True).click()
    expect(failure).to_be_visible()
    assert [asked["question"] for asked in server.asked] == ["please fail", "please fail"]


def test_two_adapters_answer_side_by_side(page: Page, server: StandIn, clip: Path) -> None:
    ask(page, clip, beside="colours")
    expect(answer(page, "Base model")).to_have_text("The square is blue.")
    expect(answer(page, "colours")).to_have_text("The square is red.")
    assert server.asked[0]["adapters"] == [None, "colours/final_checkpoint"]
    left, right = (page.get_by_role("article", name=name).bounding_box() for name in ("Base model", "colours"))
    assert left and right and left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]


def test_the_timeline_has_the_frames_and_spans_of_each_round(page: Page, clip: Path) -> None:
    ask(page, clip)
    expect(page.get_by_role("button", name="Go to the span 0:01.0 – 0:01.5")).to_be_visible()
    expect(page.get_by_role("slider", name="Round 1: frames")).to_have_attribute("aria-valuemax", "4")
    bar, track = page.locator(".try-bar").first.bounding_box(), page.locator(".try-track").first.bounding_box()
    assert bar and track
    assert (bar["x"] - track["x"]) / track["width"] == pytest.approx(0.5, abs=0.01)  # 1.0 s of 2 s
    assert bar["width"] / track["width"] == pytest.approx(0.25, abs=0.01)
    assert page.locator(".try-ticks path").last.get_attribute("d") == "M500.00 0v10M562.50 0v10M625.00 0v10M687.50 0v10"


def test_a_span_a_bar_and_a_tick_seek_the_video(page: Page, clip: Path) -> None:
    ask(page, clip)
    page.get_by_role("button", name="Go to the span 0:01.0 – 0:01.5").click()
    assert time_of(page) == 1.0
    track = page.locator(".try-track").first
    box = track.bounding_box()
    assert box
    track.click(position={"x": box["width"] * 0.25 + 2, "y": 5})  # beside the tick of 0.5 s
    assert time_of(page) == 0.5
    track.click(position={"x": box["width"] * 0.6, "y": 5})  # within the bar
    assert time_of(page) == 1.0
    track.click(position={"x": box["width"] * 0.9, "y": 5})  # nothing is there
    assert time_of(page) == pytest.approx(1.8, abs=0.02)
    expect(page.locator(".try-timeline")).to_have_attribute("style", re.compile(r"--at: 0\.(89|9)"))


def test_keys_go_from_frame_to_frame(page: Page, clip: Path) -> None:
    ask(page, clip)
    track = page.get_by_role("slider", name="Round 2: frames")
    track.focus()
    page.keyboard.press("ArrowRight")
    assert time_of(page) == 1.125
    page.keyboard.press("End")
    assert time_of(page) == 1.375
    expect(track).to_have_attribute("aria-valuetext", "frame 4 of 4, at 0:01.38")


def test_an_answer_is_kept_as_a_sample_and_leads_to_it(page: Page, server: StandIn, clip: Path) -> None:
    ask(page, clip)
    page.get_by_role("button", name="Keep as a sample").click()
    link = page.get_by_role("link", name="Kept: see it in the review")
    expect(link).to_have_attribute("href", "#/review/3")
    assert server.kept == [("0", None)]


def test_an_answer_is_copied_without_its_thoughts(page: Page, scripted: str, clip: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=scripted)
    ask(page, clip)
    page.get_by_role("button", name="Copy").click()
    expect(page.locator(".toast").get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "The square is blue."


def test_the_history_has_what_was_asked_to_be_seen_and_asked_again(page: Page, server: StandIn, clip: Path) -> None:
    ask(page, clip, "The first?")
    expect(answer(page)).to_have_text("The square is blue.")
    page.get_by_label("Question").fill("The second?")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".try-asked")).to_have_text("The second?")
    page.get_by_role("button", name="The first?", exact=False).first.click()
    expect(page.locator(".try-asked")).to_have_text("The first?")
    expect(page.get_by_label("Question")).to_have_value("The first?")
    page.get_by_role("button", name="Ask again: The first?").click()
    expect(page.get_by_role("button", name="Ask again: The first?")).to_have_count(2)
    assert [asked["question"] for asked in server.asked] == ["The first?", "The second?", "The first?"]
    assert server.asked[2] == server.asked[0]


def test_an_adapter_that_comes_while_one_looks_elsewhere_is_there(
    page: Page, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    expect(page.get_by_label("Answered by").get_by_role("option", name="new")).to_have_count(0)
    monkeypatch.setattr(stand_ins, "ADAPTERS", [*stand_ins.ADAPTERS, {**stand_ins.ADAPTERS[0], "name": "new"}])
    page.get_by_text("Parameters").click()
    rounds = page.get_by_label("Rounds of perception", exact=True)
    rounds.fill("99")
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.get_by_label("Answered by").get_by_role("option", name="new")).to_have_count(1)
    expect(rounds).to_have_value("99")
    expect(rounds).to_be_focused()


def test_a_question_is_not_asked_again_of_another_where_its_adapter_is_gone(
    page: Page, server: StandIn, clip: Path
) -> None:
    ask(page, clip)
    expect(page.get_by_text("Answered.")).to_be_visible()
    server.asked[0]["adapters"] = ["removed"]
    page.reload()
    page.get_by_role("button", name=f"Ask again: {QUESTION}").click()
    expect(page.get_by_role("alert").get_by_text("removed is not there any more")).to_be_visible()
    assert len(server.asked) == 1


def test_a_long_history_names_models_and_shows_more_where_one_reads_on(page: Page, server: StandIn, clip: Path) -> None:
    ask(page, clip)
    expect(page.get_by_text("Answered.")).to_be_visible()
    server.asked += [{**server.asked[0], "question": f"Number {number}?"} for number in range(21)]
    page.reload()
    rows = page.locator(".try-ask")
    expect(rows).to_have_count(20)
    expect(rows.first).to_contain_text("beach.mp4 · tiny-qwen2_5-vl · Base model")
    page.get_by_role("button", name="2 more", exact=True).click()
    expect(rows).to_have_count(22)
    expect(rows.nth(20)).to_be_focused()


def test_rounds_that_come_are_in_sight_and_so_is_a_moment_at_the_very_end(page: Page) -> None:
    drawn = """async (rounds) => {
        const { timeline } = await import("/try_timeline.js");
        const { element, setVideo, show } = timeline({ signal: new AbortController().signal, onSeek: () => {} });
        document.querySelector(".try-page").append(element);
        setVideo({ duration: 7000 }, null);
        const told = (count, state) => ({ state, sides: [{ adapter: null, of: 10, rounds: rounds.slice(0, count) }] });
        const lanes = element.querySelector(".try-lanes");
        const isSeen = () => {
            const [bar, track] = [".try-bar", ".try-track"].map((one) =>
                [...lanes.querySelectorAll(one)].at(-1).getBoundingClientRect());
            const box = lanes.getBoundingClientRect();
            return bar.right <= track.right && bar.width > 0 && track.bottom <= box.bottom && track.top >= box.top;
        };
        const seen = [1, 5, 10].map((count) => (show(told(count, "answering")), isSeen()));
        lanes.scrollTop = 20;
        show(told(9, "done"));
        return [...seen, lanes.scrollHeight > lanes.clientHeight, lanes.scrollTop];
    }"""
    rounds = [{"number": number, "frames": [0, 6999], "spans": [[6999.9, 7000]]} for number in range(1, 11)]
    expect(page.locator(".try-page")).to_be_visible()
    assert page.evaluate(drawn, rounds) == [True, True, True, True, 20]


def test_a_key_that_is_held_and_a_double_click_ask_once(page: Page, server: StandIn, clip: Path) -> None:
    server.hold_before = "spans"
    give(page, clip)
    page.get_by_label("Question").fill(QUESTION)
    page.keyboard.down("Control")
    for _ in range(3):
        page.keyboard.down("Enter")
        expect(answer(page)).to_have_text("It is <b>blue</b>.")
    page.keyboard.up("Enter")
    page.keyboard.up("Control")
    page.get_by_role("button", name="Ask", exact=True).dispatch_event("click", {"detail": 2})
    server.hold_before = ""
    again = page.get_by_role("button", name="Ask again", exact=True)
    expect(again).to_be_visible()
    server.hold_before = "spans"
    again.click()
    cancel = page.locator(".try-status").get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible()
    cancel.dispatch_event("click", {"detail": 2})  # where "Ask again" was
    cancel.dispatch_event("click", {"detail": 1})
    server.hold_before = ""
    expect(again).to_be_visible()
    assert (len(server.asked), server.cancelled) == (2, ["1"])


def test_a_file_that_is_no_video_says_so_and_another_can_be_given(page: Page, clip: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no video")
    page.set_input_files("#try-file", text)
    expect(page.get_by_role("alert").get_by_text("notes.txt: no video stream was found")).to_be_visible()
    give(page, clip)


def test_a_file_is_dropped(page: Page, server: StandIn, clip: Path) -> None:
    expect(page.get_by_text("or drop one here")).to_be_visible()
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["abc"], "dropped.mp4", { type: "video/mp4" }));
            const drop = (type) => new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
            document.querySelector(".try-video").dispatchEvent(drop("dragover"));
            document.querySelector(".try-video").dispatchEvent(drop("drop"));
        }"""
    )
    expect(page.locator("video")).to_be_visible()
    assert server.uploads == [("dropped.mp4", 3)]


def test_a_video_of_an_address_tells_how_far_it_is(page: Page, server: StandIn) -> None:
    server.fetched = 250
    page.get_by_label("From an address").fill("https://example.org/beach.mp4")
    page.get_by_role("button", name="Fetch").click()
    expect(page.get_by_text("Fetching: 250 bytes of 1.0 KB")).to_be_visible()
    server.fetched = 1000
    expect(page.locator("video")).to_be_visible()
    expect(page.get_by_text("beach.mp4", exact=True)).to_be_visible()
    assert server.uploads == [("https://example.org/beach.mp4", 0)]


def test_a_video_of_an_address_is_cancelled(page: Page, server: StandIn) -> None:
    server.fetched = 250
    page.get_by_label("From an address").fill("https://example.org/beach.mp4")
    page.get_by_role("button", name="Fetch").click()
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("or drop one here")).to_be_visible()
    assert server.cancelled == ["j1"]


@pytest.mark.parametrize(
    ("url", "fetched", "told"),
    [
        ("http://192.168.0.1/a.mp4", 0, "192.168.0.1 is a private address: give the public address of a video"),
        ("https://example.org/gone.mp4", -1, "the site answered 404"),
    ],
)
def test_an_address_that_gives_no_video_says_why(
    page: Page, server: StandIn, url: str, fetched: int, told: str
) -> None:
    server.fetched = fetched
    page.get_by_label("From an address").fill(url)
    page.get_by_role("button", name="Fetch").click()
    expect(page.get_by_role("alert").get_by_text(told)).to_be_visible()
    expect(page.get_by_label("From an address")).to_have_value(url)


def test_the_video_of_a_reviewed_entry_is_taken_over(browser: Browser, scripted: str, server: StandIn) -> None:
    with opened(browser, f"{scripted}/#/try?item=12&video=1") as page:
        expect(page.locator("video")).to_be_visible()
        assert server.uploads == [("item 12/1", 0)]
        assert page.url.endswith("#/try")


def test_parameters_have_ranges_and_a_way_back(page: Page, server: StandIn, clip: Path) -> None:
    page.get_by_text("Parameters").click()
    rounds = page.get_by_label("Rounds of perception", exact=True)
    rounds.fill("11")
    ask(page, clip)
    expect(page.get_by_role("alert").get_by_text("Rounds of perception: a whole number from 1 to 10")).to_be_visible()
    assert not server.asked
    rounds.fill("1")
    page.get_by_label("Temperature", exact=True).fill("0.7")
    expect(page.locator("summary", has_text="Parameters")).to_contain_text("2 changes")
    page.get_by_role("button", name="Temperature: as by default").click()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(answer(page)).to_have_text("The square is blue.")
    assert (server.asked[0]["parameters"]["iterations"], server.asked[0]["parameters"]["temperature"]) == (1, 0)
    page.get_by_role("button", name="All as by default").click()
    expect(rounds).to_have_value("3")


def test_a_prompt_needs_the_place_of_the_question(page: Page, server: StandIn, clip: Path) -> None:
    page.get_by_text("Parameters").click()
    page.get_by_label("Prompt of the last round, or of a single one", exact=True).fill("What is this?")
    ask(page, clip)
    expect(page.get_by_role("alert").get_by_text("[QUESTION] is missing")).to_be_visible()
    assert not server.asked


@pytest.mark.parametrize(("has_video", "told"), [(False, "Give a video first."), (True, "Write a question first.")])
def test_what_is_missing_is_said(page: Page, clip: Path, has_video: bool, told: str) -> None:
    if has_video:
        give(page, clip)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert").get_by_text(told)).to_be_visible()


def test_a_back_end_that_is_not_ready_says_what_to_do(page: Page, server: StandIn, clip: Path) -> None:
    page.get_by_label("Back end").select_option("openai")
    expect(page.get_by_text("start the studio with --openai-url")).to_be_visible()
    ask(page, clip)
    expect(page.get_by_role("alert").get_by_text("no server was named")).to_be_visible()
    assert not server.asked


def test_an_adapter_that_cannot_be_used_says_why(page: Page) -> None:
    page.get_by_text("1 adapter cannot be used").click()
    expect(page.get_by_text("made for Qwen2-VL-7B, not for this model")).to_be_visible()
    assert "speech" not in page.get_by_label("Answered by").inner_text()


def test_two_people_ask_at_once(browser: Browser, page: Page, scripted: str, server: StandIn, clip: Path) -> None:
    server.hold_before = "spans"
    ask(page, clip, "The first?")
    with opened(browser, f"{scripted}/#/try") as other:
        ask(other, clip, "The second?")
        expect(answer(other)).to_have_text("It is <b>blue</b>.")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".try-status").get_by_text("Cancelled.")).to_be_visible()
        server.hold_before = ""
        expect(answer(other)).to_have_text("The square is blue.")
        assert server.cancelled == ["0"]


def test_all_is_done_by_the_keyboard_alone(page: Page, clip: Path) -> None:
    give(page, clip)
    page.locator("main").focus()
    page.keyboard.press("q")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Control+Enter")
    expect(answer(page)).to_have_text("The square is blue.")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keep as a sample").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Kept: see it in the review")).to_be_focused()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing(
    browser: Browser, scripted: str, server: StandIn, clip: Path, width: int, scheme: Any
) -> None:
    with opened(browser, f"{scripted}/#/try", width=width, scheme=scheme) as page:
        expect(page.get_by_text("or drop one here")).to_be_visible()
        page.get_by_text("1 adapter cannot be used").click()
        assert faults(page) == []
        page.get_by_text("Parameters").click()
        ask(page, clip, beside="colours")
        expect(answer(page, "colours")).to_have_text("The square is red.")
        page.get_by_text("What it thought").first.click()
        page.get_by_role("button", name="Keep as a sample").first.click()
        expect(page.get_by_role("link", name="Kept: see it in the review")).to_be_visible()
        assert faults(page) == []


def test_what_is_touched_is_44_pixels_high_on_a_phone(
    browser: Browser, scripted: str, server: StandIn, clip: Path
) -> None:
    with opened(browser, f"{scripted}/#/try", width=390) as page:
        page.get_by_text("Parameters").click()
        ask(page, clip, beside="colours")
        expect(answer(page, "colours")).to_have_text("The square is red.")
        assert too_small(page) == []
        assert page.evaluate("document.querySelector('main').scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("text", "growing", "expected"),
    [
        ("plain", False, ("", "plain", False)),
        ("<think>a</think>b", False, ("a", "b", False)),
        ("a</think>b", False, ("a", "b", False)),
        ("<think>a", True, ("a", "", True)),
        ("<think>a</thi", True, ("a", "", True)),
        ("a < b <answ", True, ("", "a < b", False)),
        ("a < b <answ", False, ("", "a < b <answ", False)),
        ("<THINK>a</THINK><answer>b</answer><glue>[(1, 2)]</glue>", False, ("a", "b", False)),
    ],
)
def test_thoughts_are_told_from_answers(
    modules: Page, text: str, growing: bool, expected: tuple[str, str, bool]
) -> None:
    parts = modules.evaluate(
        "async ([text, growing]) => (await import('/try_text.js')).splitThinking(text, { growing })", [text, growing]
    )
    assert (parts["thinking"], parts["answer"], parts["isThinking"]) == expected


def test_events_are_read_whatever_pieces_they_come_in(modules: Page) -> None:
    stream = ': hello\r\nid: 1\r\nevent: token\r\ndata: {"text":\r\ndata: "a"}\r\n\r\nid: 2\nevent: done\ndata: {}\n\n'
    read = """async (stream) => {
        const { eventParser } = await import("/try_stream.js");
        return [1, 2, 3, 7, 1000].map((size) => {
            const parse = eventParser();
            const pieces = stream.match(new RegExp(`[^]{1,${size}}`, "g"));
            return pieces.flatMap((piece) => parse(piece)).map(({ id, name, data }) => [id, name, data]);
        });
    }"""
    expected = [["1", "token", {"text": "a"}], ["2", "done", {}]]
    assert modules.evaluate(read, stream) == [expected] * 5


def test_an_ask_that_was_cut_off_with_the_studio_stays_as_far_as_it_came(
    page: Page, server: StandIn, clip: Path
) -> None:
    server.hold_before = "spans"
    ask(page, clip)
    expect(answer(page)).to_have_text("It is <b>blue</b>.")
    kept = {"adapter": None, "text": "", "reply": "It is <b>bl", "rounds": [{"round": 1, "frames": [0.0], "spans": []}]}
    server.asked[0] |= {"answers": [kept], "state": "cancelled"}
    server.has_forgotten = True
    page.reload()
    expect(page.locator(".try-status").get_by_text("Cancelled. What had come by then stays here.")).to_be_visible()
    expect(answer(page)).to_have_text("It is <b>bl")
    server.hold_before = ""


def test_of_two_of_before_the_one_that_answered_can_be_kept_though_the_other_failed(modules: Page) -> None:
    told = """async (ask) => {
        const { nothingTold, tellAnswers } = await import("/try_told.js");
        const told = nothingTold(["a", "b"]);
        tellAnswers(told, ask);
        return [told.state, told.sides.map(({ answer, isDone }) => [answer, isDone])];
    }"""
    rounds = [{"round": 1, "frames": [0], "spans": []}]
    answers = [{"adapter": "a", "text": "Red.", "rounds": rounds}, {"adapter": "b", "text": "", "rounds": rounds}]
    failed = {"state": "failed", "message": "no", "answers": answers}
    assert modules.evaluate(told, failed) == ["failed", [["Red.", True], [None, False]]]


def test_who_leaves_while_a_video_comes_is_asked(page: Page, server: StandIn) -> None:
    server.fetched = 250
    page.get_by_label("From an address").fill("https://example.org/beach.mp4")
    page.get_by_role("button", name="Fetch").click()
    expect(page.get_by_text("Fetching: 250 bytes of 1.0 KB")).to_be_visible()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert").get_by_text("The video is still on its way.")).to_be_visible()
    page.get_by_role("link", name="Fine-tune").click()
    page.get_by_role("button", name="Stay").click()
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    server.fetched = 1000
    expect(page.locator("video")).to_be_visible()


def test_answers_are_shown_whose_events_the_server_has_forgotten(page: Page, server: StandIn, clip: Path) -> None:
    ask(page, clip)
    expect(answer(page)).to_have_text("The square is blue.")
    rounds = [{"round": 1, "frames": [0.0], "spans": [[0.5, 1.0]]}, {"round": 2, "frames": [0.5], "spans": []}]
    kept = {"adapter": None, "text": "It is green.", "reply": "<think>Hm.</think>It is green.", "rounds": rounds}
    server.asked[0]["answers"] = [kept]
    server.has_forgotten = True
    page.reload()
    expect(answer(page)).to_have_text("It is green.")
    expect(page.get_by_role("button", name="Go to the span 0:00.5 – 0:01.0")).to_be_visible()
    page.locator("summary", has_text="Round 1").click()
    expect(page.get_by_text("What it wrote in this round was not kept.")).to_be_visible()
