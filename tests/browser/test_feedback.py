"""Saying what an answer was worth, and judging others' answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.browser.visitor import ask, choose
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

from contracts.retrieval.collections import Collection

QUESTION = "How many days of paid holiday does a full-time employee get per year?"
ASKED = "How many days of paid annual leave does a full-time employee receive per calendar year?"
"""In no other test, whose answers to it would be on record, too."""
QUEUED = 100
"""Ratings that are read at once to be queued."""
LISTED = 50
CORRECTION = "Twenty-eight days, of which five may be taken over."


@pytest.fixture
def recorded(home: RunningHome, http: Any) -> Iterator[None]:
    """Answers are on record until the test ends."""
    assert http.patch("/v1/tenants/default", json={"records": "full"}).status_code == 200
    yield
    http.patch("/v1/tenants/default", json={"records": "off"})


def _said(http: Any, **asked: Any) -> list[dict[str, Any]]:
    return list(http.get("/v1/feedback", params={"mine": "false", "limit": 200, **asked}).json()["data"])


def test_an_answer_is_rated_corrected_and_its_wrong_source_is_named(
    signed_in: Any, home: RunningHome, http: Any, handbook: Collection
) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    ask(page, QUESTION)
    page.get_by_role("button", name="Bad answer").click()
    form = page.get_by_role("form", name="What was good or bad")
    form.get_by_label("incorrect", exact=True).check()
    form.get_by_role("group", name="Wrong sources").get_by_role("checkbox").first.check()
    form.get_by_label("What should it have said?").fill(CORRECTION)
    form.get_by_role("button", name="Send").click()
    page.get_by_text("What you said is kept.").wait_for()
    of_answer, of_citation = sorted(_said(http)[:2], key=lambda one: one["part"] is not None)
    assert (of_answer["rating"], of_answer["labels"], of_answer["correction"]) == ("down", ["incorrect"], CORRECTION)
    assert (of_citation["part"], of_citation["labels"]) == ({"sentence": None, "citation": 0}, ["wrong_source"])
    page.wait_for_function("() => location.hash.startsWith('#/chat/thread_')")
    page.reload()
    page.locator('button[aria-label="Bad answer"][aria-pressed="true"]').wait_for()
    page.get_by_role("button", name="Correct").click()
    page.get_by_label("What should it have said?").wait_for()
    assert page.get_by_label("What should it have said?").input_value() == CORRECTION
    page.get_by_role("button", name="Good answer").click()
    page.locator('button[aria-label="Good answer"][aria-pressed="true"]').wait_for()
    assert _said(http, answer_id=of_answer["answer_id"], rating="up")[0]["id"] == of_answer["id"]


def test_what_was_rated_down_is_queued_judged_and_exported(
    recorded: None, signed_in: Any, home: RunningHome, http: Any, handbook: Collection
) -> None:
    page = signed_in
    page.reload()
    choose(page, "handbook")
    ask(page, ASKED)
    page.get_by_role("button", name="Good answer").wait_for()
    until(lambda: http.get("/v1/records", params={"q": ASKED}).json()["data"], "the answer on record")
    answer_id = http.get("/v1/records", params={"q": ASKED}).json()["data"][0]["id"]
    for number in (None, *range(QUEUED)):  # what nobody recorded is newer, and more than is read at once
        said = {"answer_id": f"chatcmpl_away{number}" if number is not None else answer_id, "rating": "down"}
        http.post("/v1/feedback", json={**said, "user": "ann"}).raise_for_status()
    page.get_by_role("link", name="Reviews").click()
    feedback = page.get_by_role("region", name="Feedback")
    feedback.get_by_role("button", name="Show older ones").click()
    feedback.get_by_text(f"chatcmpl_away{QUEUED - LISTED - 1}", exact=True).wait_for()
    feedback.get_by_role("button", name="Show older ones").click()
    link = feedback.get_by_role("link", name=ASKED).first
    link.wait_for()
    assert link.get_attribute("href").endswith(f"/records/{answer_id}")
    page.get_by_role("button", name="Queue what was rated down").click()
    page.get_by_text("1 answer added").wait_for()
    page.get_by_role("button", name="Take the next answer").click()
    judged = page.get_by_role("article", name="An answer to judge")
    judged.get_by_role("heading", name=ASKED).wait_for()
    judged.locator(".marker").first.click()
    page.locator("aside mark").wait_for()
    judged.get_by_role("button", name="Correct").click()
    judged.get_by_label("What should it have said?").fill(CORRECTION)
    judged.get_by_role("button", name="Send").click()
    page.get_by_text("What you said is kept.").wait_for()
    judged.get_by_role("button", name="Done").click()
    page.get_by_text("Nothing is left for you to judge.").wait_for()
    lines = http.get("/v1/feedback/export", params={"format": "preference"}).text.splitlines()
    http.delete("/v1/feedback", params={"user": "ann"}).raise_for_status()
    assert CORRECTION in {json.loads(line)["chosen"][0]["content"] for line in lines}
