"""The page of records: what was asked is found, opened with all that is known of it, and deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.browser.visitor import faults
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

from contracts.retrieval.collections import Collection

KNOWN = "How many days of paid holiday are there in a year for a full-time employee?"
UNKNOWN = "What is the boiling point of tungsten?"


@pytest.fixture
def recorded(home: RunningHome, http: httpx2.Client, handbook: Collection) -> Iterator[tuple[str, str]]:
    """The ids of an answer and of an abstention, recorded for the tenant of whoever is signed in."""
    tenant = http.get("/v1/me").json()["tenant"]
    body = {"name": "recorded", "tenant": tenant, "scopes": ["chat"], "records": "full"}
    key = http.post("/v1/keys", json=body).json()
    ids = []
    for question in (KNOWN, UNKNOWN):
        asked = {"model": f"rag:{handbook.name}", "messages": [{"role": "user", "content": question}], "user": "jo"}
        answer = http.post("/v1/chat/completions", json=asked, headers={"Authorization": f"Bearer {key['secret']}"})
        ids.append(answer.raise_for_status().json()["id"])
    until(lambda: all(http.get(f"/v1/records/{one}").status_code == 200 for one in ids), "two records")
    yield ids[0], ids[1]
    http.delete("/v1/records", params={"user": "jo"}).raise_for_status()
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()


def test_questions_that_nothing_answered_are_a_choice_and_words_find_an_answer(
    signed_in: Any, recorded: tuple[str, str]
) -> None:
    page = signed_in
    page.get_by_role("link", name="Records").click()
    page.get_by_role("link", name=UNKNOWN).wait_for()
    page.get_by_role("link", name=KNOWN).wait_for()
    page.get_by_label("How it ended").select_option("abstained")
    page.get_by_role("link", name=KNOWN).wait_for(state="detached")
    page.get_by_role("link", name=UNKNOWN).wait_for()
    page.reload()  # the address holds the choice
    page.get_by_text("what to add to them").wait_for()
    page.get_by_label("How it ended").select_option("")
    words = page.get_by_label("Words of question or answer")
    words.fill("PAID holiday ")
    page.get_by_role("link", name=UNKNOWN).wait_for(state="detached")
    page.get_by_role("link", name=KNOWN).wait_for()
    assert words.input_value() == "PAID holiday ", "what comes of it never changes what is being typed"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_record_shows_the_answer_its_passages_and_how_it_was_made_and_can_be_deleted(
    signed_in: Any, home: RunningHome, http: httpx2.Client, recorded: tuple[str, str], width: int
) -> None:
    page, (answered, _) = signed_in, recorded
    record = http.get(f"/v1/records/{answered}").json()
    said = {"answer_id": answered, "user": "ann", "rating": "down", "labels": ["incorrect"], "correction": "All year."}
    http.post("/v1/feedback", json=said).raise_for_status()
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{home.base_url}/console/#/records/{answered}")
    page.get_by_role("heading", name=KNOWN).wait_for()
    page.locator(".answer .marker").first.click()
    cited = next(hit for hit in record["hits"] if hit["cited"])
    page.locator("details[open] .said").get_by_text(cited["text"][:40]).first.wait_for()
    page.get_by_text(record["request_id"], exact=True).wait_for()
    page.get_by_role("region", name="What people said").get_by_text("incorrect · → All year.").wait_for()
    receipt = page.get_by_role("region", name="How it was made").locator(".receipt")
    assert receipt.locator(".stages li").count() == len(record["receipt"]["stages"]) > 0
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width == 390:
        return
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("heading", name="Records", exact=True).wait_for()
    assert http.get(f"/v1/records/{answered}").status_code == 404


def test_what_was_asked_is_kept_as_a_question_and_asked_once_more_of_something_else(
    signed_in: Any, home: RunningHome, handbook: Collection, recorded: tuple[str, str]
) -> None:
    page, (answered, silent) = signed_in, recorded
    page.goto(f"{home.base_url}/console/#/records/{silent}")
    page.get_by_role("button", name="Save: no document answers it").click()
    page.get_by_role("button", name="Download 1 question").wait_for()
    page.goto(f"{home.base_url}/console/#/records/{answered}")
    page.get_by_role("heading", name=KNOWN).wait_for()
    page.get_by_role("button", name="answers it").first.click()
    page.get_by_role("button", name="Download 2 questions").wait_for()
    saved = page.evaluate("Object.entries(localStorage).find(([name]) => name.endsWith('.handbook'))[1]")
    assert [(one["question"], one["answerable"]) for one in json.loads(saved)] == [(UNKNOWN, False), (KNOWN, True)]

    again = page.get_by_role("region", name="Try again with …")
    assert again.get_by_label("Model").input_value() == f"rag:{handbook.name}"
    again.get_by_role("button", name="Ask again").click()
    again.locator(".answer .marker").first.click()
    again.get_by_text("27 days").first.wait_for()
    again.get_by_label("Model").fill("rag:nowhere")
    again.get_by_role("button", name="Ask again").click()
    again.locator(".problem").get_by_text("nowhere").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_administrator_switches_recording_on_where_nothing_is_recorded_and_any_answer_becomes_a_question(
    signed_in: Any, http: httpx2.Client
) -> None:
    page, tenant = signed_in, http.get("/v1/me").json()["tenant"]
    for left in http.get("/v1/records", params={"limit": 100}).json()["data"]:  # by tests of other pages
        http.delete(f"/v1/records/{left['id']}").raise_for_status()
    assert http.get("/v1/records").json()["data"] == []
    page.get_by_role("link", name="Records").click()
    page.get_by_text("There are none yet.").wait_for()
    form = page.get_by_role("form", name="Recording")
    form.get_by_label("is kept").select_option("full")
    form.get_by_label("days").fill("7")
    form.get_by_role("button", name="Save").click()
    page.get_by_text("Recording: full, kept 7 days").wait_for()
    assert faults(page) == []
    asked = {"model": "smollm2", "messages": [{"role": "user", "content": UNKNOWN}], "max_tokens": 5, "user": "jo"}
    http.post("/v1/chat/completions", json=asked).raise_for_status()
    until(lambda: http.get("/v1/records").json()["data"], "a record")
    page.get_by_role("button", name="Read again").click()
    page.get_by_role("link", name=UNKNOWN).click()
    page.get_by_role("button", name="Save as question").click()
    page.get_by_role("button", name="Add to question set “smollm2”").wait_for()
    assert page.locator(".receipt").get_by_text("smollm2").first.is_visible()
    page.get_by_role("link", name="All records").click()
    page.get_by_text("Recording: full, kept 7 days").click()
    page.get_by_role("form", name="Recording").get_by_label("is kept").select_option("off")
    page.get_by_role("form", name="Recording").get_by_role("button", name="Save").click()
    page.get_by_text("Recording: off").wait_for()
    assert http.get(f"/v1/tenants/{tenant}").json()["records"] == "off"
    http.delete("/v1/records", params={"user": "jo"}).raise_for_status()
