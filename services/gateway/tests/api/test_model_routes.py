from __future__ import annotations

from typing import Any

import httpx2
import pytest
from services.gateway.tests.installation import CHAT, EMBEDDER, OTHER, Installation

from gateway.cache.store import StoreUnavailable


@pytest.fixture(autouse=True)
def _models(installation: Installation) -> None:
    installation.offer(CHAT, OTHER, EMBEDDER)


def _spec(**more: Any) -> dict[str, Any]:
    return {"targets": [{"model": "m"}], **more}


async def test_a_route_is_shown_as_it_was_put_with_the_models_that_stand_for_themselves(
    admin: httpx2.AsyncClient,
) -> None:
    put = await admin.put("/v1/routes/team/smart", json=_spec(on_error=["o"]))
    assert (put.status_code, put.json()["on_error"]) == (200, ["o"])
    listed = (await admin.get("/v1/routes")).json()["data"]
    assert [(route["name"], route["configured"]) for route in listed] == [
        ("team/smart", True), ("m", False), ("o", False),
    ]  # fmt: skip
    assert (listed[0]["updated_at"] is None, listed[1]["updated_at"] is None) == (False, True)
    assert (await admin.delete("/v1/routes/team/smart")).status_code == 204
    gone = await admin.delete("/v1/routes/team/smart")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "route_not_found")


async def test_the_default_is_no_route(admin: httpx2.AsyncClient) -> None:
    refused = await admin.put("/v1/routes/default", json=_spec())
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "route_name_reserved")


async def test_a_route_stands_on_chat_models_that_there_are_and_says_where_it_does_not(
    admin: httpx2.AsyncClient,
) -> None:
    for where in ("targets", "on_error", "on_context_overflow", "on_refusal"):
        for model in ("gone", "e"):
            named: Any = [{"model": "m"}, {"model": model}] if where == "targets" else ["o", model]
            refused = await admin.put("/v1/routes/smart", json=_spec(**{where: named}))
            error = refused.json()["error"]
            assert (refused.status_code, error["code"], error["param"]) == (400, "route_model_unknown", where)
    assert "smart" not in (await admin.get("/v1/routes")).text


@pytest.mark.parametrize(("query", "other_ends"), [("?tenant=acme", False), ("", True)])
async def test_cached_answers_end_for_one_tenant_or_for_all(
    admin: httpx2.AsyncClient, installation: Installation, query: str, other_ends: bool
) -> None:
    store = installation.deps.answer_cache._store
    before = [await store.get("x", tenant) for tenant in ("acme", "other")]
    assert (await admin.delete(f"/v1/cache{query}")).status_code == 204
    after = [await store.get("x", tenant) for tenant in ("acme", "other")]
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, other_ends]


async def test_while_the_cache_is_away_nothing_is_said_to_be_forgotten(
    admin: httpx2.AsyncClient, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(installation.deps.answer_cache._store, "raise_epoch", away)
    refused = await admin.delete("/v1/cache")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "cache_unreachable")
