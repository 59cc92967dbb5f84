"""An adapter is trained and asked on the page, all of it true: a tiny Qwen2.5-VL with random weights, on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from media import write_clip
from mm2energon.videochat.backends.setup import Setup
from playwright.sync_api import Browser, Page, expect
from tuning.conftest import solid
from videochat.tiny_models import save_qwen2_5_vl

from studio.opened import entry, write_entries
from studio.reviewed import studio
from studio.stand_in import opened

QUESTION = "Which colour?"
#: Loading torch and training take long where cores are shared.
PATIENCE_MS = 240_000
#: What makes a run of the tiny model short, by the labels of the form.
RUN = {"Steps": "30", "Learning rate": "0.01", "Batch size": "2", "Effective batch": "4", "Pixels of a frame": "12544"}
#: By the ids of their fields.
PARAMETERS = {"iterations": "1", "max_new_tokens": "8", "repetition_penalty": "1", "next_prompt": "[QUESTION]"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and blue videos, each with its colour as the answer."""
    folder = tmp_path_factory.mktemp("colours") / "data"
    folder.mkdir()
    entries = []
    for number in range(6):
        for name, channel in (("red", 0), ("blue", 2)):
            clip = folder / f"{name}{number}.mp4"
            write_clip(clip, frames=8, rate=8, size=(112, 84), draw=solid(channel, number))
            entries.append(entry("video", clip.name, question=QUESTION, answer=name))
    return write_entries(folder / "train.json", entries)


def fill(page: Page, label: str, value: str) -> None:
    """Fill a field of a run, wherever it is folded away."""
    field = page.get_by_label(label, exact=True)
    if not field.is_visible():
        page.locator("details", has=field).locator("summary").click()
    field.fill(value)


def train(page: Page) -> None:
    """Train an adapter by the form, to its end."""
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    for label, value in RUN.items():
        fill(page, label, value)
    page.get_by_label("Name", exact=True).fill("colours")
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".tune-head .chip")).to_have_text("Done", timeout=PATIENCE_MS)


def ask(page: Page, question: str) -> None:
    page.get_by_role("textbox", name="Question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".try-asked")).to_have_text(question, timeout=PATIENCE_MS)


def test_an_adapter_that_was_trained_here_tells_red_from_blue(
    browser: Browser, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads wait for each other, busily, where cores are shared
    tiny = save_qwen2_5_vl(tmp_path / "tiny")
    with studio(data, backends=Setup(models=(str(tiny),))) as address, opened(browser, f"{address}/#/finetune") as page:
        train(page)
        page.get_by_role("link", name="Try this adapter").click()
        page.get_by_label("Compared with").select_option("Base model")
        page.locator("summary", has_text="Parameters").click()
        for name, value in PARAMETERS.items():
            page.locator(f"#try-{name}").fill(value)

        page.set_input_files("#try-file", data.with_name("red0.mp4"))
        expect(page.locator(".try-caption .try-name")).to_have_text("red0.mp4", timeout=PATIENCE_MS)
        ask(page, QUESTION)
        answer = page.get_by_role("article", name="colours").locator(".try-answer")
        expect(answer).to_have_text("red", timeout=PATIENCE_MS)
        expect(page.get_by_text("Answered.")).to_be_visible(timeout=PATIENCE_MS)
        base = page.get_by_role("article", name="Base model")
        said = base.locator(".try-answer").inner_text()
        assert said not in ("red", "blue")

        page.get_by_role("article", name="colours").get_by_role("button", name="Keep as a sample").click()
        expect(page.get_by_role("link", name="Kept: see it in the review")).to_have_attribute("href", "#/review/12")

        # What is asked of the base after the adapter is answered as before, and a video of the dataset will do.
        page.goto(f"{address}/#/try?item=1&video=0")
        expect(page.locator(".try-caption .try-name")).to_have_text("blue0.mp4", timeout=PATIENCE_MS)
        ask(page, f"{QUESTION} ")
        expect(answer).to_have_text("blue", timeout=PATIENCE_MS)
        page.locator(".try-ask").nth(1).click()
        expect(page.locator(".try-caption .try-name")).to_have_text("red0.mp4")
        page.get_by_role("button", name="Ask again", exact=True).click()
        expect(page.locator(".try-asks li")).to_have_count(3, timeout=PATIENCE_MS)
        expect(base.locator(".try-answer")).to_have_text(said)
        meet(browser, address, page)


def meet(browser: Browser, address: str, page: Page) -> None:
    """Two ask at once: who waits is told so, and is answered once the other has cancelled."""
    page.get_by_label("Compared with").select_option("nothing")
    page.get_by_label("Answered by").select_option("Base model")
    page.locator("#try-max_new_tokens").fill("4000")
    ask(page, "Say much")
    expect(page.locator(".try-status").get_by_text("answering")).to_be_visible(timeout=PATIENCE_MS)
    with opened(browser, f"{address}/#/try?item=0&video=0") as other:
        expect(other.locator("video")).to_be_visible(timeout=PATIENCE_MS)
        other.locator("summary", has_text="Parameters").click()
        for name, value in PARAMETERS.items():
            other.locator(f"#try-{name}").fill(value)
        ask(other, "And me?")
        expect(other.locator(".try-status").get_by_text("Next in the queue …")).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".try-status").get_by_text("Cancelled.")).to_be_visible()
        expect(other.get_by_text("Answered.")).to_be_visible(timeout=PATIENCE_MS)
