"""The loop of `examples/improve` as clicks: a key on record, a tuned embedding model, a split, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from examples.improve.people import ASKED, KEPT_ASIDE
from tests.browser.pictures import take
from tests.browser.visitor import faults
from tests.support.home.stack import ROOT, RunningHome
from tests.support.ingest.peers import until

from groundwork.client.transfers.bulk import ingest_files

SHEETS = ROOT / "examples" / "improve" / "sheets"
SECONDS = 600.0
MINUTES = 10 * 60_000


@pytest.fixture
def sheets(home: RunningHome, http: httpx2.Client) -> Iterator[str]:
    """A collection of the example's sheets and a question set of the same name, as the earlier clicks leave them."""
    name = f"sheets-{uuid4().hex[:6]}"
    home.client.collections.create(name, embedding_model="minilm")
    assert ingest_files(home.client, name, sorted(SHEETS.iterdir()), timeout=SECONDS).failed == []
    lines = [*ASKED.read_text().splitlines(), *KEPT_ASIDE.read_text().splitlines()]
    made = http.post("/v1/question-sets", json={"name": name, "items": [json.loads(line) for line in lines]})
    made.raise_for_status()
    yield name
    home.client.collections.delete(name)
    http.delete(f"/v1/question-sets/{name}").raise_for_status()
    for job in home.client.tuning.list():
        if job.suffix == name:
            home.client.tuning.delete(job.id)


def _fits(page: Any) -> bool:
    page.set_viewport_size({"width": 390, "height": 844})
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 800})
    return bool(fits)


def _tune(page: Any, name: str) -> None:
    page.get_by_role("link", name="Evaluations").click()
    page.get_by_role("link", name=name).first.click()
    page.get_by_role("link", name="Tune", exact=True).click()
    form = page.get_by_role("form", name="Tune a model")
    form.locator('select[name="model"]').select_option("minilm")
    form.get_by_label("Collection whose documents answer").select_option(name)
    form.get_by_label("Served as").fill(name)
    form.get_by_label("Leave out questions that other sets ask").check()
    form.get_by_label("Serve it at once").uncheck()
    assert faults(page) == []
    form.get_by_role("button", name="Tune").click()
    page.locator('[data-state="succeeded"]').wait_for(timeout=MINUTES)


def test_a_model_is_tuned_published_and_searched_by_in_clicks(signed_in: Any, home: RunningHome, sheets: str) -> None:
    page = signed_in
    page.on("dialog", lambda dialog: dialog.accept())
    _tune(page, sheets)
    outcome = page.get_by_label("What came of it").text_content()
    assert "better: +" in outcome
    assert "60 questions" in outcome
    assert faults(page) == []
    assert _fits(page)
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("It is served.").wait_for()
    page.get_by_role("heading", name=f"minilm+{sheets}").wait_for()
    page.get_by_role("button", name="Serve again").wait_for(state="detached")  # what is served needs no button
    take(page, "tuning")
    page.get_by_role("link", name="All evaluations").click()
    page.locator("[data-tuned]").get_by_role("link", name=f"minilm+{sheets}").wait_for()
    tuned = f"minilm+{sheets}"
    until(lambda: tuned in {one.id for one in home.client.models()}, "the list, which is a second old at most, has it")
    page.goto(f"{home.base_url}/console/#/documents/{sheets}")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Embedding model").select_option(f"minilm+{sheets}")
    page.get_by_role("button", name="Reindex").click()
    page.get_by_text("The collection is reindexed.").wait_for(timeout=MINUTES)
    assert home.client.collections.get(sheets).embedding_model == f"minilm+{sheets}"


def test_a_job_that_fails_says_what_to_do_and_is_deleted(
    signed_in: Any, home: RunningHome, http: httpx2.Client
) -> None:
    page, name = signed_in, f"bare-{uuid4().hex[:6]}"
    page.on("dialog", lambda dialog: dialog.accept())
    items = [{"question": f"What is the number {n}?", "answers": [str(n)]} for n in range(3)]
    http.post("/v1/question-sets", json={"name": name, "items": items}).raise_for_status()
    page.goto(f"{home.base_url}/console/#/evaluations/tune?set={name}")
    form = page.get_by_role("form", name="Tune a model")
    form.get_by_label("It learns").select_option("classification")
    form.locator('select[name="model"]').select_option("minilm")
    form.get_by_role("button", name="Tune").click()
    page.locator('[data-state="failed"]').wait_for(timeout=MINUTES)
    (job,) = (one for one in home.client.tuning.list() if one.training_file.startswith(f"set:{name}"))
    assert job.error is not None
    page.get_by_text(job.error.message).first.wait_for()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("heading", name="Evaluations", exact=True).wait_for()
    until(lambda: job.id not in {one.id for one in home.client.tuning.list()}, "it is deleted")
    http.delete(f"/v1/question-sets/{name}").raise_for_status()


def test_a_name_is_put_before_two_answers_and_one_of_them_gets_all_calls_again(
    signed_in: Any, home: RunningHome, http: httpx2.Client
) -> None:
    page, name = signed_in, f"split-{uuid4().hex[:6]}"
    home.client.collections.create(name)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Experiments").click()
    page.get_by_role("button", name="New split").click()
    form = page.get_by_role("form", name="New split")
    form.get_by_label("Name that callers use").fill(name)
    form.get_by_label("Answers as before").fill(f"rag:{name}")
    form.get_by_label("Is tried beside it").fill(f"rag:{name}")
    assert faults(page) == []
    form.get_by_role("button", name="Split").click()
    form.get_by_role("alert").get_by_text("named once").wait_for()
    form.get_by_label("Is tried beside it").fill("smollm2")
    form.get_by_label("Share that tries it").fill("25")
    form.get_by_label("End it by itself").select_option("rating")
    form.get_by_role("button", name="Split").click()
    page.get_by_role("heading", name=name).wait_for()
    page.locator('[data-variant="smollm2"]').wait_for()
    (route,) = (one for one in http.get("/v1/routes").json()["data"] if one["name"] == name)
    assert [(one["model"], one["weight"]) for one in route["targets"]] == [(f"rag:{name}", 75), ("smollm2", 25)]
    assert (route["split_by"], route["guard"]["metric"]) == ("user", "rating")
    page.locator(f'[data-variant="rag:{name}"]').get_by_role("button", name="All calls to this").click()
    page.locator('[data-version="2"]').get_by_text("answers", exact=True).wait_for()
    (route,) = (one for one in http.get("/v1/routes").json()["data"] if one["name"] == name)
    assert [one["weight"] for one in route["targets"]] == [75, 0]
    http.delete(f"/v1/routes/{name}").raise_for_status()
    home.client.collections.delete(name)


def test_a_key_whose_answers_are_on_record_is_made(signed_in: Any, home: RunningHome, http: httpx2.Client) -> None:
    page, name = signed_in, f"recorded {uuid4().hex[:6]}"
    page.goto(f"{home.base_url}/console/#/operations/keys")
    page.get_by_role("button", name="New key").click()
    form = page.get_by_role("form", name="New key")
    form.get_by_label("Name, so that").fill(name)
    form.get_by_label("Its answers are on record").select_option("full")
    form.get_by_role("button", name="Make the key").click()
    page.get_by_text(f"The secret of “{name}”").wait_for()
    (made,) = (one for one in http.get("/v1/keys").json()["data"] if one["name"] == name)
    assert made["records"] == "full"
    page.get_by_role("button", name="I have it").click()
    http.delete(f"/v1/keys/{made['id']}").raise_for_status()
