"""Budgets hold for the rerank model of a search, and a collection is given one that its key may name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.installation import CHAT, EMBEDDER, FREE, RERANKER, Installation

from contracts.models.catalog import ModelInfo
from contracts.operations.documents import CREATE_COLLECTION, REINDEX_COLLECTION, UPDATE_COLLECTION
from contracts.operations.operation import Operation
from gateway.chat.answer_start import PATH
from gateway.chat.service import chat
from gateway.limits.errors import BudgetExceeded, PriceUnknown
from gateway.models.errors import ModelNotFound, NoReranker, WrongModelKind
from gateway.proxy.service import proxy
from gateway.proxy.vector_calls import search_collection
from servicekit.core.errors import ServiceError, Unprocessable

EMBEDS = EMBEDDER.model_copy(update={"price": FREE})
NAMELESS = RERANKER.model_copy(update={"id": "nameless", "price": None})
DEFAULT = RERANKER.model_copy(update={"default": True})
TUNED = ModelInfo(id="r+a", kind="rerank", tenant="acme")
OTHERS = ModelInfo(id="r+b", kind="rerank", tenant="globex")
SIZES = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}, "created_at": "2026-11-01T00:00:00Z"}
SPENT, SOME = [{"window": "day", "usd": "0"}], [{"window": "day", "usd": "1"}]


def _shown(installation: Installation, name: str, **settings: Any) -> None:
    shown = {"name": name, "embedding_model": "e", **SIZES, **settings}
    installation.retriever.answers(f"/v1/collections/{name}", shown)


async def _search(installation: Installation, budgets: list[dict[str, str]], **options: Any) -> None:
    installation.retriever.answers("/v1/search", {"hits": [], "usage": {"rerank_tokens": 20}})
    key = await installation.principal(budgets=budgets)
    caller = Caller.of({"query": "q", **options}).at(name="a")
    async with installation.deps.meter.call(key, "search", "req_1") as call:
        await search_collection(caller.exchange, installation.deps, call)


async def _answer(installation: Installation, budgets: list[dict[str, str]], **options: Any) -> None:
    whole = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
    installation.agent.answers(PATH, {"id": "1", "model": "rag:a", **whole})
    key = await installation.principal(budgets=budgets)
    body = {"model": "rag:a", "messages": [{"role": "user", "content": "q"}], "groundwork": options}
    await chat(Caller.of(body).exchange, installation.deps, key)


@pytest.mark.parametrize("ask", [_search, _answer])
async def test_a_spent_budget_lets_nothing_be_reranked_by_a_model_that_costs(
    installation: Installation, ask: Any
) -> None:
    installation.offer(CHAT, EMBEDS, DEFAULT, NAMELESS)
    _shown(installation, "a", rerank=False)
    for options in ({"rerank_model": "r"}, {"rerank": True}, {"rerank_model": "default"}):
        with pytest.raises(BudgetExceeded):
            await ask(installation, SPENT, **options)
    with pytest.raises(PriceUnknown):
        await ask(installation, SOME, rerank_model="nameless")
    for unranked in ({}, {"rerank": False}, {"rerank": False, "rerank_model": "nameless"}):
        await ask(installation, SPENT, **unranked)  # what is not reranked costs what it did


@pytest.mark.parametrize("ask", [_search, _answer])
async def test_a_budget_holds_for_the_rerank_model_of_the_collection_too(installation: Installation, ask: Any) -> None:
    installation.offer(CHAT, EMBEDS, DEFAULT, NAMELESS)
    _shown(installation, "a", rerank=True)
    with pytest.raises(BudgetExceeded):
        await ask(installation, SPENT)
    await ask(installation, SPENT, rerank=False)
    _shown(installation, "a", rerank=True, rerank_model="nameless")
    with pytest.raises(PriceUnknown):
        await ask(installation, SOME)
    await ask(installation, [])
    _shown(installation, "a", rerank=False, rerank_model="nameless")
    await ask(installation, SPENT)


@pytest.mark.parametrize("options", [{}, {"rerank": True}, {"rerank_model": "r"}])
async def test_a_rerank_model_that_is_free_or_is_none_needs_no_budget_and_nothing_more_is_asked(
    installation: Installation, options: dict[str, Any]
) -> None:
    installation.offer(CHAT, EMBEDS, DEFAULT.model_copy(update={"price": FREE}))
    await _search(installation, SPENT, **options)
    if "rerank_model" not in options:
        installation.offer(CHAT, EMBEDS)
        await _search(installation, SPENT, **options)
    assert {asked.path for asked in installation.retriever.asked} == {"/v1/search"}


async def test_what_is_reranked_is_charged_what_was_read(installation: Installation) -> None:
    installation.offer(CHAT, EMBEDS, DEFAULT)
    await _search(installation, SOME, rerank=True)
    assert [row["cost_nano_usd"] for row in await installation.rows()] == [20_000]


async def _give(installation: Installation, spec: Operation[Any], body: Any, models: list[str] | None = None) -> None:
    installation.ingest.answers("/v1/collections", {})
    installation.ingest.answers("/v1/collections/a", {})
    key = await installation.principal(models=models)
    caller = Caller.of(body).at(name="a")
    await proxy(caller.exchange, installation.deps, key, spec)
    assert caller.status == 200


@pytest.mark.parametrize("spec", [CREATE_COLLECTION, UPDATE_COLLECTION], ids=["created", "changed"])
async def test_a_collection_is_given_a_rerank_model_that_its_key_may_name(
    installation: Installation, spec: Operation[Any]
) -> None:
    installation.offer(CHAT, EMBEDDER, RERANKER, TUNED, OTHERS)
    name = {"name": "a"} if spec is CREATE_COLLECTION else {}
    refused: list[tuple[str, list[str] | None, type[ServiceError]]] = [
        ("gone", None, ModelNotFound),
        ("r+b", None, ModelNotFound),
        ("r+a", ["m"], ModelNotFound),
        ("m", None, WrongModelKind),
        ("e", None, WrongModelKind),
    ]
    for model, models, error in refused:
        with pytest.raises(error):
            await _give(installation, spec, {**name, "rerank_model": model}, models)
    unread = Caller(json.dumps({**name, "rerank_model": "gone"}).encode("utf-16")).at(name="a")
    with pytest.raises(Unprocessable):
        await proxy(unread.exchange, installation.deps, await installation.principal(), spec)
    assert installation.ingest.asked == []
    for model, models in (("r+a", None), ("r", ["r"]), ("default", ["m"])):
        await _give(installation, spec, {**name, "rerank_model": model}, models)
    await _give(installation, spec, {**name, "rerank": True}, ["m"])
    await _give(installation, spec, {**name, "rerank_model": 7})  # its service says what is wrong
    assert len(installation.ingest.asked) == 5


async def test_where_there_is_no_rerank_model_a_collection_is_given_none(installation: Installation) -> None:
    installation.offer(CHAT, EMBEDDER)
    with pytest.raises(NoReranker):
        await _give(installation, UPDATE_COLLECTION, {"rerank_model": "r"})
    await _give(installation, UPDATE_COLLECTION, {"rerank_model": "default", "rerank": True})


async def test_bodies_of_other_calls_are_nobodys_to_read(installation: Installation) -> None:
    installation.ingest.answers("/v1/collections/a/reindex", {})
    caller = Caller.of({"rerank_model": "gone"}).at(name="a")
    await proxy(caller.exchange, installation.deps, await installation.principal(), REINDEX_COLLECTION)
    assert caller.status == 200
