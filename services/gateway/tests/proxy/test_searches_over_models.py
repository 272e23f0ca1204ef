"""A search over collections with different embedding models: each is paid at its own price."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.installation import CHAT, EMBEDDER, Installation

from contracts.core.errors import ErrorBody
from contracts.models.catalog import ModelInfo, ModelPrice
from contracts.operations.reach import SEARCH
from contracts.retrieval.search import SearchRequest
from gateway.auth.keys import Principal
from gateway.chat.answer_start import PATH
from gateway.chat.service import chat
from gateway.guardrails.screen import Screen
from gateway.limits.errors import LimitReached
from gateway.proxy.vector_calls import search, usage_of
from gateway.usage.report import UsageQuestion, usage_report
from servicekit.core.errors import PeerError

DEAR = ModelInfo(id="dear", kind="embedding", price=ModelPrice(prompt_usd_per_million=Decimal("100.0004")))
NAMELESS = ModelInfo(id="nameless", kind="embedding")
BOTH = {"embedding_model": None, "embedding_tokens": 8, "embeddings": {"e": 3, "dear": 5}, "rerank_tokens": 0}
COST = 3 * 1000 + 500_002


async def _search(installation: Installation, key: Principal, *names: str, parent: str | None = None) -> Caller:
    request = SearchRequest(collections=list(names), query="abc")
    caller = Caller.of(request.model_dump())
    async with installation.deps.meter.call(key, "search", "req_1", parent) as call:
        await search(caller.exchange, installation.deps, call, request, Screen(key.guardrails, SEARCH))
    return caller


async def _key(installation: Installation, **wanted: Any) -> Principal:
    installation.offer(CHAT, EMBEDDER, DEAR)
    return await installation.principal(**wanted)


async def test_each_models_tokens_are_paid_at_its_price_in_one_row_and_the_usage_agrees(
    installation: Installation,
) -> None:
    key = await _key(installation)
    installation.retriever.answers("/v1/search", {"hits": [], "usage": BOTH})
    await _search(installation, key, "a", "b")
    (row,) = await installation.rows()
    assert (row["model"], row["embedding_tokens"], row["cost_nano_usd"]) == ("dear,e", 8, COST)
    now = installation.deps.clock.now()
    question = UsageQuestion("model", now - timedelta(days=1), now + timedelta(days=1), "acme")
    (told,) = await usage_report(installation.deps.database, question)
    assert (told.group, told.cost_usd, told.unpriced_requests) == ("dear,e", Decimal(COST).scaleb(-9), 0)


async def test_a_price_that_nobody_knows_among_others_leaves_the_cost_unknown(installation: Installation) -> None:
    installation.offer(CHAT, EMBEDDER, NAMELESS)
    key = await installation.principal()
    used = {"embedding_tokens": 8, "embeddings": {"e": 3, "nameless": 5}}
    installation.retriever.answers("/v1/search", {"hits": [], "usage": used})
    await _search(installation, key, "a", "b")
    (row,) = await installation.rows()
    assert (row["model"], row["embedding_tokens"], row["cost_nano_usd"]) == ("e,nameless", 8, None)


async def test_tokens_that_no_model_is_told_of_have_no_known_cost(installation: Installation) -> None:
    key = await _key(installation)
    used = {"embedding_tokens": 9, "embedding_model": None, "embeddings": {"e": 3, "dear": 5}}
    installation.retriever.answers("/v1/search", {"hits": [], "usage": used})
    await _search(installation, key, "a", "b")
    (row,) = await installation.rows()
    assert (row["embedding_tokens"], row["cost_nano_usd"]) == (9, None)


async def test_what_the_first_model_read_is_paid_though_the_second_one_failed(installation: Installation) -> None:
    key = await _key(installation)
    used = {"embedding_model": "e", "embedding_tokens": 3, "embeddings": {"e": 3}, "rerank_tokens": 0}
    installation.retriever.answers("/v1/search", {"hits": [], "degraded": ["dense_unavailable"], "usage": used})
    await _search(installation, key, "a", "b")
    (row,) = await installation.rows()
    assert (row["model"], row["embedding_tokens"], row["cost_nano_usd"]) == ("e", 3, 3000)


async def test_what_was_read_is_paid_though_the_search_failed_then(installation: Installation) -> None:
    key = await _key(installation)
    told = ErrorBody(type="overloaded", code="not_ready", message="Inference is away.", usage={"embeddings": {"e": 3}})
    installation.retriever.answers("/v1/search", PeerError(503, told.model_copy(update={"usage": None})))
    with pytest.raises(PeerError):
        await _search(installation, key, "a", "b")
    installation.retriever.answers("/v1/search", PeerError(503, told))
    with pytest.raises(PeerError):
        await _search(installation, key, "a", "b")
    nothing, row = await installation.rows()
    assert (nothing["embedding_tokens"], nothing["cost_nano_usd"] or 0) == (0, 0)
    told_cost = (row["model"], row["embedding_tokens"], row["cost_nano_usd"], row["status"])
    assert told_cost == ("e", 3, 3000, 503)


async def test_a_budget_must_hold_every_model_that_may_read_the_query(installation: Installation) -> None:
    both = {"window": "day", "usd": "0.000101"}  # a token of each
    less = {"window": "day", "usd": "0.0001009"}
    installation.retriever.answers("/v1/search", {"hits": [], "usage": BOTH})
    enough, short = await _key(installation, budgets=[both]), await _key(installation, budgets=[less])
    with pytest.raises(LimitReached):
        await _search(installation, short, "a", "b")
    await _search(installation, short, "a", "a")  # one collection has one model
    await _search(installation, enough, "a", "b")


async def test_the_receipt_of_an_answer_from_two_collections_the_usage_and_the_ledger_agree(
    installation: Installation,
) -> None:
    key = await _key(installation)
    installation.retriever.answers("/v1/search", {"hits": [], "usage": BOTH})
    whole = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
    receipt = {"request_id": "r", "tokens": {}, "collection_revisions": {}}
    installation.agent.answers(PATH, {**whole, "groundwork": {"grounded": True, "receipt": receipt}})
    sizes = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}}
    for name, model in (("a", "e"), ("b", "dear")):
        shown = {"name": name, "embedding_model": model, **sizes, "created_at": "2026-11-01T00:00:00Z"}
        installation.retriever.answers(f"/v1/collections/{name}", shown)
    installation.agent.may_answer.clear()
    messages = [{"role": "user", "content": "hello"}]
    caller = Caller.of({"model": "rag:a,b", "messages": messages, "groundwork": {"include": ["receipt"]}})
    asking = asyncio.create_task(chat(caller.exchange, installation.deps, key))
    await asyncio.wait_for(installation.agent.was_asked.wait(), 120)
    outer = installation.verifier.verify(installation.agent.asked[-1].token, "agent").call_id
    await _search(installation, key, "a", "b", parent=outer)
    installation.agent.may_answer.set()
    await asking
    told = caller.json["groundwork"]["receipt"]
    rows = await installation.rows()
    assert told["tokens"]["embedding"] == sum(row["embedding_tokens"] for row in rows) == 8
    assert Decimal(told["cost_usd"]) == Decimal(sum(row["cost_nano_usd"] for row in rows)).scaleb(-9)
    assert Decimal(told["cost_usd"]) == Decimal(COST).scaleb(-9)


@pytest.mark.parametrize("name", ["a}b{", 'quo"te', "usage", "é"])
def test_usage_with_models_of_any_name_is_read_and_metadata_that_looks_like_it_is_not(name: str) -> None:
    used = {"embedding_tokens": 3, "embeddings": {name: 3}}
    reply = {"hits": [{"metadata": {"usage": {"embedding_tokens": 0}}}], "usage": used}
    revisions = {"collection_revision": 4, "collection_revisions": {"usage": 4}}
    for ascii_only in (True, False):
        assert usage_of(json.dumps({**reply, **revisions}, ensure_ascii=ascii_only).encode()) == used
