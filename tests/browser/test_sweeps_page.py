"""Search settings that are tried from the page Evaluations: started, followed, applied by a click and undone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.browser.visitor import faults
from tests.support.home.stack import RunningHome
from tests.support.improvement.spare_parts import empty_parts, fill_parts

SECONDS = 300


@pytest.fixture
def filled(home: RunningHome) -> Iterator[RunningHome]:
    fill_parts(home.client)
    yield home
    for sweep in home.client.sweeps.list():
        home.client.sweeps.delete(sweep.id)
    empty_parts(home.client)


def test_settings_are_tried_and_the_better_one_is_applied_by_a_click_and_undone_by_another(
    signed_in: Any, filled: RunningHome
) -> None:
    page = signed_in
    page.get_by_role("link", name="Evaluations").click()
    page.get_by_role("link", name="Try search settings").click()
    form = page.get_by_role("form", name="Try search settings")
    form.get_by_label("Collection").select_option("parts")
    form.get_by_label("Question set").select_option("places")
    form.get_by_label("Chosen by").select_option("train")
    form.get_by_label("Confirmed by").select_option("test")
    form.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="Search settings of parts").wait_for()
    apply = page.get_by_role("button", name="Search by")
    apply.wait_for(timeout=SECONDS * 1000)
    rows = page.locator("tr[data-combination]")
    assert [row.get_attribute("data-combination") for row in rows.all()] == ["dense", "hybrid", "sparse"]
    assert rows.nth(0).get_by_text("serves").is_visible()
    assert rows.nth(2).locator("svg.whisker").count() == 1
    assert page.locator("tr[data-measure=retrieval_ndcg_10]").get_attribute("data-verdict") == "better"
    assert "instead of dense is better" in page.locator("[data-verdict='']").text_content()
    apply.click()
    undo = page.get_by_role("button", name="Undo")
    undo.wait_for()
    assert filled.client.collections.get("parts").mode in ("sparse", "hybrid")
    undo.click()
    undo.wait_for(state="detached")
    assert filled.client.collections.get("parts").mode == "dense"
    assert not faults(page)
    page.get_by_role("link", name="All evaluations").click()
    page.locator("tr[data-sweep]").get_by_role("link", name="parts").wait_for()


@pytest.fixture
def others(http: httpx2.Client) -> Iterator[list[str]]:
    """Two rerank models, between which there is a choice."""
    names = [f"order-{uuid4().hex[:6]}" for _ in range(2)]
    for name in names:
        body = {"kind": "rerank", "engine": "scripted", "max_input_tokens": 256, "source": {}}
        http.put(f"/v1/models/{name}", json=body).raise_for_status()
    yield names
    for name in names:
        http.delete(f"/v1/models/{name}").raise_for_status()


def test_rerank_models_are_tried_by_their_boxes(signed_in: Any, filled: RunningHome, others: list[str]) -> None:
    page = signed_in
    page.goto(f"{filled.base_url}/console/#/evaluations/sweep?set=places")
    form = page.get_by_role("form", name="Try search settings")
    form.get_by_label("Collection").select_option("parts")
    form.get_by_label(f"reranked by {others[0]}").check()
    form.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="Search settings of parts").wait_for()
    sweeps = filled.client.sweeps
    (sweep,) = sweeps.list()
    tried = {(one.settings.rerank, one.settings.rerank_model) for one in sweeps.get(sweep.id).candidates}
    sweeps.cancel(sweep.id)
    sweeps.wait(sweep.id, timeout=SECONDS)
    assert (True, others[0]) in tried
    assert others[1] not in {name for _, name in tried}
