"""The page of experiments: intervals as pictures, a split stopped, a version that answers again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.browser.visitor import ask, faults
from tests.support.home.stack import RunningHome, usage_at_rest

PRICE = {"prompt_usd_per_million": "1.1", "completion_usd_per_million": "2.3"}


@pytest.fixture
def split(home: RunningHome, http: httpx2.Client) -> Iterator[str]:
    """A route whose two variants have had calls."""
    name, models = f"split-{uuid4().hex[:8]}", [f"one-{uuid4().hex[:6]}", f"two-{uuid4().hex[:6]}"]
    for model in models:
        body = {"kind": "chat", "engine": "scripted", "context_length": 4000, "source": {}, "price": PRICE}
        http.put(f"/v1/models/{model}", json=body).raise_for_status()
    targets = [{"model": model, "name": variant} for model, variant in zip(models, ("old", "new"), strict=True)]
    http.put(f"/v1/routes/{name}", json={"targets": targets, "split_by": "call"}).raise_for_status()
    for number in range(90):
        question = {"model": name, "messages": [{"role": "user", "content": f"Question {number}"}]}
        http.post("/v1/chat/completions", json=question).raise_for_status()
    usage_at_rest(home)
    yield name
    http.delete(f"/v1/routes/{name}").raise_for_status()
    for model in models:
        http.delete(f"/v1/models/{model}").raise_for_status()


def test_intervals_are_pictures_a_split_is_stopped_and_taken_up_again(
    signed_in: Any, http: httpx2.Client, split: str
) -> None:
    page = signed_in
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(page.url.split("#")[0] + f"#/experiments/{split}")
    page.reload()
    page.locator('[data-measure="latency_ms"] svg.whisker').nth(1).wait_for()
    said = page.locator('[data-measure="error_rate"] svg.whisker').first.get_attribute("aria-label")
    assert "95 % between" in said
    assert faults(page) == []
    page.locator('[data-variant="new"]').get_by_role("button", name="All calls to this").click()
    page.locator('[data-version="2"]').get_by_text("answers", exact=True).wait_for()
    weights = {route["name"]: route["targets"] for route in http.get("/v1/routes").json()["data"]}[split]
    assert [target["weight"] for target in weights] == [0, 1]
    page.locator('[data-version="1"]').get_by_role("button", name="Go back to this").click()
    page.locator('[data-version="1"]').get_by_text("answers", exact=True).wait_for()
    page.get_by_role("link", name="Chat", exact=True).click()
    page.get_by_role("combobox", name="What to ask").locator(f"option:text-is('{split}')").wait_for(state="attached")
    page.get_by_role("combobox", name="What to ask").select_option(split)
    ask(page, "Which variant is this?")
    said = " ".join(page.locator("details.receipt").text_content().split())  # a model alone has one of its headers
    assert re.search(r"Variant ?(old|new).*Tokens ?\d+ tokens? read", said), said
    page.goto(page.url.split("#")[0] + f"#/experiments/{split}")
    page.locator('[data-version="1"]').get_by_text("answers", exact=True).wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
