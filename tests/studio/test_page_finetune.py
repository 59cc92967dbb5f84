"""Fine-tune, as a person does it: Debian's Chromium, the true page, a server whose training takes steps when told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from studio.looking import too_small
from studio.reviewed import faults
from studio.stand_in import StandIn, opened, opened_in


@pytest.fixture(scope="module")
def stand_in() -> StandIn:
    return StandIn(Path("no clip"))


@pytest.fixture
def page(context: BrowserContext, scripted: str, server: StandIn) -> Iterator[Page]:
    with opened_in(context, f"{scripted}/#/finetune") as page:
        yield page


def started(page: Page, server: StandIn, name: str = "colours") -> None:
    """Start a run by the form."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def state(page: Page) -> Any:
    """The badge of the run that is looked at."""
    return page.locator(".tune-head .chip")


def test_a_run_of_the_open_dataset_is_started_with_what_was_changed_alone(page: Page, server: StandIn) -> None:
    page.get_by_label("r (rank)").fill("8")
    page.get_by_label("4-bit weights").select_option("none")
    page.get_by_label("Train vision").check()
    started(page, server)
    expect(state(page)).to_have_text("Preparing")
    options = {"rank": 8, "quantize": "none", "train_vision": True}
    data = {"data": "/data/train.json", "model": "/models/tiny-qwen2_5-vl", "output": "colours"}
    assert server.started == [data | options]
    assert page.url.endswith("#/finetune/colours")


def test_what_was_decided_is_said_to_come_by_an_export(page: Page, server: StandIn) -> None:
    expect(page.locator(".tune-data")).to_contain_text("To train on what was accepted and edited here, export it")
    page.get_by_role("link", name="export it").click()
    expect(page.get_by_role("heading", name="Export", exact=True)).to_be_attached()


def test_other_data_is_named_by_its_path(page: Page, server: StandIn) -> None:
    page.get_by_label("Another file or folder").first.check()
    page.get_by_label("Name", exact=True).fill("colours")
    page.get_by_role("textbox", name="File or folder").fill("/data/wds\n/data/more.json")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="colours")).to_be_visible()
    assert server.started[0]["data"] == ["/data/wds", "/data/more.json"]


OUT_OF_RANGE = [
    ("r (rank)", "0", "r (rank): a whole number from 1 up is expected."),
    ("Learning rate", "0", "Learning rate: a number above 0 is expected."),
    ("Dropout", "1.5", "Dropout: a number from 0 to 1 is expected."),
    ("Epochs", "", "Epochs: a number above 0 is expected."),
    ("Base model", "", "Base model: a folder or a name is expected."),
    ("Name", "a/b", "Name: letters, digits, dots, hyphens and underscores are expected"),
]


def test_what_is_out_of_range_is_said_and_nothing_is_started(page: Page, server: StandIn) -> None:
    page.get_by_label("Another file or folder").first.check()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert").get_by_text("Data: the path of a file or folder is expected.")).to_be_visible()
    expect(page.get_by_role("textbox", name="File or folder")).to_be_focused()
    page.get_by_label("The open dataset").check()
    for label, value, told in OUT_OF_RANGE:
        field = page.get_by_label(label, exact=True)
        before = field.input_value()
        field.fill(value)
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert").get_by_text(told)).to_be_visible()
        expect(field).to_be_focused()
        field.fill(before)
    assert not server.started


def test_what_the_server_refuses_is_said_at_the_form(page: Page, server: StandIn) -> None:
    server.add_run("colours", {})
    page.get_by_label("Name", exact=True).fill("colours")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert").get_by_text("there is such a folder")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("colours")


def test_the_loss_is_drawn_as_it_comes(page: Page, server: StandIn) -> None:
    started(page, server)
    expect(page.get_by_text("The first step is still to come.")).to_be_visible()
    server.train_to("colours", 20)
    expect(page.locator(".tune-facts")).to_contain_text("step 20 of 100 · about 1 min left · loss 0.100")
    expect(page.locator(".tune-eval-dot")).to_have_count(2)
    assert page.locator(".tune-raw").get_attribute("d").count("L") == 19
    server.train_to("colours", 40)
    expect(page.locator(".tune-eval-dot")).to_have_count(4)
    assert page.locator(".tune-raw").get_attribute("d").count("L") == 39
    expect(page.get_by_text("optimizer steps")).to_be_visible()
    expect(page.get_by_text("loss (nats per token)")).to_be_visible()
    expect(page.get_by_role("region", name="Log")).to_contain_text("step 40: loss 0.050")


