"""Two answers compared blind: chosen by keys, named afterwards, counted by the server, a pair in the export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.browser.visitor import faults
from tests.support.home.stack import RunningHome

QUESTIONS = ["How many days of paid holiday are there?", "What may a hotel cost?", "Who signs for a laptop?"]
MORE = ["When does the office close?", "Is there a pension?"]
REPLIES = {"brief": "Brief says {}.", "polite": "Of course! Polite says {}."}


@pytest.fixture
def targets(http: httpx2.Client) -> Iterator[dict[str, str]]:
    """Two models by what they are: what each says is its own, by question."""
    names = {kind: f"{kind}-{uuid4().hex[:6]}" for kind in REPLIES}
    for kind, name in names.items():
        rules = [{"when": re.escape(text), "reply": REPLIES[kind].format(at)} for at, text in enumerate(QUESTIONS)]
        rules += [{"when": re.escape(MORE[0]), "reply": "At six."}, {"when": ".", "reply": REPLIES[kind].format("no")}]
        model = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": {"rules": rules}}
        http.put(f"/v1/models/{name}", json=model).raise_for_status()
    yield names
    for name in names.values():
        http.delete(f"/v1/models/{name}").raise_for_status()


@pytest.fixture
def judge(http: httpx2.Client) -> Iterator[dict[str, str]]:
    """A key whose answers are on record."""
    scopes = ["chat", "feedback:write", "feedback:review", "records:read", "evaluations:read"]
    spec = {"name": "judge", "tenant": "default", "scopes": scopes, "records": "full"}
    key = http.post("/v1/keys", json=spec).raise_for_status().json()
    yield key
    http.delete("/v1/feedback", params={"user": key["id"]}).raise_for_status()
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()


def _sign_in(page: Any, home: RunningHome, secret: str) -> None:
    page.goto(f"{home.base_url}/console/")
    page.get_by_label("API key").fill(secret)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()


def _begin(page: Any, first: str, second: str, questions: list[str]) -> None:
    form = page.get_by_role("form", name="Compare")
    form.get_by_label("First").fill(first)
    form.get_by_label("Second").fill(second)
    form.get_by_label("Questions, one a line").fill("\n".join(questions))
    form.get_by_role("button", name="Ask both").click()


def _choose(page: Any, question: str, wanted: str) -> str:
    """Choose the answer that begins so by its key; which letter it had."""
    pair = page.get_by_role("article", name="Two answers")
    pair.get_by_role("heading", name=question).wait_for()
    letter = "A" if pair.get_by_label("Answer A").locator(".answer").text_content().startswith(wanted) else "B"
    page.keyboard.press({"A": "1", "B": "2"}[letter])
    pair.get_by_text(f"{letter} was better.").wait_for()
    return letter


def _tally(page: Any, *counts: str) -> None:
    """Wait for a row of the tally that says so."""
    row = page.get_by_role("region", name="Tally").locator("tbody tr").first
    for text in counts:
        row.get_by_text(text).first.wait_for()


def test_answers_are_chosen_blind_by_keys_named_afterwards_and_counted_by_the_server(
    page: Any, home: RunningHome, http: httpx2.Client, targets: dict[str, str], judge: dict[str, str]
) -> None:
    brief, polite = targets["brief"], targets["polite"]
    _sign_in(page, home, judge["secret"])
    page.get_by_role("link", name="Reviews").click()
    page.get_by_role("link", name="Compare two answers blind").click()
    assert faults(page) == []
    _begin(page, brief, polite, QUESTIONS)
    pair = page.get_by_role("article", name="Two answers")
    pair.get_by_role("heading", name=QUESTIONS[0]).wait_for()
    drawn = pair.evaluate("element => element.outerHTML")
    assert brief not in drawn
    assert polite not in drawn
    assert faults(page) == []
    letter = _choose(page, QUESTIONS[0], "Brief")
    pair.get_by_text(f"{letter} was {brief}").or_(pair.get_by_text(f"{letter} was {brief}.")).wait_for()
    _tally(page, "1 of 1", "1 question")
    page.keyboard.press("Enter")  # the next question has the focus
    pair.get_by_role("heading", name=QUESTIONS[1]).wait_for()
    page.keyboard.press("0")
    pair.get_by_text("They were equal.").wait_for()
    page.reload()  # the tally is the server's, and what is left is asked
    _tally(page, "1 of 1", "2 questions", "beside")
    form = page.get_by_role("form", name="Compare")
    assert form.get_by_label("Questions, one a line").input_value() == QUESTIONS[2]
    form.get_by_role("button", name="Ask both").click()
    pair.get_by_role("button", name="Both bad").click()
    pair.get_by_text("Both were bad.").wait_for()
    _tally(page, "3 questions", "1 both bad")
    pair.get_by_role("button", name="Done").click()
    headers = {"Authorization": f"Bearer {judge['secret']}"}
    (counted,) = http.get("/v1/feedback/comparisons", params={"model": polite}, headers=headers).json()["data"]
    names = ("model", "other", "questions", "wins", "losses", "ties", "both_bad")
    assert [counted[name] for name in names] == [polite, brief, 3, 0, 1, 2, 1]
    lines = http.get("/v1/feedback/export", params={"format": "preference"}, headers=headers).text.splitlines()
    pairs = {(line["chosen"][0]["content"], line["rejected"][0]["content"]) for line in map(json.loads, lines)}
    assert ("Brief says 0.", "Of course! Polite says 0.") in pairs
    assert not {one for pair in pairs for one in pair} & {"Brief says 1.", "Brief says 2."}


def test_what_failed_or_is_the_same_is_not_compared_and_a_set_s_questions_are_taken(
    page: Any, home: RunningHome, http: httpx2.Client, targets: dict[str, str], judge: dict[str, str]
) -> None:
    name = f"asked-{uuid4().hex[:6]}"
    items = [{"question": text} for text in MORE]
    http.post("/v1/question-sets", json={"name": name, "items": items}).raise_for_status()
    _sign_in(page, home, judge["secret"])
    page.goto(f"{home.base_url}/console/#/reviews/compare?first={targets['brief']}&second=gone")
    form = page.get_by_role("form", name="Compare")
    form.get_by_label("Question set").select_option(name)
    form.get_by_role("button", name="Take its questions").click()
    page.wait_for_function("text => document.querySelector('form textarea').value === text", arg="\n".join(MORE))
    form.get_by_role("button", name="Ask both").click()
    pair = page.get_by_role("article", name="Two answers")
    pair.get_by_text("Not compared. gone:").wait_for()
    assert pair.get_by_role("button", name="is better").count() == 0
    page.get_by_text(f"{targets['brief']} and gone").click()
    form.get_by_label("Second").fill(targets["brief"])
    pair.get_by_role("button", name="Next question").click()
    page.get_by_role("alert").get_by_text("Choose two different targets.").wait_for()
    form.get_by_label("Second").fill(targets["polite"])
    form.get_by_label("Questions, one a line").fill(MORE[0])
    form.get_by_role("button", name="Ask both").click()
    pair.get_by_text("Not compared: both gave the same answer.").wait_for()
    page.keyboard.press("1")
    headers = {"Authorization": f"Bearer {judge['secret']}"}
    said = http.get("/v1/feedback", params={"user": judge["id"]}, headers=headers).raise_for_status().json()["data"]
    assert said == []
    http.delete(f"/v1/question-sets/{name}").raise_for_status()


AT_ONCE = """new MutationObserver((_, self) => {
  if (!document.querySelector('article[aria-label="Two answers"]')) return;
  self.disconnect();
  dispatchEvent(new KeyboardEvent("keydown", { key: "1" }));
}).observe(document.body, { childList: true, subtree: true })"""
"""Presses a key between the drawing of two answers and their first picture."""


def test_a_key_pressed_as_two_answers_appear_is_a_choice(
    page: Any, home: RunningHome, targets: dict[str, str], judge: dict[str, str]
) -> None:
    _sign_in(page, home, judge["secret"])
    page.goto(f"{home.base_url}/console/#/reviews/compare?first={targets['brief']}&second={targets['polite']}")
    page.get_by_role("form", name="Compare").wait_for()
    page.evaluate(AT_ONCE)
    _begin(page, targets["brief"], targets["polite"], QUESTIONS[:1])
    page.get_by_role("article", name="Two answers").get_by_text("A was better.").wait_for()


def test_a_key_whose_answers_are_not_on_record_hears_that_a_choice_counts_nowhere(
    page: Any, home: RunningHome, http: httpx2.Client
) -> None:
    spec = {"name": "unrecorded", "tenant": "default", "scopes": ["chat", "feedback:write"], "records": "off"}
    key = http.post("/v1/keys", json=spec).raise_for_status().json()
    _sign_in(page, home, key["secret"])
    page.get_by_role("link", name="Reviews").click()
    page.get_by_role("link", name="Compare two answers blind").click()
    page.get_by_text("nor in an export. Ask an administrator").wait_for()
    form = page.get_by_role("form", name="Compare")
    assert form.get_by_role("button", name="Ask both").is_disabled()
    http.patch(f"/v1/keys/{key['id']}", json={"records": "metadata"}).raise_for_status()
    page.reload()
    page.get_by_text("choices count in the tally, and are in no export").wait_for()
    assert form.get_by_role("button", name="Ask both").is_enabled()
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()


def test_prompts_that_take_variables_are_compared_with_what_was_typed_and_versions_are_told_apart(
    page: Any, home: RunningHome, http: httpx2.Client, targets: dict[str, str]
) -> None:
    name = f"greeting-{uuid4().hex[:6]}"
    message = {"role": "system", "content": "Be kind to {{who}}, {{times}} times."}
    variables = {"who": {}, "times": {"type": "integer", "default": 2}}
    prompt = {"name": name, "messages": [message], "variables": variables, "model": targets["brief"]}
    http.post("/v1/prompts", json=prompt).raise_for_status()
    scopes = ["chat", "agents:write", "feedback:write", "feedback:review", "records:read"]
    spec = {"name": "prompter", "tenant": "default", "scopes": scopes, "records": "full"}
    key = http.post("/v1/keys", json=spec).raise_for_status().json()
    _sign_in(page, home, key["secret"])
    page.goto(f"{home.base_url}/console/#/reviews/compare?first=prompt:{name}&second={targets['polite']}")
    form = page.get_by_role("form", name="Compare")
    form.get_by_label("Questions, one a line").fill("\n".join(QUESTIONS[:2]))
    who = form.get_by_label("who")
    who.wait_for()
    form.get_by_role("button", name="Ask both").click()
    page.get_by_role("alert").get_by_text("Fill in “who”").wait_for()
    assert form.get_by_label("Questions, one a line").input_value().splitlines() == QUESTIONS[:2]
    who.fill("Ann")
    form.get_by_role("button", name="Ask both").click()
    _choose(page, QUESTIONS[0], "Brief")
    _tally(page, "1 of 1", "1 question")
    page.get_by_role("button", name="Next question").click()
    _choose(page, QUESTIONS[1], "Brief")
    _tally(page, "2 of 2", "2 questions")
    tally = page.get_by_role("region", name="Tally")
    tally.get_by_label("Tell versions apart").check()
    _tally(page, f"{name}@1")
    tally.get_by_label("Chosen").select_option("Today")
    _tally(page, f"{name}@1", "2 of 2")
    assert faults(page) == []
    page.reload()
    assert who.input_value() == "Ann"
    headers = {"Authorization": f"Bearer {key['secret']}"}
    records = http.get("/v1/records", params={"model": f"prompt:{name}"}, headers=headers).json()["data"]
    shown = http.get(f"/v1/records/{records[0]['id']}", headers=headers).json()
    assert shown["parameters"]["groundwork"] == {"variables": {"who": "Ann"}}
    http.delete("/v1/feedback", params={"user": key["id"]}, headers=headers).raise_for_status()
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()
    http.delete(f"/v1/prompts/{name}").raise_for_status()
