"""The page of agents: made, run, decided on and followed as a person does it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx2
import pytest
from tests.browser.visitor import faults
from tests.support.home.stack import RunningHome

ANSWER = "It is <b>48</b><img src=x onerror=alert(1)>."
CALL = json.dumps({"name": "calculator", "arguments": {"expression": "6 * 7"}})
RULES = [
    {"when": "person rejected", "reply": "Then I can't say."},
    {"when": r"\b(42|48)\b", "reply": ANSWER},
    {"when": ".", "reply": CALL},
]


@pytest.fixture
def caller(http: httpx2.Client) -> Iterator[str]:
    """A model that calls the calculator, then says what came of it."""
    body = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": {"rules": RULES}}
    http.put("/v1/models/calling", json=body).raise_for_status()
    yield "calling"
    http.delete("/v1/models/calling").raise_for_status()


def _make(page: Any, name: str, model: str) -> None:
    page.get_by_role("link", name="Agents", exact=True).click()
    page.get_by_role("button", name="New agent").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("combobox", name="Model").locator(f"option:text-is('{model}')").wait_for(state="attached")
    page.get_by_role("combobox", name="Model").select_option(model)
    page.get_by_label("Instructions").fill("Multiply.\nSay what came of it.")
    page.get_by_role("checkbox", name="calculator computes exactly").check()
    page.get_by_label("Ask before calculator").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name=name, exact=True).wait_for()


def _run(page: Any, name: str, text: str) -> None:
    page.get_by_label(f"Ask {name}").fill(text)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="A call waits for your decision").wait_for()


@pytest.mark.parametrize("width", [390, 1280])
def test_an_agent_is_made_run_and_decided_on_and_its_timeline_is_what_the_api_says(
    signed_in: Any, http: httpx2.Client, caller: str, width: int
) -> None:
    page, name = signed_in, f"reckoner-{width}"
    page.set_viewport_size({"width": width, "height": 844})
    _make(page, name, caller)
    _run(page, name, "How much is 6 times 7?")
    page.get_by_label("Arguments of calculator").fill('{"expression": "6 * 8"}')
    page.get_by_label("Approve as edited").check()
    page.get_by_role("button", name="Go on with this").click()
    page.locator('.run [data-status="completed"]').wait_for()
    assert "48" in page.locator(".output").text_content()
    assert page.locator(".run img, .run script, .output b").count() == 0
    thread, run = re.search(r"thread=([\w-]+)&run=([\w-]+)", page.url).groups()  # type: ignore[union-attr]
    api = http.get(f"/v1/threads/{thread}/runs/{run}").json()
    assert page.locator(".output").text_content() == api["output"]
    assert page.locator(".timeline .step").count() == api["steps"] == 2
    page.locator('[data-call="calculator"] summary').click()
    assert "48" in page.locator('[data-call="calculator"] pre').last.text_content()
    page.get_by_text("approved as edited").wait_for()
    assert faults(page) == []
    page.reload()  # changes nothing
    page.locator('[data-call="calculator"][data-state="done"]').wait_for()
    assert page.locator(".timeline .step").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_call_is_rejected_with_a_word_for_the_model_and_the_run_is_in_the_list(signed_in: Any, caller: str) -> None:
    page = signed_in
    _make(page, "asker", caller)
    _run(page, "asker", "How much is 6 times 9?")
    page.get_by_label("Arguments of calculator").fill("{no JSON")
    page.get_by_label("Approve as edited").check()
    page.get_by_role("button", name="Go on with this").click()
    page.get_by_role("alert").get_by_text("are no JSON").wait_for()
    page.get_by_label("Reject", exact=True).check()
    page.get_by_label("What the model is told").fill("Not today.")
    page.get_by_role("button", name="Go on with this").click()
    page.locator('.run [data-status="completed"]').wait_for()
    assert page.locator(".output").text_content() == "Then I can't say."
    page.get_by_role("link", name="All agents").click()
    row = page.locator(".rows a", has_text="How much is 6 times 9?")
    row.locator('[data-status="completed"]').wait_for()
    row.click()
    page.locator(".output").wait_for()
    page.get_by_text("Run it again").click()
    again = page.get_by_label("Run again, on a new thread")
    assert again.input_value() == "How much is 6 times 9?"
    again.fill("How much is 8 times 9?")
    again.press("Enter")
    page.get_by_role("heading", name="How much is 8 times 9?").wait_for()


def test_a_run_is_replayed_after_a_step_on_a_thread_of_its_own(
    signed_in: Any, http: httpx2.Client, caller: str
) -> None:
    page = signed_in
    _make(page, "repeater", caller)
    _run(page, "repeater", "How much is 6 times 7?")
    assert page.get_by_text("Replay from here").count() == 0, "it is under way"
    page.get_by_label("Approve", exact=True).check()
    page.get_by_role("button", name="Go on with this").click()
    page.locator('.run [data-status="completed"]').wait_for()
    thread, first = re.search(r"thread=([\w-]+)&run=([\w-]+)", page.url).groups()  # type: ignore[union-attr]
    step, answer = page.locator('[data-step="1"]'), page.locator('[data-step="2"] textarea')
    assert answer.get_attribute("required") is not None, "after the answer there must be something to say"
    assert step.locator("textarea").get_attribute("required") is None
    step.get_by_text("Replay from here").click()
    step.get_by_label("Say this after step 1").fill("Say 42 again.")
    step.get_by_role("button", name="Replay").click()
    page.get_by_role("heading", name="Say 42 again.").wait_for()
    page.locator('.run [data-status="completed"]').wait_for()
    assert page.locator(".timeline .step").count() == 1
    assert page.locator("[data-call]").count() == 0, "what was called until then is not called again"
    there, second = re.search(r"thread=([\w-]+)&run=([\w-]+)", page.url).groups()  # type: ignore[union-attr]
    shown = http.get(f"/v1/threads/{there}/runs/{second}").json()
    assert (there != thread, shown["replayed_from"]) == (True, {"thread_id": thread, "run_id": first, "after": 1})
    page.get_by_role("link", name="another run").click()
    page.locator('[data-call="calculator"][data-state="done"]').wait_for()
    page.locator('[data-mark="run.queued"]').get_by_text("Replay from here").click()
    page.get_by_label("Ask this instead").fill("How much is 9 times 9?")
    page.get_by_role("button", name="Replay").first.click()
    page.get_by_role("heading", name="How much is 9 times 9?").wait_for()
    page.get_by_role("heading", name="A call waits for your decision").wait_for()


def test_a_run_whose_events_were_pruned_shows_the_steps_that_its_thread_keeps_and_says_so(
    signed_in: Any, home: RunningHome, http: httpx2.Client, caller: str
) -> None:
    page = signed_in
    _make(page, "old-timer", caller)
    _run(page, "old-timer", "How much is 6 times 7?")
    page.get_by_label("Approve", exact=True).check()
    page.get_by_role("button", name="Go on with this").click()
    page.locator('.run [data-status="completed"]').wait_for()
    run = re.search(r"run=([\w-]+)", page.url).group(1)  # type: ignore[union-attr]
    with closing(sqlite3.connect(home.home.data("agent") / "agent.sqlite")) as database, database:
        assert database.execute("DELETE FROM run_events WHERE run_id = ?", [run]).rowcount > 0  # as retention does
    page.reload()
    page.get_by_role("note").get_by_text("events were pruned").wait_for()
    assert page.locator(".timeline .step").count() == 2
    call = page.locator('[data-step="1"] [data-call="calculator"][data-state="kept"]')
    call.locator("summary").click()
    assert [json.loads(call.locator("pre").first.text_content()), call.locator("pre").last.text_content()] == [
        {"expression": "6 * 7"}, "42",
    ]  # fmt: skip
    assert page.locator('[data-step="2"] .said').text_content() == page.locator(".output").text_content()
    assert page.locator(".timeline").get_attribute("aria-busy") == "false"
    assert page.get_by_text("Replay from here").count() == 3, "at its beginning and after each step"


def test_a_waiting_run_is_cancelled(signed_in: Any, caller: str) -> None:
    page = signed_in
    _make(page, "stopper", caller)
    _run(page, "stopper", "How much is 7 times 7?")
    page.get_by_role("button", name="Cancel the run").click()
    page.locator('.run [data-status="cancelled"]').wait_for()
    assert page.get_by_role("button", name="Cancel the run").count() == 0
    page.get_by_label("Go on in this thread").wait_for()


def test_runs_are_those_of_the_status_that_is_chosen_however_late_another_reply_is(signed_in: Any, caller: str) -> None:
    page = signed_in
    late: list[Any] = []
    _make(page, "sorter", caller)
    _run(page, "sorter", "How much is 5 times 7?")
    page.get_by_role("button", name="Cancel the run").click()
    page.locator('.run [data-status="cancelled"]').wait_for()
    page.get_by_role("link", name="← sorter").click()
    page.locator('.rows [data-status="cancelled"]').wait_for()
    page.route("**/v1/runs?*status=cancelled*", lambda route: late.append(route))
    with page.expect_request("**/v1/runs?*status=cancelled*"):
        page.get_by_label("Status").select_option("cancelled")
    page.get_by_label("Status").select_option("failed")
    page.get_by_text("None is like that.").wait_for()
    with page.expect_response("**/v1/runs?*status=cancelled*") as reply:
        late[0].continue_()
    reply.value.finished()
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert page.locator(".rows a").count() == 0


def test_a_changed_definition_is_a_version_and_what_changed_is_told_without_colour(
    signed_in: Any, http: httpx2.Client
) -> None:
    page = signed_in
    body = {
        "name": "editor",
        "instructions": "Be short.\nBe kind.",
        "tools": ["calculator"],
        "limits": {"steps": 7},
        "model": "default",
        "allow_weak_model": True,
    }
    http.post("/v1/agents", json=body).raise_for_status()
    page.get_by_role("link", name="Agents", exact=True).click()
    page.get_by_role("link", name="editor").click()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Instructions").fill("Be short.\nBe exact.")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("What changed between versions").click()
    page.locator('[data-change="+"]').wait_for()
    assert page.locator('[data-change="-"]').all_text_contents() == ["removed:   Be kind.\n"]
    assert page.locator('[data-change="+"]').all_text_contents() == ["added:   Be exact.\n"]
    newest = http.get("/v1/agents/editor").json()
    assert (newest["version"], newest["limits"]["steps"], newest["tools"]) == (2, 7, [{"type": "calculator"}])
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_role("heading", name="Agents", exact=True).wait_for()
    assert page.get_by_role("link", name="editor").count() == 0


def test_an_empty_tenant_a_missing_run_and_a_key_without_the_scope_are_told_what_to_do(
    page: Any, home: RunningHome
) -> None:
    made = home.client.keys.create("runs", tenant="no-agents", scopes=["agents"])
    page.goto(f"{home.base_url}/console/#/agents")
    page.get_by_label("API key").fill(made.secret)
    page.keyboard.press("Enter")
    page.get_by_text("There are none yet").wait_for()
    assert page.get_by_role("button", name="New agent").count() == 0
    page.goto(f"{home.base_url}/console/#/agents/gone?thread=thr_none&run=run_none")
    page.get_by_role("alert").wait_for()
