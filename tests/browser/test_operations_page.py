"""The page of operations: health, models, jobs, keys and the audit log, as an operator uses them."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.support.home.stack import RunningHome

from groundwork.client import JobFailed


def _open(page: Any, section: str) -> None:
    page.get_by_role("link", name="Operations", exact=True).click()
    page.get_by_role("link", name=section, exact=True).click()
    page.get_by_role("heading", name=section, exact=True).wait_for()


@pytest.mark.parametrize("width", [390, 1280])
def test_health_tells_of_each_part(signed_in: Any, http: httpx2.Client, width: int) -> None:
    page = signed_in
    page.set_viewport_size({"width": width, "height": 844})
    page.get_by_role("link", name="Operations", exact=True).click()
    page.get_by_text("Everything works.").wait_for()
    parts = http.get("/readyz").json()["parts"]
    shown = page.locator("[data-part]").evaluate_all("rows => rows.map(row => row.dataset.part)")
    assert sorted(shown) == sorted(parts)
    assert all(page.locator("[data-part] td:first-child .hint").all_text_contents()), "each part says what it is for"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_model_behind_a_server_is_added_made_default_and_removed(signed_in: Any, http: httpx2.Client) -> None:
    page = signed_in
    _open(page, "Models")
    page.locator('[data-model="smollm2"]').get_by_text("ready", exact=True).wait_for()
    page.get_by_role("button", name="Add a model").click()
    page.get_by_label("Name that callers write").fill("afar")
    page.get_by_label("Address").fill("http://127.0.0.1:9/v1")
    page.get_by_label("What it is called there").fill("afar")
    page.get_by_label("Tokens that it reads").fill("8192")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("alert").get_by_text("source.base_url").wait_for()
    body = {"kind": "chat", "engine": "scripted", "context_length": 4000, "source": {}}
    http.put("/v1/models/shown", json=body).raise_for_status()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Remove shown").click()
    page.locator('[data-model="shown"]').get_by_role("button", name="Remove", exact=True).click()
    page.locator('[data-model="shown"]').wait_for(state="detached")
    assert "shown" not in [model["id"] for model in http.get("/v1/models").json()["data"]]


def test_a_job_that_can_never_succeed_says_what_else_to_do(
    signed_in: Any, home: RunningHome, http: httpx2.Client
) -> None:
    page, name = signed_in, "failing-job"
    home.client.collections.ensure(name)
    files = {"file": ("broken.pdf", b"%PDF-1.7 this is no PDF", "application/pdf")}
    form = {"document_id": "b1", "title": "The broken one"}
    job = http.post(f"/v1/collections/{name}/documents", files=files, data=form).json()["job"]["id"]
    _open(page, "Jobs")
    row = page.locator(f'[data-job="{job}"][data-status="failed"]')
    row.get_by_text("The broken one", exact=True).wait_for()
    row.get_by_text("Upload a sound copy").wait_for()
    row.get_by_text("add a file that can be read in its place").wait_for()
    assert row.get_by_role("button").count() == 0
    page.get_by_label("Status", exact=True).select_option("ready")
    row.wait_for(state="detached")
    page.get_by_label("Status", exact=True).select_option("failed")
    row.wait_for()


def test_a_failed_job_that_may_succeed_is_retried(signed_in: Any, home: RunningHome, http: httpx2.Client) -> None:
    """What fails for now can't be brought about at will: of what fails for ever the list says so here."""
    page, name = signed_in, "failing-for-now"
    home.client.collections.ensure(name)
    files = {"file": ("broken.pdf", b"%PDF-1.7 this is no PDF", "application/pdf")}
    form = {"document_id": "k1", "title": "The kettle"}
    job = http.post(f"/v1/collections/{name}/documents", files=files, data=form).json()["job"]["id"]
    with pytest.raises(JobFailed):
        home.client.jobs.wait(job)

    def pass_on(route: Any) -> None:
        answer = route.fetch()
        page_of_jobs = answer.json()
        for one in page_of_jobs["data"]:
            one["error"] = one["error"] and {**one["error"], "retryable": True}
        route.fulfill(response=answer, json=page_of_jobs)

    page.route("**/v1/jobs?*", pass_on)
    _open(page, "Jobs")
    page.locator(f'[data-job="{job}"][data-status="failed"]').wait_for()
    with page.expect_response(lambda response: response.url.endswith("/retry")) as retried:
        page.get_by_role("button", name="Retry the job of The kettle").click()
    assert retried.value.ok
    page.unroute_all(behavior="ignoreErrors")


