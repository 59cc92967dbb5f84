"""What a page is looked at for: accessibility, by axe-core, and controls that a finger can hit."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def violations(page: Page) -> list[str]:
    """What axe-core finds, for accessibility rules of all levels that it knows to test."""
    found = Axe().run(
        page,
        context="main",
        options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    )
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found.response["violations"]]


def too_small(page: Page) -> list[str]:
    """Controls of the view that are less than 44 pixels high; a player draws its own."""
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll(".view :is(button, select, summary, [role=slider], a.button, label.try-choose, input:not([type=file], [type=checkbox], [type=radio]), textarea)")]
                .filter((node) => node.checkVisibility({ visibilityProperty: true }) && node.getBoundingClientRect().height < 43.5)
                .map((node) => `${node.className} ${node.textContent.slice(0, 30)} ${node.getBoundingClientRect().height}`)"""  # noqa: E501
        )
    )
