"""The page of question sets and evaluations: questions from a file, corrected; runs followed, read and compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from tests.browser.visitor import faults
from tests.support.home.stack import RunningHome
from tests.support.ingest.peers import until

LINES: list[dict[str, Any]] = [
    {"question": "How many days of leave?", "answers": ["27 days"], "labels": ["leave"], "split": "test"},
    {"question": "How many nights in a hotel?", "answers": ["46 nights"], "labels": ["travel"], "split": "test"},
    {"question": "Who approves a trip?", "answers": ["The lead"], "documents": ["travel.md"], "labels": ["travel"]},
    {"question": "What does the moon weigh?", "answerable": False},
]
SAME = {"question": "how many days of leave", "answers": ["27 days"]}
REPLIES = {
    "sure": [{"when": "leave", "reply": "There are 27 days."}, {"when": "hotel", "reply": "At most 46 nights."}],
    "vague": [{"when": ".", "reply": "It depends."}],
}
SECONDS = 120


def _lines(*items: dict[str, Any]) -> dict[str, Any]:
    text = "".join(json.dumps(one) + "\n" for one in items)
    return {"name": "leave.jsonl", "mimeType": "application/jsonl", "buffer": text.encode()}


def _fits(page: Any) -> bool:
    page.set_viewport_size({"width": 390, "height": 844})
    fits = page.evaluate(
        "[document.documentElement, document.querySelector('.sided')].every(box => box.scrollWidth <= innerWidth)"
    )
    page.set_viewport_size({"width": 1280, "height": 800})
    return bool(fits)


@pytest.fixture
def asked(http: httpx2.Client) -> Iterator[str]:
    """A set's name; and models: one knows two of its answers, one none, and one says a word a minute."""
    http.post("/v1/question-sets", json={"name": "leave", "items": LINES}).raise_for_status()
    slow = {"pace_seconds": 60, "rules": [{"when": ".", "reply": "One two three."}]}
    for name, source in {**{name: {"rules": rules} for name, rules in REPLIES.items()}, "slow": slow}.items():
        body = {"kind": "chat", "engine": "scripted", "context_length": 4000, "source": source}
        http.put(f"/v1/models/{name}", json=body).raise_for_status()
    yield "leave"
    for run in http.get("/v1/evaluations", params={"question_set": "leave"}).json()["data"]:
        http.delete(f"/v1/evaluations/{run['id']}").raise_for_status()
    http.delete("/v1/question-sets/leave").raise_for_status()
    for name in (*REPLIES, "slow"):
        http.delete(f"/v1/models/{name}").raise_for_status()


def test_a_file_that_asks_the_same_twice_is_refused_with_both_places_and_saved_without_it(
    signed_in: Any, http: httpx2.Client
) -> None:
    page = signed_in
    page.get_by_role("link", name="Evaluations").click()
    page.get_by_role("link", name="New question set").click()
    form = page.get_by_role("form", name="Questions from a file")
    form.get_by_label("Name").fill("from-a-file")
    form.get_by_label("File of JSON lines").set_input_files(_lines(*LINES, SAME))
    form.get_by_role("button", name="Save").click()
    refused = form.get_by_role("alert")
    refused.wait_for()
    assert "leave.jsonl, line 1" in refused.text_content()
    assert "leave.jsonl, line 5" in refused.text_content()
    form.get_by_label("Leave out questions").check()
    form.get_by_role("button", name="Save").click()
    holds = page.get_by_label("What it holds")
    holds.wait_for()
    said = " ".join(holds.text_content().split())
    assert "Questions4With a known answer3That nothing answers1" in said
    assert "Splitstest 2, in none 2" in said
    assert "Labelsleave 1, travel 2" in said
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete set").click()
    page.get_by_role("heading", name="Evaluations", exact=True).wait_for()
    assert http.get("/v1/question-sets/from-a-file").status_code == 404


