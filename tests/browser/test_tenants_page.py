"""Operations, Tenants: they are made, bounded, looked at and deleted by an admin, and by nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from tests.browser.visitor import faults
from tests.support.home.stack import RunningHome, usage_at_rest
from tests.support.ingest.peers import until

DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
"""What has come is seen after two pictures."""
PRICE = {"prompt_usd_per_million": "1.1", "completion_usd_per_million": "2.3"}


@pytest.fixture
def priced(http: httpx2.Client) -> Iterator[str]:
    """A model that costs something."""
    body = {"kind": "chat", "engine": "scripted", "context_length": 4000, "source": {}, "price": PRICE}
    http.put("/v1/models/dear", json=body).raise_for_status()
    yield "dear"
    http.delete("/v1/models/dear").raise_for_status()


@pytest.fixture
def tenant(http: httpx2.Client) -> str:
    """A tenant with a limit, a budget and one key."""
    name = f"seen-{uuid4().hex[:8]}"
    bounds = {"limits": {"requests_per_minute": 50}, "budgets": [{"window": "month", "usd": "5"}]}
    http.post("/v1/tenants", json={"name": name, **bounds}).raise_for_status()
    http.post("/v1/keys", json={"name": "the desk", "tenant": name, "scopes": ["chat"]}).raise_for_status()
    return name


def _open(page: Any, home: RunningHome, name: str = "") -> None:
    page.goto(f"{home.base_url}/console/#/operations/tenants{name and '/'}{name}")
    page.reload()
    page.get_by_role("heading", name=name or "Tenants", exact=True).wait_for()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_tenant_is_made_with_its_bounds_and_the_list_has_it(
    signed_in: Any, home: RunningHome, http: httpx2.Client, width: int
) -> None:
    page, name = signed_in, f"made-{uuid4().hex[:8]}"
    page.set_viewport_size({"width": width, "height": 844})
    page.get_by_role("link", name="Operations", exact=True).click()
    page.get_by_role("link", name="Tenants", exact=True).click()
    page.get_by_role("button", name="New tenant").click()
    form = page.get_by_role("form", name="New tenant")
    page.keyboard.type(name)
    form.get_by_label("Requests a minute").fill("30")
    form.get_by_label("USD a day").fill("0.5")
    form.get_by_label("is kept").select_option("metadata")
    form.get_by_label("for days").fill("7")
    assert faults(page) == []
    form.get_by_role("button", name="Make the tenant").click()
    page.get_by_role("heading", name=name, exact=True).wait_for()
    page.get_by_text("It has no key that works").wait_for()
    page.get_by_role("link", name="Make and change keys").click()
    page.get_by_text(f"{name} has no key that works: nobody can use it until you make one.").wait_for()
    page.get_by_role("link", name=name, exact=True).click()
    made = http.get(f"/v1/tenants/{name}").json()
    assert made["limits"] == {"requests_per_minute": 30, "tokens_per_minute": None, "concurrency": None}
    assert made["budgets"] == [{"window": "day", "usd": "0.5"}]
    assert (made["records"], made["records_days"]) == ("metadata", 7)
    page.get_by_role("link", name="All tenants").click()
    page.get_by_label("Find by name").fill(name)
    row = page.locator(f'[data-tenant="{name}"]')
    row.get_by_text("0 USD of 0.50 USD today (UTC), 0.50 USD left").wait_for()
    row.get_by_text("30 requests a minute").wait_for()
    row.get_by_text("all but their words, for 7 days").wait_for()
    assert page.locator("[data-tenant]").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_key_is_made_from_the_tenants_page_and_what_it_spends_and_leaves_is_the_ledgers(
    signed_in: Any, home: RunningHome, http: httpx2.Client, priced: str, tenant: str
) -> None:
    page = signed_in
    _open(page, home, tenant)
    page.get_by_role("link", name="Make and change keys").click()
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name, so that others know").fill("the shop")
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator(".secret").text_content()
    page.get_by_role("button", name="I have it").click()
    assert set(page.locator("[data-key] a").all_text_contents()) == {tenant}
    question = {"model": priced, "messages": [{"role": "user", "content": "How much is this?"}]}
    headers = {"Authorization": f"Bearer {secret}"}
    for _ in range(3):
        http.post("/v1/chat/completions", json=question, headers=headers).raise_for_status()
    usage_at_rest(home)
    (row,) = http.get("/v1/usage", params={"group_by": "tenant", "tenant": tenant}).json()["data"]
    cost = Decimal(row["cost_usd"])
    page.locator("[data-key] a").first.click()
    page.get_by_role("heading", name=tenant, exact=True).wait_for()
    page.get_by_text(f"{cost} USD of 5 USD this month, {5 - cost} USD left").wait_for()
    used = page.locator("[data-key]", has_text="the shop").locator("td").all_text_contents()
    assert used[3:] == ["3", "0", f"{cost} USD"]
    assert page.locator("[data-key]", has_text="the desk").locator("td").all_text_contents()[2:4] == ["never", "0"]
    assert faults(page) == []
    page.get_by_role("link", name="All of its usage").click()
    page.get_by_label("Tenant", exact=True).wait_for()
    assert page.get_by_label("Tenant", exact=True).input_value() == tenant


def test_a_change_sends_what_somebody_changed_and_leaves_what_others_changed_meanwhile(
    signed_in: Any, home: RunningHome, http: httpx2.Client, tenant: str
) -> None:
    page = signed_in
    _open(page, home, tenant)
    http.patch(f"/v1/tenants/{tenant}", json={"limits": {"concurrency": 9}}).raise_for_status()
    page.get_by_role("button", name="Change").click()
    form = page.get_by_role("form", name=f"Change {tenant}")
    assert form.get_by_label("Calls at once").input_value() == "9", "as it is now, not as the page was opened"
    others = {"limits": {"tokens_per_minute": 800}, "records": "full", "records_days": 3}
    http.patch(f"/v1/tenants/{tenant}", json=others).raise_for_status()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("60")  # what is typed belongs to the first field
    form.get_by_label("USD a month").fill("")
    form.get_by_role("button", name="Save").click()
    form.wait_for(state="detached")
    assert page.evaluate("document.activeElement.textContent") == "Change", "back where it was opened"
    now = http.get(f"/v1/tenants/{tenant}").json()
    assert now["limits"] == {"requests_per_minute": 60, "tokens_per_minute": 800, "concurrency": 9}
    assert (now["budgets"], now["records"], now["records_days"]) == ([], "full", 3)


def test_what_comes_late_changes_nothing_that_somebody_types_or_chooses(
    signed_in: Any, home: RunningHome, tenant: str
) -> None:
    page = signed_in
    _open(page, home, tenant)
    page.get_by_role("button", name="Delete").wait_for()
    held: list[Any] = []
    page.route(f"**/v1/tenants/{tenant}", lambda route: route.continue_() if held else held.append(route))
    page.get_by_role("button", name="Change").click()
    until(lambda: page.evaluate("1") == 1 and len(held) == 1, "what is to be changed is asked for")
    page.get_by_role("button", name="Delete").click()
    form = page.get_by_role("form", name=f"Delete {tenant}")
    form.get_by_label("Its name").fill(tenant[:6])
    with page.expect_response(f"**/v1/tenants/{tenant}"):
        held[0].continue_()
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    )
    assert form.get_by_label("Its name").input_value() == tenant[:6]
    assert page.get_by_role("form").count() == 1


def test_the_list_is_read_again_beside_a_form_that_is_being_filled_in(
    signed_in: Any, home: RunningHome, http: httpx2.Client, tenant: str
) -> None:
    page = signed_in
    http.delete(f"/v1/tenants/{tenant}").raise_for_status()
    _open(page, home)
    page.locator(f'[data-tenant="{tenant}"]').get_by_text("is being deleted").wait_for()
    page.get_by_role("button", name="New tenant").click()
    page.keyboard.type("half-a-na")
    page.get_by_label("USD a month").fill("12")
    with page.expect_response(lambda answer: "/v1/tenants?" in answer.url):
        pass
    form = page.get_by_role("form", name="New tenant")
    form.get_by_label("Name").press("End")
    page.keyboard.type("me")
    assert form.get_by_label("Name").input_value() == "half-a-name"
    assert form.get_by_label("USD a month").input_value() == "12"


def test_a_tenant_is_deleted_only_by_who_types_its_name_and_its_keys_end_at_once(
    signed_in: Any, home: RunningHome, http: httpx2.Client, tenant: str
) -> None:
    page = signed_in
    key = {"name": "<b>ends</b>", "tenant": tenant, "scopes": ["chat"]}
    secret = http.post("/v1/keys", json=key).json()["secret"]
    _open(page, home, tenant)
    page.get_by_role("button", name="Delete").click()
    form = page.get_by_role("form", name=f"Delete {tenant}")
    form.get_by_text("2 keys, “the desk”, “<b>ends</b>”, can do nothing any more.").wait_for()
    page.keyboard.type("something else")
    page.keyboard.press("Enter")
    form.get_by_role("alert").get_by_text(f"“something else” is not its name. Type {tenant}").wait_for()
    assert not http.get(f"/v1/tenants/{tenant}").json()["deleting"]
    assert faults(page) == []
    form.get_by_role("button", name="Keep it").click()
    form.wait_for(state="detached")
    assert page.evaluate("document.activeElement.textContent") == "Delete", "back where it was opened"
    page.keyboard.press("Enter")
    form.wait_for()
    page.keyboard.type(tenant)
    page.keyboard.press("Enter")
    page.locator(f'[data-tenant="{tenant}"]').get_by_text("is being deleted").wait_for()
    mine = httpx2.get(f"{home.base_url}/v1/me", headers={"Authorization": f"Bearer {secret}"})
    assert (mine.status_code, mine.json()["error"]["code"]) == (401, "key_revoked")
    page.get_by_role("link", name=tenant).click()
    page.get_by_role("button", name="Go on with this key").click()
    page.get_by_text("The deletion goes on").wait_for()
    assert page.get_by_role("button", name="Change").count() == 0
    page.get_by_role("link", name="Jobs", exact=True).last.click()
    row = page.locator("[data-job]", has_text="deletion of a tenant").first
    row.wait_for()
    assert row.get_by_role("button").count() == 0, "it can't be cancelled"


def test_what_is_refused_says_what_to_do(signed_in: Any, home: RunningHome, http: httpx2.Client, tenant: str) -> None:
    page = signed_in
    _open(page, home)
    page.get_by_role("button", name="New tenant").click()
    form = page.get_by_role("form", name="New tenant")
    form.get_by_label("Name").fill(tenant)
    form.get_by_role("button", name="Make the tenant").click()
    form.get_by_role("alert").get_by_text("Choose another name, or change that one").wait_for()
    http.delete(f"/v1/tenants/{tenant}").raise_for_status()
    form.get_by_role("button", name="Make the tenant").click()
    form.get_by_role("alert").get_by_text("is being deleted. Wait until").wait_for()
    form.get_by_label("Name").fill("Not A Name")
    form.get_by_role("button", name="Make the tenant").click()
    assert page.evaluate("document.activeElement.validity.patternMismatch")
    page.goto(f"{home.base_url}/console/#/operations/tenants/nobody")
    page.get_by_role("alert").get_by_text("There is no tenant “nobody”").wait_for()
    page.get_by_role("link", name="All tenants").click()
    page.get_by_role("link", name="default", exact=True).first.click()
    page.get_by_text("only an admin key of another tenant can delete it").wait_for()
    assert page.get_by_role("button", name="Delete").count() == 0


def test_a_key_that_is_no_admin_sees_no_tenant_but_its_own_name(page: Any, home: RunningHome, tenant: str) -> None:
    made = home.client.keys.create("looks", tenant="looking", scopes=["chat", "documents", "search"])
    page.goto(f"{home.base_url}/console/#/operations/tenants/{tenant}")
    page.get_by_label("API key").fill(made.secret)
    page.keyboard.press("Enter")
    page.get_by_text("Everything works.").wait_for()
    assert page.locator(".sided nav a").all_text_contents() == ["Health", "Models", "Jobs"]
    assert tenant not in page.content()
    asked = httpx2.get(f"{home.base_url}/v1/tenants", headers={"Authorization": f"Bearer {made.secret}"})
    assert asked.status_code == 403
