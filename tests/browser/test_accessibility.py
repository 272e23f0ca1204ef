"""axe-core finds nothing serious on any page, light or dark; and the way to an answer needs no mouse."""

from __future__ import annotations

from typing import Any

from tests.browser.visitor import ask, choose, faults
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection

QUESTION = "How many days of paid holiday does a full-time employee get per year?"
PAGES = (
    "documents/handbook",
    "search/handbook?q=paid+holiday",
    "agents",
    "prompts",
    "records",
    "evaluations",
    "reviews",
    "reviews/compare",
    "experiments",
    "usage",
    "operations/health",
    "operations/models",
    "operations/jobs",
    "operations/tenants",
    "operations/tenants/default",
    "operations/keys",
    "operations/audit",
)


def test_the_page_that_asks_for_a_key(page: Any, home: RunningHome) -> None:
    page.goto(f"{home.base_url}/console/")
    page.get_by_label("API key").fill("gw_" + "x" * 43)
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    assert faults(page) == []


def test_the_chat_with_an_answer_its_source_and_its_receipt(signed_in: Any, handbook: Collection) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    ask(page, QUESTION)
    page.get_by_text("Receipt").click()
    page.locator(".answer .marker").first.click()
    page.locator("aside mark").wait_for()
    assert faults(page) == []


def test_the_pages(signed_in: Any, home: RunningHome, handbook: Collection) -> None:
    """All in one tab: to open one takes longer than to look at a page."""
    page, found = signed_in, dict[str, list[str]]()
    for place in PAGES:
        page.goto(f"{home.base_url}/console/#/{place}")
        page.reload()
        page.locator("main h1, main h2").first.wait_for()
        page.get_by_text("Looking …").first.wait_for(state="detached")
        if place.startswith("documents"):
            page.get_by_role("button", name="Details of Leave Policy").click()
            page.get_by_role("complementary", name="About Leave Policy").wait_for()
        if place.startswith("search"):
            page.locator('[data-way="hybrid"][data-state="done"] .hit').first.click()
            page.locator("aside mark").wait_for()
        found[place] = faults(page)
    assert not {place: wrong for place, wrong in found.items() if wrong}


def test_an_answer_and_its_source_by_keyboard_alone(signed_in: Any, handbook: Collection) -> None:
    page = signed_in
    page.reload()
    page.get_by_role("button", name="handbook", exact=True).wait_for()
    choose(page, "handbook")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copy with sources").wait_for()
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('.marker')"):
            break
    page.keyboard.press("Enter")
    page.locator("aside mark").wait_for()
    page.keyboard.press("Escape")
    page.locator("aside").wait_for(state="detached")
    assert page.evaluate("document.activeElement.matches('.marker')"), "back where it was opened"


def _tab_to(page: Any, selector: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def test_a_document_and_what_is_known_of_it_by_keyboard_alone(
    signed_in: Any, home: RunningHome, handbook: Collection
) -> None:
    page = signed_in
    page.goto(f"{home.base_url}/console/#/documents/handbook")
    page.locator("tbody tr").first.wait_for()
    for there, opened in (("td button.link", "aside pre, aside canvas"), ("td.actions button", "aside.details dl")):
        _tab_to(page, there)
        page.keyboard.press("Enter")
        page.locator(opened).first.wait_for()
        page.keyboard.press("Escape")
        page.locator("aside").wait_for(state="detached")
        assert page.evaluate("(there) => document.activeElement.matches(there)", there), "back where it was opened"


def test_a_search_and_a_passage_by_keyboard_alone(signed_in: Any, home: RunningHome, handbook: Collection) -> None:
    page = signed_in
    page.goto(f"{home.base_url}/console/#/search/handbook")
    page.get_by_label("Query", exact=True).wait_for()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    page.keyboard.type("paid holiday")
    page.keyboard.press("Enter")
    page.locator('[data-way="sparse"][data-state="done"] .hit').first.wait_for()
    _tab_to(page, ".hit")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("aside mark, aside canvas[data-boxes]").first.wait_for()
    page.keyboard.press("Escape")
    page.locator("aside").wait_for(state="detached")
    assert page.evaluate("document.activeElement.matches('.hit')"), "back where it was opened"
