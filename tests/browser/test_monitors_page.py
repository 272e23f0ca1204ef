"""Live answers: a monitor is made by clicks, what fell is shown, and its worst answers lead to their records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.browser.pictures import take
from tests.browser.visitor import faults
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

CALLS = 40
AWAY = {"error": {"type": "unavailable", "code": "not_ready", "message": "lab can't be reached."}}


@pytest.fixture
def disliked(http: httpx2.Client) -> Iterator[str]:
    """A model whose answers are on record, and liked by nobody."""
    body = {"kind": "chat", "engine": "scripted", "context_length": 4000, "source": {}}
    http.put("/v1/models/dull", json=body).raise_for_status()
    spec = {"name": "watched", "tenant": "default", "scopes": ["chat"], "records": "metadata"}
    key = http.post("/v1/keys", json=spec).raise_for_status().json()
    headers = {"Authorization": f"Bearer {key['secret']}"}
    for number in range(CALLS):
        question = {"model": "dull", "messages": [{"role": "user", "content": f"Question {number}"}]}
        answer = http.post("/v1/chat/completions", json=question, headers=headers).raise_for_status().json()["id"]
        said = {"answer_id": answer, "rating": "down"}
        http.post("/v1/feedback", json=said, headers=headers).raise_for_status()
    yield "dull"
    http.delete("/v1/monitors/dull-answers")
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()
    http.delete("/v1/models/dull").raise_for_status()


def test_a_monitor_shows_what_fell_and_its_worst_records_while_the_lab_is_away(
    signed_in: Any, home: RunningHome, http: httpx2.Client, disliked: str
) -> None:
    page = signed_in
    page.route("**/v1/question-sets?*", lambda route: route.fulfill(status=503, json=AWAY))
    page.goto(f"{home.base_url}/console/#/evaluations/monitors")
    form = page.get_by_role("form", name="New monitor")
    form.get_by_role("textbox", name="Name", exact=True).fill("dull-answers")
    form.get_by_label("Model, rag:COLLECTION").fill(disliked)
    assert faults(page) == []
    form.get_by_role("button", name="Watch").click()
    waits = page.locator('[data-metric="rating"][data-state="waiting"]')
    waits.get_by_text("for a baseline").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("There are no monitors yet.").wait_for()

    wanted = {"name": "dull-answers", "model": disliked, "metrics": {"rating": 0.9}}
    http.post("/v1/monitors", json=wanted).raise_for_status()
    until(lambda: bool(http.get("/v1/monitors/dull-answers").json()["falls"]), "a look at the monitors")
    page.reload()
    page.locator('[data-monitor="dull-answers"]').get_by_text("fallen").wait_for()
    page.get_by_role("link", name="dull-answers").click()
    page.locator('[data-fall="rating"]').get_by_text("fell to 0.0 % where 90.0 % was expected").wait_for()
    page.locator('[data-metric="rating"][data-state="fallen"] svg.whisker').wait_for()
    worst = page.locator("tr[data-record]")
    worst.nth(19).wait_for()
    take(page, "live-answers")
    assert faults(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 800})
    record = worst.first.get_attribute("data-record")
    worst.first.get_by_role("link").click()
    page.wait_for_url(f"**/#/records/{record}")
