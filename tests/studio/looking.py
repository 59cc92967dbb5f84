"""What a page is looked at for: controls that a finger can hit."""

from __future__ import annotations

from playwright.sync_api import Page


def too_small(page: Page) -> list[str]:
    """Controls of the view that are less than 44 pixels high; a player draws its own."""
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll(".view :is(button, select, summary, [role=slider], a.button, label.try-choose, input:not([type=file], [type=checkbox], [type=radio]), textarea)")]
                .filter((node) => node.checkVisibility({ visibilityProperty: true }) && node.getBoundingClientRect().height < 43.5)
                .map((node) => `${node.className} ${node.textContent.slice(0, 30)} ${node.getBoundingClientRect().height}`)"""  # noqa: E501
        )
    )
