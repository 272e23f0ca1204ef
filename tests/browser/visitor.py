"""What somebody does in the chat."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.home.stack import RunningHome

SCHEMES = ("light", "dark")
OF_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What axe-core can see another of in another scheme."""
RUN_AXE = """async (options) => {
  const { violations } = await axe.run({ resultTypes: ["violations"], ...options });
  return violations;
}"""
MODULE = """new URL("../%s", document.querySelector('script[src$="app/main.js"]').src)"""
"""The address of a module of the page."""
OFFERED = """async (id) => {
  const { data } = await (await fetch("../v1/models")).json();
  return data.some((one) => one.id === id);
}"""
"""Whether a model or a route is on the list."""
GRAVE = ("serious", "critical")


def faults(page: Any) -> list[str]:
    """What axe-core finds wrong with what is shown, with where; in the other scheme, what it finds of colours."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="make test-browser installs it")
    found = []
    page.evaluate(axe.Axe().axe_script)
    for scheme, options in zip(SCHEMES, ({}, OF_COLOURS), strict=True):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for rule in page.evaluate(RUN_AXE, options):
            if rule["impact"] in GRAVE:
                where = [(node["target"], node["failureSummary"].splitlines()[1:2]) for node in rule["nodes"][:3]]
                found.append(f"{scheme} {rule['id']}: {where}")
    return found


def ask(page: Any, question: str) -> None:
    """Ask, and wait for the answer."""
    page.get_by_label("Question", exact=True).fill(question)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copy with sources").last.wait_for()


def marked_is_the_api_s(page: Any, home: RunningHome, collection: str, document_id: str, revision: int) -> str:
    """What is marked in the text, which the API must say of the same characters."""
    mark = page.locator("aside mark")
    mark.wait_for()
    start, end = int(mark.get_attribute("data-start")), int(mark.get_attribute("data-end"))
    text = home.client.documents.text(collection, document_id, revision=revision)
    assert mark.text_content() == text[start:end]
    return str(text[start:end])


def choose(page: Any, collection: str) -> None:
    """Ask this collection alone."""
    chip = page.get_by_role("button", name=collection, exact=True)
    chip.wait_for()
    for other in page.locator(".chip[aria-pressed=true]").all_text_contents():
        if other != collection and chip.get_attribute("aria-pressed") == "true":
            page.get_by_role("button", name=other, exact=True).click()
    if chip.get_attribute("aria-pressed") == "false":
        before = page.locator(".chip[aria-pressed=true]").all_text_contents()
        chip.click()
        for other in before:
            page.get_by_role("button", name=other, exact=True).click()
