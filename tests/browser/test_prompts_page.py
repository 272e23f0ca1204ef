"""The page of prompts: written with variables, saved as versions, compared, tried beside each other, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest
from tests.browser.visitor import faults
from tests.support.home.stack import RunningHome

KNOWN = "How many days of paid holiday are there in a year for a full-time employee?"
POLICY = "# Leave\n\nA full-time employee has 27 days of paid holiday in a year.\n"
FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture
def model(http: httpx2.Client) -> Iterator[str]:
    """A model that says whom it was told to greet."""
    name = f"greeter-{uuid4().hex[:6]}"
    rules = [{"when": "Greet Ann in one word", "reply": "Hi!"}, {"when": "Greet Ann", "reply": "A very good day, Ann."}]
    body = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": {"rules": rules}}
    http.put(f"/v1/models/{name}", json=body).raise_for_status()
    yield name
    http.delete(f"/v1/models/{name}").raise_for_status()


@pytest.fixture
def greeting(http: httpx2.Client, model: str) -> Iterator[str]:
    """A prompt with two versions, the first of which is in production."""
    name = f"greeting-{uuid4().hex[:6]}"
    for text in ("Greet {{who}}.", "Greet {{who}} in one word."):
        body = {
            "name": name,
            "model": model,
            "messages": [{"role": "system", "content": text}],
            "variables": {"who": {}},
        }
        http.post("/v1/prompts", json=body).raise_for_status()
    yield name
    http.delete(f"/v1/prompts/{name}").raise_for_status()


@pytest.fixture(scope="module")
def policy(home: RunningHome) -> Iterator[str]:
    """A collection of one short document: the packaged model has read it soon."""
    name = f"policy-{uuid4().hex[:6]}"
    home.client.collections.ensure(name)
    home.client.jobs.wait(home.client.documents.add_text(name, POLICY, title="Leave").job.id)
    yield name
    home.client.collections.delete(name)


def _open(page: Any, home: RunningHome, name: str) -> None:
    page.goto(f"{home.base_url}/console/#/prompts/{name}")
    page.get_by_role("heading", name=name, exact=True).wait_for()


def _label(http: httpx2.Client, name: str, label: str) -> int | None:
    labels = http.get(f"/v1/prompts/{name}").json()["labels"]
    return next((each["version"] for each in labels if each["label"] == label), None)


def test_a_prompt_is_written_previewed_and_saved_by_keyboard(signed_in: Any, http: httpx2.Client, model: str) -> None:
    page, name = signed_in, f"typed-{uuid4().hex[:6]}"
    page.get_by_role("link", name="Prompts").click()
    page.get_by_role("button", name="New prompt").press("Enter")
    page.keyboard.type(name)  # the form has taken the focus
    page.get_by_role("combobox", name="Model").select_option(model)
    page.get_by_label("Text of message 1").fill("Greet {{who}} in {{ language }}, not in \\{{braces}}.")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").get_by_text("'who' is not among the prompt's variables").wait_for()
    page.get_by_role("button", name="Declare who").press("Enter")
    page.get_by_role("button", name="Declare language").press("Enter")
    language = page.get_by_role("group", name="Variable language")
    language.get_by_label("must be given").uncheck()
    language.get_by_label("Default").fill("English")
    page.get_by_text("Preview").click()
    page.get_by_role("button", name="Fill it").click()
    page.get_by_role("alert").get_by_text("Give a value for who").wait_for()
    assert faults(page) == []
    page.locator(".values").get_by_label("who").fill("{{language}}")
    page.get_by_role("button", name="Fill it").click()
    shown = page.locator("[data-filled] pre")
    assert shown.text_content() == "Greet {{language}} in English, not in {{braces}}.", "a value is never read again"
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name=name, exact=True).wait_for()
    saved = http.get(f"/v1/prompts/{name}").json()
    assert saved["variables"]["who"]["default"] is None
    assert saved["variables"]["language"]["default"] == "English"
    rendered = http.post(f"/v1/prompts/{name}/render", json={"variables": {"who": "{{language}}"}}).json()
    assert rendered["messages"][0]["content"] == "Greet {{language}} in English, not in {{braces}}."
    http.delete(f"/v1/prompts/{name}").raise_for_status()


def test_an_edit_is_a_version_that_a_label_and_a_rollback_put_into_and_out_of_production(
    signed_in: Any, home: RunningHome, http: httpx2.Client, greeting: str
) -> None:
    page = signed_in
    _open(page, home, greeting)
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Text of message 1").fill("Greet {{who}} warmly.")
    page.get_by_label("Label for this version").fill("candidate")
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Version 3 of").get_by_text("Greet {{who}} warmly.").wait_for()
    assert (_label(http, greeting, "candidate"), _label(http, greeting, "production")) == (3, 1)
    page.get_by_text("What changed between versions").click()
    page.locator('.diff [data-change="+"]').get_by_text("Greet {{who}} warmly.").wait_for()
    page.locator("details.versions").get_by_label("From").select_option("1")
    page.locator('.diff [data-change="-"]').get_by_text("Greet {{who}}.").wait_for()
    production = page.locator('[data-label-name="production"]')
    production.get_by_label("Version for production").select_option("3")
    production.get_by_role("button", name="Move production").click()
    page.get_by_text(f"production of {greeting} is version 3 now.").wait_for()
    production.get_by_role("button", name="Roll production back to version 1").click()
    page.get_by_text(f"production of {greeting} is version 1 now.").wait_for()
    assert faults(page) == []
    assert _label(http, greeting, "production") == 1
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(FITS)


def test_a_protected_label_says_which_scope_moves_it(
    page: Any, home: RunningHome, http: httpx2.Client, greeting: str
) -> None:
    body = {"name": "writer", "tenant": http.get("/v1/me").json()["tenant"], "scopes": ["chat", "agents:write"]}
    key = http.post("/v1/keys", json=body).json()
    page.goto(f"{home.base_url}/console/")
    page.get_by_label("API key").fill(key["secret"])
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
    _open(page, home, greeting)
    page.get_by_role("button", name="Move production").click()
    page.get_by_role("alert").get_by_text("needs a key with the scope 'prompts:release'").wait_for()
    page.get_by_label("New label", exact=True).last.fill("mine")
    page.get_by_role("button", name="Add the label").click()
    page.locator('[data-label-name="mine"]').wait_for()
    assert (_label(http, greeting, "production"), _label(http, greeting, "mine")) == (1, 2)
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()


def test_two_versions_answer_side_by_side_and_what_one_can_t_is_said_in_its_place(
    signed_in: Any, home: RunningHome, greeting: str
) -> None:
    page = signed_in
    _open(page, home, greeting)
    form = page.get_by_role("form", name="Try it")
    form.get_by_role("button", name="Try it").click()
    page.locator('.tried [data-side="1"] .problem').get_by_text("'who' is missing").wait_for()
    form.get_by_label("who").fill("Ann")
    form.get_by_label("Questions, one a line").fill("Go.\nAgain.")
    form.get_by_label("First").select_option("1")
    form.get_by_label("Second").select_option("2")
    form.get_by_role("button", name="Try it").click()
    form.get_by_role("button", name="Try it").wait_for()
    assert page.locator('.tried [data-side="0"] .said').all_text_contents() == ["A very good day, Ann."] * 2
    assert page.locator('.tried [data-side="1"] .said').all_text_contents() == ["Hi!"] * 2
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(FITS)


def test_saved_questions_are_tried_on_their_documents(
    signed_in: Any, home: RunningHome, http: httpx2.Client, policy: str
) -> None:
    page, name = signed_in, f"style-{uuid4().hex[:6]}"
    for text in ("Be kind.", "Be brief."):
        body = {"name": name, "messages": [{"role": "system", "content": text}]}
        http.post("/v1/prompts", json=body).raise_for_status()
    page.goto(f"{home.base_url}/console/#/search/{policy}?q={quote(KNOWN)}")
    page.locator('[data-way="hybrid"][data-state="done"] .hit').first.click()
    page.locator("aside mark").wait_for()
    page.get_by_role("button", name="Save as question").click()
    _open(page, home, name)
    page.get_by_role("button", name=f"Take the 1 question saved for {policy}").click()
    page.get_by_role("button", name="Try it").click()
    for side in range(2):
        cell = page.locator(f'.tried [data-side="{side}"]')
        cell.get_by_text("✓ the document that answers it").wait_for()
    items = [{"question": f"Which of them is number {number}?", "documents": {"no": 1}} for number in range(21)]
    http.post("/v1/question-sets", json={"name": name, "items": items}).raise_for_status()
    page.reload()
    page.get_by_label("Question set").select_option(name)
    page.get_by_role("button", name="Take its questions").click()
    page.get_by_text("The first 20 of 21 questions are taken.").wait_for()
    asked = page.get_by_label("Questions, one a line").input_value().splitlines()
    assert asked == [one["question"] for one in items[:20]]
    http.delete(f"/v1/question-sets/{name}").raise_for_status()
    http.delete(f"/v1/prompts/{name}").raise_for_status()


def test_a_version_in_the_place_of_one_that_ships_is_tried_on_documents_before_it_is_in_production(
    signed_in: Any, home: RunningHome, http: httpx2.Client, policy: str
) -> None:
    page, name = signed_in, "groundwork-answer-small"
    body = {"name": name, "messages": [{"role": "system", "content": "Say it in one sentence."}]}
    assert http.post("/v1/prompts", json=body).raise_for_status().json()["version"] > 1
    _open(page, home, name)
    form = page.get_by_role("form", name="Try it")
    assert form.locator(".values label").count() == 0, "its places are filled by the service"
    form.get_by_label("Questions, one a line").fill(KNOWN)
    form.get_by_role("button", name="Try it").click()
    form.get_by_role("alert").get_by_text("Choose the documents").wait_for()
    form.get_by_label("Answer from").select_option(policy)
    form.get_by_role("button", name="Try it").click()
    for side in range(2):
        cell = page.locator(f'.tried [data-side="{side}"]')
        cell.get_by_text("cites").wait_for()
        assert "by no model" not in (cell.text_content() or "")
    http.delete(f"/v1/prompts/{name}").raise_for_status()


def test_a_prompt_that_ships_is_read_worded_otherwise_and_put_back(
    signed_in: Any, home: RunningHome, http: httpx2.Client
) -> None:
    page = signed_in
    page.on("dialog", lambda dialog: dialog.accept())
    _open(page, home, "groundwork-summary")
    page.get_by_text("as it ships").wait_for()
    assert page.get_by_role("button", name="Delete prompt").count() == 0
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Text of message 1").fill("Sum up in rhymes.")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Move production").click()
    page.get_by_text("production of groundwork-summary is version 2 now.").wait_for()
    assert _label(http, "groundwork-summary", "production") == 2
    page.get_by_role("button", name="Back to what ships").click()
    page.get_by_text("groundwork-summary is what ships.").wait_for()
    assert http.get("/v1/prompts/groundwork-summary").json()["packaged"] is True
