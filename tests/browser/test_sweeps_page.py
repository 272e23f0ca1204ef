"""Search settings that are tried from the page Evaluations: started, followed, applied by a click and undone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