def test_a_question_is_corrected_and_one_removed_in_new_versions_and_the_old_one_stays(
    signed_in: Any, home: RunningHome, http: httpx2.Client, asked: str
) -> None:
    page = signed_in
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{home.base_url}/console/#/evaluations/sets/{asked}")
    page.get_by_role("button", name="Correct “How many days").focus()
    page.keyboard.press("Enter")
    page.get_by_role("form", name="Correct a question").wait_for()
    assert page.evaluate("document.activeElement.name") == "question", "what is typed next belongs to it"
    assert faults(page) == []
    page.get_by_label("Answer that is right").fill("30 days")
    page.get_by_label("Documents that answer it").fill("leave.md = 2\ntravel.md")
    page.get_by_role("button", name="Save as a new version").click()
    page.locator("tr[data-question]").get_by_text("30 days").wait_for()
    page.get_by_role("button", name="Remove “What does the moon").click()
    page.get_by_text(f"Version 3 of {asked} is without it.").wait_for()
    items = http.get(f"/v1/question-sets/{asked}/versions/3/items").json()["data"]
    corrected = next(one for one in items if one["question"] == LINES[0]["question"])
    assert len(items) == 3
    assert (corrected["answers"], corrected["documents"]) == (["30 days"], {"leave.md": 2, "travel.md": 1})
    assert (corrected["labels"], corrected["split"]) == (["leave"], "test")
    page.get_by_label("Version").select_option("1")
    page.get_by_text("An older version").wait_for()
    page.locator("tr[data-question]").get_by_text("What does the moon").wait_for()
    assert page.get_by_role("button", name="Correct").count() == 0
    assert _fits(page)


def test_an_evaluation_is_started_followed_and_read(signed_in: Any, home: RunningHome, asked: str) -> None:
    page = signed_in
    page.goto(f"{home.base_url}/console/#/evaluations/sets/{asked}")
    page.get_by_role("link", name="Evaluate", exact=True).click()
    form = page.get_by_role("form", name="New evaluation")
    form.get_by_label("Asked of").fill("sure")
    form.locator('[data-estimate="4"]').wait_for()
    form.get_by_label("Split").select_option("test")
    form.get_by_text("2 answers are asked for").wait_for()
    form.get_by_label("Split").select_option("")
    assert faults(page) == []
    form.get_by_label("Budget in USD").fill("1")
    form.get_by_role("button", name="Start").click()
    page.locator('[data-state="completed"]').wait_for()
    found = page.locator('[data-measure="answer_found"]')
    assert "0.667, 95 % between" in found.locator("svg.whisker").get_attribute("aria-label")
    page.locator("figure").get_by_text("travel").wait_for()
    worst = page.locator("table.answers tbody tr").first
    worst.get_by_text("Who approves a trip?").first.wait_for()
    worst.get_by_text("The lead").wait_for()
    assert "0.000" in worst.locator("[data-side]").text_content()
    assert faults(page) == []
    assert _fits(page)


JUDGED = {"judged": [{"answer": "You get 27.", "right": True}, {"answer": 27}]}
VERDICT = json.dumps({"reason": "It says so.", "right": True})


@pytest.fixture
def judged(http: httpx2.Client, asked: str) -> Iterator[str]:
    """A set with one answer that people judged, and one entry that can't be read; and a model that judges."""
    items = [{**LINES[0], "metadata": JUDGED}]
    http.post("/v1/question-sets", json={"name": "judged", "items": items}).raise_for_status()
    source = {"rules": [{"when": ".", "reply": VERDICT}]}
    body = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": source}
    http.put("/v1/models/judging", json=body).raise_for_status()
    yield "judged"
    for run in http.get("/v1/evaluations", params={"question_set": "judged"}).json()["data"]:
        http.delete(f"/v1/evaluations/{run['id']}").raise_for_status()
    http.delete("/v1/question-sets/judged").raise_for_status()
    http.delete("/v1/models/judging").raise_for_status()