def test_a_document_that_nobody_named_is_told_from_others_by_how_its_id_begins(
    signed_in: Any, home: RunningHome
) -> None:
    page, name = signed_in, "unnamed-documents"
    home.client.collections.ensure(name)
    job = home.client.documents.add_text(name, "The kettle boils for 95 seconds.").job
    assert job is not None
    home.client.jobs.wait(job.id)
    home.client.documents.delete(name, job.document_id)
    assert len(job.document_id) == 64
    _open(page, "Jobs")
    cell = page.locator(f'[data-job="{job.id}"] td').first
    cell.get_by_text(f"{job.document_id[:12]}…", exact=True).wait_for()
    assert cell.get_by_title(job.document_id).count() == 1
    assert job.document_id not in cell.text_content()


TYPED_AT_ONCE = """new MutationObserver((_, self) => {
  const box = document.querySelector('form.editor [name="requests_per_minute"]');
  if (!box) return;
  self.disconnect();
  box.value = "30";
}).observe(document.body, { childList: true, subtree: true })"""
"""Fills a form between its drawing and its first picture."""


def test_what_is_typed_as_a_form_appears_is_a_change(signed_in: Any, http: httpx2.Client) -> None:
    page = signed_in
    key = http.post("/v1/keys", json={"name": "quick", "tenant": "default", "scopes": ["chat"]}).json()
    _open(page, "Keys")
    row = page.locator(f'[data-key="{key["id"]}"]')
    row.wait_for()
    page.evaluate(TYPED_AT_ONCE)
    row.get_by_role("button", name="Change").click()
    form = page.get_by_role("form", name="Change quick")
    form.get_by_role("button", name="Save").click()
    form.wait_for(state="detached")
    assert http.get(f"/v1/keys/{key['id']}").json()["limits"]["requests_per_minute"] == 30
    http.delete(f"/v1/keys/{key['id']}").raise_for_status()


def test_a_key_is_made_shown_once_used_and_revoked_and_the_log_has_it(
    signed_in: Any, home: RunningHome, http: httpx2.Client
) -> None:
    page = signed_in
    _open(page, "Keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name, so that others know").fill("<b>made here</b>")
    page.get_by_label("Tenant; a new name").fill("from-console")
    page.get_by_label("USD a month").fill("2.5")
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator(".secret").text_content()
    mine = httpx2.get(f"{home.base_url}/v1/me", headers={"Authorization": f"Bearer {secret}"}).json()
    assert (mine["tenant"], mine["scopes"]) == ("from-console", ["chat", "documents", "search"])
    assert http.get(f"/v1/keys/{mine['key_id']}").json()["budgets"] == [{"window": "month", "usd": "2.5"}]
    page.get_by_role("button", name="I have it").click()
    assert secret not in page.content()
    row = page.locator(f'[data-key="{mine["key_id"]}"]')
    http.patch(f"/v1/keys/{mine['key_id']}", json={"models": []}).raise_for_status()
    row.get_by_role("button", name="Change").click()
    form = page.get_by_role("form", name="Change <b>made here</b>")
    assert form.get_by_label("USD a month").input_value() == "2.5"
    form.get_by_label("Requests a minute").fill("30")
    form.get_by_label("USD a month").fill("")
    form.get_by_label("USD a day").fill("1")
    form.get_by_label("search", exact=False).uncheck()
    form.get_by_label("Good until").fill("2096-01-31")
    form.get_by_label("Its answers are on record").select_option("metadata")
    form.get_by_label("That there is no answer").select_option("reader")
    form.get_by_role("button", name="Save").click()
    form.wait_for(state="detached")
    changed = http.get(f"/v1/keys/{mine['key_id']}").json()
    assert (changed["limits"]["requests_per_minute"], changed["limits"]["concurrency"]) == (30, None)
    assert changed["budgets"] == [{"window": "day", "usd": "1"}]
    assert (changed["scopes"], changed["records"], changed["models"]) == (["chat", "documents"], "metadata", [])
    assert changed["abstain"] == "reader"
    assert changed["expires_at"].startswith("2096-01-31") or changed["expires_at"].startswith("2096-02-01")
    row.get_by_role("button", name="Revoke").click()
    row.get_by_role("button", name="Revoke for ever").click()
    row.wait_for(state="detached")
    assert http.get(f"/v1/keys/{mine['key_id']}").json()["revoked_at"] is not None
    _open(page, "Audit log")
    page.locator('[data-action="key.create"] strong').get_by_text("<b>made here</b>").first.wait_for()
    assert page.locator("td strong b").count() == 0


def test_a_key_that_is_no_admin_has_neither_keys_nor_log_nor_buttons(page: Any, home: RunningHome) -> None:
    made = home.client.keys.create("reads", tenant="default", scopes=["chat"])
    page.goto(f"{home.base_url}/console/#/operations/keys")
    page.get_by_label("API key").fill(made.secret)
    page.keyboard.press("Enter")
    page.get_by_text("Everything works.").wait_for()
    assert page.locator(".sided nav a").all_text_contents() == ["Health", "Models"]
    page.get_by_role("link", name="Models", exact=True).click()
    page.locator("[data-model]").first.wait_for()
    assert page.get_by_role("button", name="Add a model").count() == 0