def test_the_chart_is_read_by_pointer_and_by_keys(page: Page, server: StandIn) -> None:
    started(page, server)
    server.train_to("colours", 20)
    chart = page.get_by_role("slider", name="Loss by step")
    chart.focus()
    page.keyboard.press("Home")
    expect(chart).to_have_attribute("aria-valuetext", "step 1, training 2.200, running mean 2.200")
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    # The mean of 10 values, each later one weighing 1 / 0.6 of the one before.
    losses = [2 / step + 0.2 * (step % 2) for step in range(1, 11)]
    weights = [0.6 ** (10 - step) for step in range(1, 11)]
    mean = sum(loss * weight for loss, weight in zip(losses, weights, strict=True)) / sum(weights)
    words = f"step 10, training 0.200, running mean {mean:.3f}, validation 0.500"
    expect(chart).to_have_attribute("aria-valuetext", words)
    expect(page.locator(".tune-tip")).to_contain_text("validation 0.500")
    page.get_by_label("Smoothing").fill("0")
    chart.focus()
    page.keyboard.press("End")
    expect(chart).to_have_attribute("aria-valuetext", "step 20, training 0.100, validation 0.400")
    box = page.locator(".tune-chart").bounding_box()
    assert box
    page.mouse.move(box["x"] + 52, box["y"] + 100)
    expect(page.locator(".tune-tip")).to_contain_text("step 1")


def test_a_run_is_stopped_and_goes_on(page: Page, server: StandIn) -> None:
    started(page, server)
    server.train_to("colours", 5)
    page.get_by_role("button", name="Stop").click()
    expect(state(page)).to_have_text("Stopped")
    page.get_by_role("button", name="Go on").click()
    expect(state(page)).to_have_text("Running")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()


def test_the_second_click_of_two_does_not_stop_what_the_first_let_go_on(page: Page, server: StandIn) -> None:
    started(page, server)
    server.train_to("colours", 5)
    page.get_by_role("button", name="Stop").click()
    resume = page.get_by_role("button", name="Go on")
    box = resume.bounding_box()
    assert box
    sent: list[str] = []
    page.on(
        "request", lambda request: sent.append(request.url.rpartition("/")[2]) if request.method == "POST" else None
    )
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    expect(state(page)).to_have_text("Running")
    assert sent == ["resume"]


def test_that_the_server_does_not_answer_is_said_until_it_does(page: Page, server: StandIn) -> None:
    server.add_run("colours", {})
    server.train_to("colours", 5)
    told = page.locator(".tune-top").get_by_text("does not answer")
    asked = "**/api/finetune/runs/colours?**"
    page.route(asked, lambda route: route.abort())
    page.get_by_role("link", name="colours").click()
    for step in (5, 6):
        expect(told).to_be_visible()
        page.unroute(asked)
        expect(page.locator(".tune-facts")).to_contain_text(f"step {step} of 100", timeout=30_000)
        expect(told).to_have_count(0)
        page.route(asked, lambda route: route.abort())
        server.train_to("colours", 6)


def test_a_run_that_failed_says_why(page: Page, server: StandIn) -> None:
    started(page, server)
    server.runs["colours"].update(state="failed", message="out of memory: <b>24 GB</b> were needed", can_resume=True)
    expect(state(page)).to_have_text("Failed")
    expect(page.get_by_text("out of memory: <b>24 GB</b> were needed")).to_be_visible()


def test_an_adapter_that_is_done_is_tried(page: Page, server: StandIn) -> None:
    started(page, server)
    server.train_to("colours", 100).update(state="done", adapter_name="colours/final_checkpoint")
    expect(state(page)).to_have_text("Done")
    page.get_by_role("link", name="Try this adapter").click()
    expect(page.get_by_label("Answered by")).to_have_value("colours/final_checkpoint")
    expect(page.locator("#try-model")).to_have_value("/models/tiny-qwen2_5-vl")