def test_a_judge_with_a_rubric_and_some_measures_are_chosen_and_other_judges_are_told_of(
    signed_in: Any, home: RunningHome, http: httpx2.Client, judged: str
) -> None:
    page, runs = signed_in, home.client.evaluations
    plain = runs.start(judged, "sure").id
    page.goto(f"{home.base_url}/console/#/evaluations/start?set={judged}&model=sure")
    form = page.get_by_role("form", name="New evaluation")
    form.locator('[data-estimate="1"]').wait_for()
    form.get_by_label("Judged by a model").fill("judging")
    form.get_by_label("Rubric").fill("It is right if it has the number.")
    form.get_by_text("Only some measures").click()
    form.get_by_label("An expected answer stands in it").check()
    assert faults(page) == []
    assert _fits(page)
    form.get_by_role("button", name="Start").click()
    page.locator('[data-state="completed"]').wait_for()
    page.get_by_text("judging by own: agrees with people on 1 of 1").wait_for()
    page.get_by_text("1 of what people judged can't be read").wait_for()
    shown = page.locator("section:has(#figures) [data-measure]")
    names = {shown.nth(at).get_attribute("data-measure") for at in range(shown.count())}
    assert names == {"succeeded", "answer_found", "judge_right", "judge_agrees", "judge_failed"}
    assert runs.wait(plain, timeout=SECONDS).status == "completed"
    page.get_by_label("Compare with").select_option(plain)
    page.get_by_text("not judged by the same model and rubric").wait_for()
    page.locator('section:has(#differences) [data-measure="answer_found"]').wait_for()
    assert page.locator('[data-measure="judge_right"]').count() == 0
    assert faults(page) == []


def test_a_safety_suite_is_asked_without_a_question_set_of_ones_own(
    signed_in: Any, home: RunningHome, http: httpx2.Client, asked: str
) -> None:
    page = signed_in
    held: list[Any] = []
    page.route("**/v1/question-sets/*/versions?*", lambda route: held.append(route))
    page.goto(f"{home.base_url}/console/#/evaluations")
    page.get_by_role("link", name="New evaluation").click()
    form = page.get_by_role("form", name="New evaluation")
    until(lambda: bool(held) or page.wait_for_timeout(10), "the versions of the set that is shown first are asked for")
    form.get_by_role("combobox", name="Question set").select_option("safety:groups")
    with page.expect_response("**/versions?*"):
        held[0].continue_()  # the reply comes late: it is of a set that is no longer chosen
    form.get_by_text("Pairs of questions that differ").wait_for()
    assert form.get_by_role("combobox", name="Version", exact=True).count() == 0
    form.get_by_label("Asked of").fill("vague")
    assert faults(page) == []
    form.get_by_role("button", name="Start").click()
    page.locator('[data-state="completed"]').wait_for()
    page.get_by_text("safety:groups, version 1").wait_for()
    page.locator('section:has(#figures) [data-measure="pair_decided"]').wait_for()
    assert faults(page) == []
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("heading", name="Evaluations", exact=True).wait_for()
    assert http.get("/v1/evaluations", params={"question_set": "safety:groups"}).json()["data"] == []


@pytest.fixture
def recorded(http: httpx2.Client) -> Iterator[Callable[[str, str], str]]:
    """Starts an evaluation whose answers are recorded; gives its id."""
    spec = {"name": "recorded", "tenant": "default", "scopes": ["chat", "evaluations:write"], "records": "full"}
    key = http.post("/v1/keys", json=spec).raise_for_status().json()

    def start(questions: str, model: str) -> str:
        body = {"question_set": questions, "target": {"model": model}}
        headers = {"Authorization": f"Bearer {key['secret']}"}
        return str(http.post("/v1/evaluations", json=body, headers=headers).raise_for_status().json()["id"])

    yield start
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()


