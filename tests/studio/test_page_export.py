"""From reviewing to shards with keys alone, on the true server with generated media; and what an export says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import webdataset
from playwright.sync_api import Browser, Page, Route, expect

from studio.reviewed import BROKEN, IMAGES, MISSING, VIDEO, events, show, studio, write_dataset
from studio.stand_in import opened


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of that name has the focus, which has to be seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => { const node = document.activeElement;
                const seen = node.matches(":focus-visible");
                return [node.labels?.[0]?.innerText ?? node.getAttribute("aria-label") ?? node.innerText, seen]; }"""
        )
        if str(found[0]).startswith(name):
            assert found[1], f"{name} has the focus, and nothing shows it"
            return
    raise AssertionError(f"Tab never comes to {name}")


def test_review_edit_export_and_shards_with_keys_alone(browser: Browser, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    with studio(data) as address, opened(browser, address) as page:
        expect(page.locator(".row-open")).to_be_attached()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        tab_to(page, "Entries")
        page.keyboard.press("ArrowDown")
        expect(page.locator(".sample-title")).to_have_text(f"train.json[{VIDEO}]")
        page.keyboard.press("a")
        expect(page.locator(".sample-title")).to_have_text(f"train.json[{IMAGES}]")
        page.keyboard.press("e")
        expect(page.get_by_label("Assistant, turn 2")).to_be_focused()
        page.keyboard.type(" They differ.")
        page.keyboard.press("Control+Enter")
        expect(page.locator(".sample-title")).to_have_text(f"train.json[{BROKEN}]")
        page.keyboard.press("a")
        expect(page.locator(".sample-title")).to_have_text(f"train.json[{MISSING}]")
        page.keyboard.press("r")
        page.keyboard.press("5")
        expect(page.locator(f"#row-{MISSING} .chip")).to_have_text("rejected")
        page.keyboard.press("3")
        expect(page.get_by_role("heading", name="Export", exact=True)).to_be_visible()
        tab_to(page, "Qwen-VL (qwen-vl-finetune)")
        page.keyboard.press("Space")
        tab_to(page, "Folder")
        page.keyboard.press("Control+a")
        page.keyboard.type("made")
        tab_to(page, "Write shards")
        page.keyboard.press("Space")
        tab_to(page, "Export")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Export complete")).to_be_visible(timeout=120_000)
        expect(page.get_by_role("log")).to_contain_text("EXPORT SUMMARY")
        rows = page.get_by_role("region", name="Files").get_by_role("row")
        expect(rows.filter(has_text="train_qwen-finetune")).to_contain_text("2")
        expect(page.get_by_role("region", name="Skipped")).to_contain_text("unreadable-video")
    assert [one["do"] for one in events(data)] == ["accept", "edit", "accept", "reject"]
    made = tmp_path / "data" / "made"
    assert len(json.loads((made / "train_videollama2.json").read_text())) == 1
    written = json.loads((made / "train_qwen-finetune.json").read_text())
    assert len(written) == 2 and "They differ." in json.dumps(written)
    shards = sorted(str(path) for path in (made / "wds").glob("*.tar"))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert len(samples) == 2
    assert any(b"They differ." in sample["json"] for sample in samples)


def test_what_cannot_be_exported_is_said_where_it_is_asked_for(browser: Browser, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    with studio(data) as address, opened(browser, f"{address}/#/export") as page:
        page.get_by_role("button", name="Choose no template").click()
        page.get_by_role("button", name="Export", exact=True).click()
        expect(page.get_by_role("alert").filter(has_text="Choose a template, or shards.")).to_be_visible()
        page.get_by_role("button", name="Choose all templates").click()
        page.get_by_label("Folder").fill("/etc/made")
        page.get_by_role("button", name="Export", exact=True).click()
        expect(page.locator(".export-state")).to_contain_text("lies outside of what the studio may write to")
        page.get_by_label("Folder").fill("made")
        page.get_by_role("button", name="Export", exact=True).click()
        expect(page.locator(".export-state")).to_contain_text("no entry is accepted")
        show(page, address, VIDEO)
        page.keyboard.press("a")
        expect(page.locator(f"#row-{VIDEO} .chip")).to_have_text("accepted")
        page.goto(f"{address}/#/export")
        expect(page.get_by_label("Folder")).to_have_value("made")


def test_all_templates_are_one_wish_and_shards_need_none(browser: Browser, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    (tmp_path / "more").mkdir()
    roots = (tmp_path / "data", tmp_path / "more")
    with studio(data, root=tmp_path, output_roots=roots) as address, opened(browser, address) as page:
        page.evaluate("""fetch("/api/decisions", { method: "POST", body: '{"do": "accept", "numbers": [0, 10]}',
            headers: { "X-Studio": "1", "Content-Type": "application/json" } }).then((answer) => answer.json())""")
        page.goto(f"{address}/#/export")
        expect(page.get_by_text(f"Below {roots[0]}, or a whole path below {roots[1]}.")).to_be_visible()
        page.get_by_role("button", name="Choose all templates").click()
        page.get_by_label("Folder").fill("made")
        page.get_by_role("button", name="Export", exact=True).click()
        expect(page.get_by_role("heading", name="Export complete")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("log")).to_contain_text("- Selected Format: All Templates")
        expect(page.get_by_role("region", name="Skipped")).to_have_count(0)  # no template holds only what others do
        page.reload()
        expect(page.locator(".template input:not(:checked)")).to_have_count(0)
        page.get_by_role("button", name="Choose no template").click()
        page.get_by_label("Write shards").check()
        page.get_by_label("Folder").fill(str(roots[1] / "shards"))
        page.get_by_role("button", name="Export", exact=True).click()
        expect(page.get_by_text("samples: train 2", exact=True)).to_be_visible(timeout=60_000)
    assert not list((roots[1] / "shards").glob("train_*")) and list((roots[1] / "shards" / "wds").glob("*.tar"))


def test_an_export_under_way_is_cancelled_by_a_button_that_keeps_the_focus(browser: Browser, tmp_path: Path) -> None:
    told: dict[str, Any] = {"state": "running", "step": "media", "done": 0, "total": 999, "lines": [], "error": None}

    def answer(route: Route) -> None:
        told["done"] += 1
        if route.request.url.endswith("/cancel"):
            told["state"] = "cancelled"
        route.fulfill(json={"id": "x", **told})

    with studio(write_dataset(tmp_path / "data")) as address, opened(browser, f"{address}/#/export") as page:
        page.route("**/api/exports**", answer)
        page.route("**/api/exports/**", answer)
        page.get_by_role("button", name="Export", exact=True).click()
        page.get_by_role("button", name="Cancel").focus()
        for _ in range(2):
            shown = page.locator(".export-progress").inner_text()
            expect(page.locator(".export-progress")).not_to_have_text(shown)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="The export was cancelled")).to_be_visible()
        expect(page.get_by_role("button", name="Export", exact=True)).to_be_enabled()


def test_a_csv_is_brought_up_to_the_decisions_with_a_copy_of_before(browser: Browser, tmp_path: Path) -> None:
    write_dataset(tmp_path / "data")
    data = tmp_path / "data" / "annotations.csv"
    before = "index,video_file_path,question,category,answer,status,camera\n1,clip.mp4,What?,a,That.,,north\n"
    data.write_text(before)
    with studio(data) as address, opened(browser, address) as page:
        expect(page.locator(".sample-title")).to_have_text("annotations.csv:2")
        expect(page.get_by_label("About this sample")).to_contain_text("north")
        page.keyboard.press("a")
        expect(page.locator("#row-0 .chip")).to_have_text("accepted")
        page.goto(f"{address}/#/export")
        page.get_by_label("Split by video").check()
        page.get_by_role("button", name="Export", exact=True).click()
        expect(page.locator(".export-report")).to_contain_text("1 row of", timeout=60_000)
    assert "accepted" in data.read_text().lower()
    (backup,) = data.parent.glob("annotations_backup_*.csv")
    assert backup.read_text() == before
