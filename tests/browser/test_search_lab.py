"""The search lab: what each way of searching shows is what the API says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.home.stack import RunningHome

from contracts.retrieval.collections import Collection
from groundwork.evaluation.questions import read_questions

QUESTION = "How many days of paid holiday does a full-time employee get per year?"
WAYS = {
    "dense": {"mode": "dense", "rerank": False},
    "sparse": {"mode": "sparse", "rerank": False},
    "hybrid": {"mode": "hybrid", "rerank": False},
    "reranked": {"mode": "hybrid", "rerank": True},
}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> is the name of the numbat."


@pytest.fixture
def reranker(http: httpx2.Client) -> Iterator[str]:
    """A rerank model that counts words, for as long as a test needs one."""
    body = {"kind": "rerank", "engine": "scripted", "max_input_tokens": 256, "source": {}, "default": True}
    http.put("/v1/models/lab-rerank", json=body).raise_for_status()
    yield "lab-rerank"
    http.delete("/v1/models/lab-rerank").raise_for_status()


def _search(page: Any, query: str, *ways: str) -> None:
    page.get_by_label("Query", exact=True).fill(query)
    page.keyboard.press("Enter")
    for way in ways or tuple(WAYS):
        page.locator(f'[data-way="{way}"][data-state="done"]').wait_for()


def _chunks(page: Any, way: str) -> list[str]:
    found: list[str] = page.locator(f'[data-way="{way}"] .hit').evaluate_all("hits => hits.map(h => h.dataset.chunk)")
    return found


@pytest.mark.parametrize("width", [390, 1280])
def test_each_way_shows_the_hits_that_the_api_gives_and_a_click_opens_exactly_the_passage(
    signed_in: Any, http: httpx2.Client, handbook: Collection, reranker: str, width: int
) -> None:
    page = signed_in
    page.set_viewport_size({"width": width, "height": 844})
    page.get_by_role("link", name="Search lab").click()
    page.get_by_label("Collection", exact=True).select_option("handbook")
    _search(page, QUESTION)
    for way, options in WAYS.items():
        reply = http.post("/v1/collections/handbook/search", json={"query": QUESTION, "limit": 10, **options}).json()
        assert reply["degraded"] == []
        assert _chunks(page, way) == [hit["chunk_id"] for hit in reply["hits"]]
    bold = {word.lower() for word in page.locator(".hit .excerpt b").all_text_contents()}
    assert "holiday" in bold
    assert bold.isdisjoint({"how", "does", "for", "the", "and"})
    assert page.locator('[data-way="reranked"] .scores').first.get_by_text("rerank").count() == 1
    page.reload()
    hit = page.locator('[data-way="sparse"] .hit').first
    hit.click()
    mark = page.locator("aside mark")
    mark.wait_for()
    found = http.post("/v1/collections/handbook/search", json={"query": QUESTION, "limit": 1, **WAYS["sparse"]}).json()
    assert mark.text_content() == found["hits"][0]["text"]
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.chunk") == found["hits"][0]["chunk_id"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_passage_is_told_its_place_in_the_other_ways_and_arrows_go_from_hit_to_hit(
    signed_in: Any, handbook: Collection
) -> None:
    page = signed_in
    page.reload()
    page.get_by_role("link", name="Search lab").click()
    page.get_by_label("Collection", exact=True).select_option("handbook")
    _search(page, QUESTION)
    dense, sparse = _chunks(page, "dense"), _chunks(page, "sparse")
    for number, chunk in enumerate(dense):
        place = str(sparse.index(chunk) + 1) if chunk in sparse else "> 10"
        said = page.locator('[data-way="dense"] .elsewhere').nth(number).get_by_text("Sparse").text_content()
        assert re.sub(r"\s+", " ", said).strip() == f"Sparse {place}"
    page.locator('[data-way="dense"] .hit').first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.chunk") == sparse[1]
    page.get_by_text("No rerank model answered").wait_for()


def test_conditions_and_choices_are_in_the_address_and_a_search_can_be_copied(
    signed_in: Any, home: RunningHome, handbook: Collection
) -> None:
    page = signed_in
    page.reload()
    page.goto(f"{home.base_url}/console/#/search/handbook")
    for way in ("Dense", "Hybrid", "Reranked"):
        page.get_by_role("button", name=way, exact=True).click()
    page.get_by_role("button", name="Add a condition").click()
    page.keyboard.type("title")
    page.get_by_label("How it is compared").select_option("is not")
    page.get_by_label("Compared with").fill("Leave Policy")
    _search(page, "paid holiday", "sparse")
    assert page.locator(".way").count() == 1
    page.reload()
    page.locator('[data-way="sparse"][data-state="done"]').wait_for()
    titles = page.locator(".hit strong").all_text_contents()
    assert titles
    assert "Leave Policy" not in titles
    page.locator(".way summary").click()
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    body = json.loads(copied[copied.index("-d '") + 4 : -1])
    assert body == {
        "query": "paid holiday", "limit": 10, "mode": "sparse", "rerank": False,
        "filter": {"must_not": [{"key": "title", "match": "Leave Policy"}]},
    }  # fmt: skip


def test_what_is_typed_right_after_a_condition_is_added_is_its_own(
    signed_in: Any, home: RunningHome, handbook: Collection
) -> None:
    page = signed_in
    page.goto(f"{home.base_url}/console/#/search/handbook")
    page.get_by_role("button", name="Add a condition").wait_for()
    focused = page.evaluate("""async () => {
      [...document.querySelectorAll("button")].find((one) => one.textContent.includes("Add a condition")).click();
      for (let turn = 0; turn < 9; turn += 1) await null;  // no frame is painted meanwhile
      return document.activeElement.getAttribute("aria-label");
    }""")
    assert focused == "What is known of a document"


def test_hostile_documents_are_text_in_the_lab_and_errors_say_what_is_wrong(signed_in: Any, home: RunningHome) -> None:
    page, name = signed_in, "hostile-lab"
    home.client.collections.ensure(name)
    job = home.client.documents.add_text(name, HOSTILE, document_id="attack", title="<b>x</b>").job
    assert job is not None
    home.client.jobs.wait(job.id)
    page.goto(f"{home.base_url}/console/#/search/{name}")
    page.reload()
    _search(page, "the name of the numbat <b>&amp;</b>")
    assert page.locator('[data-way="sparse"] .hit .excerpt').first.text_content() == HOSTILE
    assert page.locator(".ways img, .ways script, .hit strong b").count() == 0
    page.get_by_role("button", name="Add a condition").click()
    page.keyboard.type("two words")
    page.get_by_label("Compared with").fill("x")
    page.get_by_label("Query", exact=True).press("Enter")
    page.locator('[data-way="dense"] [role="alert"]').get_by_text("metadata.").wait_for()
    page.goto(f"{home.base_url}/console/#/search/never-made?q=x")
    page.get_by_role("heading", name="There is no collection “never-made”").wait_for()


def test_queries_are_kept_as_questions_that_the_evaluation_reads_until_somebody_signs_out(
    signed_in: Any, handbook: Collection, home: RunningHome, tmp_path: Path
) -> None:
    page = signed_in
    page.get_by_role("link", name="Search lab").click()
    page.get_by_label("Collection", exact=True).select_option("handbook")
    _search(page, QUESTION)
    hit = page.locator('[data-way="dense"] .hit').first
    title = hit.locator("strong").first.text_content()
    hit.click()
    page.get_by_role("button", name=f"“{title}” answers it").click()
    page.get_by_text(f"Kept: “{title}” answers it.").wait_for()
    _search(page, "Which planet has the most moons?")
    page.get_by_text("Open the passage that answers it").wait_for()  # the one that was open answers another query
    assert page.get_by_role("button", name="Save as question").count() == 0
    page.get_by_role("button", name="no document answers it").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download 2 questions").click()
    saved.value.save_as(file := tmp_path / saved.value.suggested_filename)
    assert file.name == "handbook-questions.jsonl"
    answered, open_one = read_questions(file)
    assert (answered.text, list(answered.relevant.values())) == (QUESTION, [1])
    assert (open_one.text, open_one.relevant) == ("Which planet has the most moons?", {})
    page.get_by_role("button", name="Add to question set").click()
    page.get_by_text("Question set “handbook” has 2 questions in version 1.").wait_for()
    page.get_by_role("button", name="Add to question set").wait_for(state="detached")  # what is saved is not kept here
    page.get_by_role("button", name="no document answers it").click()
    page.get_by_role("button", name="Add to question set").click()
    page.get_by_text("Question set “handbook” has 2 questions in version 1.").wait_for()  # the same again is no version
    page.get_by_role("button", name="Add to question set").wait_for(state="detached")
    items = [(one.question, one.answerable) for one in home.client.question_sets.questions("handbook")]
    assert items == [(QUESTION, True), ("Which planet has the most moons?", False)]
    home.client.question_sets.delete("handbook")
    page.get_by_role("button", name="no document answers it").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").wait_for()
    assert page.evaluate("localStorage.length") == 0


def test_a_key_that_may_not_search_has_no_lab(page: Any, home: RunningHome) -> None:
    made = home.client.keys.create("chats", tenant="default", scopes=["chat"])
    page.goto(f"{home.base_url}/console/#/search")
    page.get_by_label("API key").fill(made.secret)
    page.keyboard.press("Enter")
    page.get_by_text("This key may not search").wait_for()
    assert page.get_by_role("link", name="Search lab").count() == 0