def test_runs_are_listed_the_last_one_first_and_opened(page: Page, server: StandIn) -> None:
    server.add_run("older", {})
    server.add_run("newer", {})
    server.train_to("older", 3)
    page.reload()
    expect(page.locator(".tune-row-name")).to_have_text(["newer", "older"])
    page.get_by_role("link", name="older").click()
    expect(page.locator(".tune-facts")).to_contain_text("step 3 of 100")
    page.get_by_role("button", name="New run").click()
    expect(page.get_by_role("button", name="Start")).to_be_visible()


def test_a_run_that_is_not_there_is_said(browser: Browser, scripted: str, server: StandIn) -> None:
    with opened(browser, f"{scripted}/#/finetune/gone") as page:
        expect(page.get_by_text("gone: no such run")).to_be_visible()


def test_losses_that_are_no_numbers_break_the_line_alone(page: Page, server: StandIn) -> None:
    started(page, server)
    server.train_to("colours", 9)["losses"][4]["loss"] = None
    expect(page.locator(".tune-facts")).to_contain_text("step 9 of 100")
    path = page.locator(".tune-raw").get_attribute("d") or ""
    assert (path.count("M"), path.count("L"), "NaN" in path) == (2, 6, False)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_axe_finds_nothing(browser: Browser, scripted: str, server: StandIn, width: int, scheme: Any) -> None:
    server.add_run("colours", {"model": "/models/tiny", "rank": 16})
    server.train_to("colours", 30).update(state="failed", message="it failed", can_resume=True)
    with opened(browser, f"{scripted}/#/finetune", width=width, scheme=scheme) as page:
        for title in ("Frames", "Media, validation and limits", "Checkpoints"):
            page.locator("summary", has_text=title).click()
        expect(page.get_by_role("link", name="colours")).to_be_visible()
        assert faults(page) == []
        page.get_by_role("link", name="colours").click()
        page.locator("summary", has_text="Settings").click()
        page.locator("summary", has_text="Validation losses as a table").click()
        expect(page.get_by_role("button", name="Go on")).to_be_visible()
        assert faults(page) == []


def test_what_is_touched_is_44_pixels_high_on_a_phone(browser: Browser, scripted: str, server: StandIn) -> None:
    server.add_run("colours", {"model": "/models/tiny"})
    server.train_to("colours", 30)
    with opened(browser, f"{scripted}/#/finetune", width=390) as page:
        expect(page.get_by_role("link", name="colours")).to_be_visible()
        assert too_small(page) == []
        page.get_by_role("link", name="colours").click()
        expect(page.locator(".tune-eval-dot")).to_have_count(3)
        assert too_small(page) == []
        assert page.evaluate("document.querySelector('main').scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("low", "high", "wanted", "ticks"),
    [
        (0, 100, 5, [0, 20, 40, 60, 80, 100]),
        (0, 3, 4, [0, 1, 2, 3]),
        (0.13, 0.47, 4, [0.2, 0.3, 0.4]),
        (0, 0.0004, 4, [0, 0.0001, 0.0002, 0.0003, 0.0004]),
        (5, 5, 4, [5]),
    ],
)
def test_ticks_are_round(modules: Page, low: float, high: float, wanted: int, ticks: list[float]) -> None:
    read = "async (given) => (await import('/finetune_scale.js')).roundTicks(...given)"
    assert modules.evaluate(read, [low, high, wanted]) == ticks


def test_many_points_are_thinned_without_losing_a_peak(modules: Page) -> None:
    read = """async () => {
        const { thinned } = await import("/finetune_scale.js");
        const points = Array.from({ length: 100000 }, (_, step) => ({ step, loss: step === 4711 ? 9 : 1 + (step % 2) / 10 }));
        const kept = thinned(points, 1200);
        return [kept.length, kept.filter((one) => one.loss === 9).length, kept.every((one, at) => !at || kept[at - 1].step < one.step)];
    }"""  # noqa: E501
    assert modules.evaluate(read) == [1200, 1, True]


def test_another_run_begins_with_the_settings_of_one_before(page: Page, server: StandIn) -> None:
    page.get_by_label("r (rank)").fill("8")
    page.get_by_label("Another file or folder").first.check()
    page.get_by_role("textbox", name="File or folder").fill("/data/wds")
    started(page, server)
    server.runs["colours"].update(state="failed")
    page.get_by_role("button", name="Another like it").click()
    expect(page.get_by_label("r (rank)")).to_have_value("8")
    started(page, server, "colours-2")
    assert server.started[1] == server.started[0] | {"output": "colours-2"}