def test_two_evaluations_are_compared_question_by_question_and_followed_over_time(
    signed_in: Any, home: RunningHome, http: httpx2.Client, asked: str, recorded: Callable[[str, str], str]
) -> None:
    page, runs = signed_in, home.client.evaluations
    ids = [runs.start(asked, model).id for model in ("vague", "sure")]
    ids.append(recorded(asked, "sure"))
    assert {runs.wait(one, timeout=SECONDS).status for one in ids} == {"completed"}
    answer = next(runs.answers(ids[2])).answer_id
    until(lambda: http.get(f"/v1/records/{answer}").status_code == 200, "a record of the answer")
    page.goto(f"{home.base_url}/console/#/evaluations/runs/{ids[2]}")
    page.get_by_role("link", name="Its record").first.wait_for()
    page.goto(f"{home.base_url}/console/#/evaluations/runs/{ids[1]}")
    page.get_by_label("Compare with").select_option(ids[0])
    verdict = page.locator('section:has(#differences) [data-measure="answer_found"]')
    verdict.get_by_text("no difference: +0.6667").wait_for()
    assert verdict.locator("path.zero").count() == 1
    better = page.locator('[data-changed="better"] tbody tr')
    better.nth(1).wait_for()
    sides = [better.first.locator(f'[data-side="{side}"]').text_content() for side in (0, 1)]
    assert "There are 27 days." in sides[0]
    assert "It depends." in sides[1]
    page.locator('[data-changed="worse"]').get_by_text("None.").wait_for()
    assert faults(page) == []
    assert _fits(page)
    page.goto(f"{home.base_url}/console/#/evaluations/sets/{asked}")
    page.get_by_role("img", name="2 evaluations, first 0.667, last 0.667").wait_for()
    runs.start(asked, "slow")
    going = page.locator('tr[data-status="running"]')
    going.locator("progress").wait_for()
    going.get_by_role("button", name="Cancel slow").click()
    page.locator('tr[data-status="cancelled"]').wait_for()
    assert faults(page) == []


def test_while_the_lab_is_away_that_is_said_and_a_key_that_may_not_see_sets_has_no_such_page(
    signed_in: Any, home: RunningHome
) -> None:
    page = signed_in
    away = {"error": {"type": "unavailable", "code": "not_ready", "message": "lab can't be reached."}}
    page.route("**/v1/question-sets?*", lambda route: route.fulfill(status=503, json=away))
    page.get_by_role("link", name="Evaluations").click()
    page.get_by_role("alert").get_by_text("Everything else works without it. lab can't be reached.").wait_for()
    page.get_by_role("link", name="Documents").click()
    page.get_by_role("heading", name="Collections").wait_for()
    page.unroute("**/v1/question-sets?*")
    page.get_by_role("link", name="Evaluations").click()
    page.get_by_role("heading", name="Evaluations", exact=True).wait_for()

    made = home.client.keys.create("asks only", tenant="default", scopes=("chat",))
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").fill(made.secret)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Usage").wait_for()
    assert page.get_by_role("link", name="Evaluations").count() == 0
    page.goto(f"{home.base_url}/console/#/evaluations")
    page.get_by_text("Sign in with one that has the scope “evaluations:read”").wait_for()
    home.client.keys.revoke(made.id)


def test_what_somebody_types_is_not_mixed_with_a_default_that_comes_late(
    signed_in: Any, home: RunningHome, asked: str
) -> None:
    page = signed_in
    held: list[Any] = []
    page.route("**/v1/models", lambda route: held.append(route))
    page.goto(f"{home.base_url}/console/#/evaluations/start?set={asked}")
    form = page.get_by_role("form", name="New evaluation")
    field = form.get_by_label("Asked of")
    field.focus()
    until(lambda: bool(held) or page.wait_for_timeout(10), "the models are asked for")
    with page.expect_response("**/v1/models"):
        held[0].continue_()
    page.locator("#evaluation-targets option").first.wait_for(state="attached")
    field.press_sequentially("sure")
    assert field.input_value() == "sure"
    assert faults(page) == []
