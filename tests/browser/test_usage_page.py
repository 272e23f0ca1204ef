"""The page of usage: its sums are the ledger's, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.support.home.stack import RunningHome, usage_at_rest

from contracts.retrieval.collections import Collection

PRICE = {"prompt_usd_per_million": "1.1", "completion_usd_per_million": "2.3"}


@pytest.fixture
def spent(home: RunningHome, http: httpx2.Client) -> Iterator[Any]:
    """A key of a tenant of its own with a budget, which has asked a model that costs something."""
    body = {"kind": "chat", "engine": "scripted", "context_length": 4000, "source": {}, "price": PRICE}
    http.put("/v1/models/priced", json=body).raise_for_status()
    budgets = [{"window": "month", "usd": "5"}]
    tenant = f"spending-{uuid4().hex[:8]}"
    key = {"name": "=spender", "tenant": tenant, "scopes": ["chat"], "budgets": budgets}
    made = http.post("/v1/keys", json=key).json()
    question = {"model": "priced", "messages": [{"role": "user", "content": "How much is this?"}]}
    for _ in range(3):
        http.post("/v1/chat/completions", json=question, headers={"Authorization": f"Bearer {made['secret']}"})
    usage_at_rest(home)
    yield made
    http.delete("/v1/models/priced").raise_for_status()


@pytest.mark.parametrize("width", [390, 1280])
def test_tiles_table_and_budgets_are_exactly_what_the_ledger_says(
    signed_in: Any, http: httpx2.Client, spent: Any, width: int
) -> None:
    page = signed_in
    page.set_viewport_size({"width": width, "height": 844})
    page.get_by_role("link", name="Usage").click()
    page.get_by_label("Tenant", exact=True).select_option(spent["tenant"])
    page.get_by_role("button", name="Read again").click()
    (row,) = http.get("/v1/usage", params={"group_by": "key", "tenant": spent["tenant"]}).json()["data"]
    page.locator(f'[data-group="{spent["id"]}"]').get_by_text("=spender").wait_for()
    page.locator('[data-measure="requests"] strong').get_by_text(str(row["requests"]), exact=True).wait_for()
    cost = page.locator('[data-measure="cost"] strong').text_content()
    assert Decimal(cost.removesuffix(" USD")) == Decimal(row["cost_usd"]) > 0
    budget = page.locator(".budgets tr", has_text=f"=spender key of {spent['tenant']}").text_content()
    assert f"{cost} of 5 USD this month" in budget
    page.locator('[data-measure="tokens"]').click()
    page.get_by_text("Tokens by day").wait_for()
    page.get_by_text("As numbers").click()
    tokens = row["prompt_tokens"] + row["completion_tokens"]
    page.locator(".chart td.number").last.get_by_text(f"{tokens:,}", exact=True).wait_for()
    page.get_by_role("button", name="Model", exact=True).click()
    page.locator('[data-group="priced"]').wait_for()
    page.reload()  # the address holds the choice
    page.locator('[data-group="priced"]').wait_for()
    assert page.locator('[data-measure="tokens"]').get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_answers_are_told_apart_by_their_collections(
    signed_in: Any, home: RunningHome, http: httpx2.Client, handbook: Collection
) -> None:
    page = signed_in
    home.client.ask("handbook", "Who approves a trip?")
    usage_at_rest(home)
    page.get_by_role("link", name="Usage").click()
    page.get_by_role("button", name="Collection", exact=True).click()
    rows = {row["group"]: row for row in http.get("/v1/usage?group_by=collection").json()["data"]}
    page.locator('[data-group="handbook"] td').first.wait_for()
    shown = page.locator('[data-group="handbook"] td').all_text_contents()
    assert shown[1] == f"{rows['handbook']['requests']:,}"
    page.locator('[data-group=""]').get_by_text("all else").wait_for()


def test_a_copied_table_has_no_formula_in_it(signed_in: Any, spent: Any) -> None:
    page = signed_in
    page.get_by_role("link", name="Usage").click()
    page.get_by_label("Tenant", exact=True).select_option(spent["tenant"])
    page.locator(f'[data-group="{spent["id"]}"]').wait_for()
    page.get_by_role("button", name="Copy as CSV").click()
    page.get_by_text("Copied").wait_for()
    lines = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert lines[0].startswith('"group","name","requests"')
    assert any(line.startswith(f'"{spent["id"]}","\'=spender","3"') for line in lines)


def test_a_tenant_that_asked_nothing_and_a_key_that_is_no_admin_see_their_own_alone(
    page: Any, home: RunningHome
) -> None:
    made = home.client.keys.create("quiet", tenant="quiet", scopes=["chat"])
    page.goto(f"{home.base_url}/console/#/usage?tenant=spending")
    page.get_by_label("API key").fill(made.secret)
    page.keyboard.press("Enter")
    page.get_by_text("Nothing was asked in this time").wait_for()
    assert page.get_by_label("Tenant", exact=True).count() == 0
