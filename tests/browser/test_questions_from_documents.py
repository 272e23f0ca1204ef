"""Questions made from the sample handbook, each reviewed beside its passage before it is in the set."""

from __future__ import annotations

from typing import Any

import httpx2
from tests.browser.visitor import faults
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

from contracts.retrieval.collections import Collection

SET = "made-in-the-console"
MINUTES = 10 * 60_000


def _review(page: Any, items: Any) -> tuple[str, str]:
    """Accept one, correct one, reject one; which was accepted and which rejected."""
    first = items.nth(0)
    kept = first.locator("b").text_content()
    assert first.locator("blockquote").text_content()
    assert faults(page) == []
    first.get_by_role("button", name="Accept").click()
    until(lambda: items.count() == 16, "the accepted one is gone")
    second = items.nth(0)
    second.get_by_role("button", name="Correct").click()
    corrected = page.get_by_role("form", name="Correct a question")
    assert page.evaluate("document.activeElement.name") == "question", "what is typed next belongs to it"
    corrected.get_by_label("Question").fill("What was corrected by hand?")
    corrected.get_by_role("button", name="Accept as corrected").click()
    until(lambda: items.count() == 15, "the corrected one is gone")
    rejected = items.nth(0).locator("b").text_content()
    items.nth(0).get_by_role("button", name="Reject").click()
    until(lambda: items.count() == 14, "the rejected one is gone")
    return kept, rejected


def test_questions_are_made_of_documents_reviewed_and_saved(
    signed_in: Any, home: RunningHome, http: httpx2.Client, handbook: Collection
) -> None:
    page = signed_in
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{home.base_url}/console/#/evaluations/generate")
    form = page.get_by_role("form", name="Questions from documents")
    form.get_by_label("Collection").select_option(handbook.name)
    form.get_by_label("Question set").fill(SET)
    form.get_by_label("Questions that the documents answer").fill("16")
    form.get_by_label("no document answers").fill("1")
    form.get_by_label("Split").fill("test")
    assert faults(page) == []
    form.get_by_role("button", name="Make questions").click()
    page.locator('[data-state="completed"]').wait_for(timeout=MINUTES)
    items = page.locator("[data-number]")
    until(lambda: items.count() == 17, "all are there, with a near miss")
    kept, rejected = _review(page, items)
    page.get_by_role("button", name="Save 2 questions").click()
    page.get_by_label("What it holds").wait_for()
    saved = http.get(f"/v1/question-sets/{SET}/versions/1/items").json()["data"]
    assert {one["question"] for one in saved} == {kept, "What was corrected by hand?"}
    assert {one["split"] for one in saved} == {"test"}
    page.locator("[data-generation] a").click()
    page.get_by_role("combobox", name="Questions").select_option("rejected")
    page.locator("[data-number] b").get_by_text(rejected, exact=True).wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("heading", name=SET).wait_for()
    http.delete(f"/v1/question-sets/{SET}").raise_for_status()


def test_a_run_that_fails_says_why_and_what_it_made_until_then_is_there(
    signed_in: Any, home: RunningHome, http: httpx2.Client, handbook: Collection
) -> None:
    page = signed_in
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{home.base_url}/console/#/evaluations/generate?set=anything")
    form = page.get_by_role("form", name="Questions from documents")
    form.get_by_label("Collection").select_option(handbook.name)
    form.get_by_label("Worded, where no rule does it, by").fill("no-such-model")
    form.get_by_role("button", name="Make questions").click()
    page.locator('[data-state="failed"]').wait_for(timeout=MINUTES)
    page.get_by_text("The model `no-such-model` does not exist").wait_for()
    made = http.get("/v1/question-sets/anything/generations").json()["data"][0]["states"].get("proposed", 0)
    until(lambda: page.locator("[data-number]").count() == made, "all that it made is there")
    page.get_by_role("button", name="Delete", exact=True).click()
    until(lambda: not http.get("/v1/question-sets/anything/generations").json().get("data"), "it is deleted")
