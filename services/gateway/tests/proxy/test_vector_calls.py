from __future__ import annotations

from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.installation import ASYMMETRIC, CHAT, EMBEDDER, READER, RERANKER, Installation

from contracts.models.catalog import ModelInfo, ModelPrice
from gateway.auth.errors import CollectionNotAllowed, NotYours
from gateway.auth.keys import Principal
from gateway.models.errors import ModelNotFound, WrongModelKind
from gateway.proxy.vector_calls import JUDGEMENT_TOKENS, embed, read, rerank, search_collection
from servicekit.core.errors import UpstreamTimeout

EMBEDDED = {"data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}}
BULK = {"model": "e", "input": "hello", "priority": "bulk"}


def _key(**more: Any) -> Principal:
    return Principal("k1", "acme", frozenset({"chat", "search"}), **more)


async def _embed(
    installation: Installation, body: dict[str, Any], key: Principal | None = None, *, public: bool = True
) -> Caller:
    caller = Caller.of(body)
    parent = None if public else "call_0"
    async with installation.deps.meter.call(key or _key(), "embeddings", "req_1", parent) as call:
        await embed(caller.exchange, installation.deps, call, public=public)
    return caller


async def _rerank(installation: Installation, **more: Any) -> Caller:
    caller = Caller.of({"model": "r", "query": "q", "documents": ["a", "b"], **more})
    async with installation.deps.meter.call(_key(), "rerank", "req_1") as call:
        await rerank(caller.exchange, installation.deps, call)
    return caller


async def _search(installation: Installation, name: str, key: Principal | None = None, **options: Any) -> Caller:
    caller = Caller.of({"query": "q", **options}).at(name=name)
    async with installation.deps.meter.call(key or _key(), "search", "req_1") as call:
        await search_collection(caller.exchange, installation.deps, call)
    return caller


async def test_vectors_are_given_as_they_come_and_charged_by_what_was_read(installation: Installation) -> None:
    installation.inference.answers("/v1/embeddings", EMBEDDED)
    caller = await _embed(installation, {"model": "default", "input": ["hello", "é"]})
    assert caller.json == EMBEDDED
    assert installation.inference.asked[-1].json["model"] == "e"
    (row,) = await installation.rows()
    assert (row["embedding_tokens"], row["cost_nano_usd"], row["model"]) == (7, 7000, "e")


@pytest.mark.parametrize(("public", "priority"), [(True, "query"), (False, "bulk")])
async def test_only_services_know_what_is_bulk_and_it_may_take_longer(
    installation: Installation, public: bool, priority: str
) -> None:
    installation.inference.answers("/v1/embeddings", EMBEDDED)
    await _embed(installation, BULK, public=public)
    asked, settings = installation.inference.asked[-1], installation.settings
    assert asked.json["priority"] == priority
    seconds = settings.call_timeout_seconds if public else settings.answer_timeout_seconds
    assert asked.timeout_seconds == seconds


@pytest.mark.parametrize(
    ("model", "said", "public", "told"),
    [
        (ASYMMETRIC, None, True, "passage"),
        (ASYMMETRIC, "query", True, "query"),
        (ASYMMETRIC, None, False, None),
        (EMBEDDER, None, True, None),
        (EMBEDDER, "search_query", True, "search_query"),
    ],
)
async def test_texts_of_who_can_not_say_what_they_are_are_passages(
    installation: Installation, model: ModelInfo, said: str | None, public: bool, told: str | None
) -> None:
    installation.offer(model)
    installation.inference.answers("/v1/embeddings", EMBEDDED)
    await _embed(installation, {"model": model.id, "input": "hello", "input_type": said}, public=public)
    assert installation.inference.asked[-1].json["input_type"] == told


async def test_a_collections_own_model_is_used_also_for_a_key_that_may_not_choose_it(
    installation: Installation,
) -> None:
    installation.inference.answers("/v1/embeddings", EMBEDDED)
    limited = _key(models=("m",))
    with pytest.raises(ModelNotFound):
        await _embed(installation, BULK, limited)
    await _embed(installation, BULK, limited, public=False)
    with pytest.raises(WrongModelKind):
        await _embed(installation, {**BULK, "model": "m"}, limited)


@pytest.mark.parametrize("answer", [b"{}", b"[]", b"no json", b'{"usage": {"prompt_tokens": -1}}', b'{"usage": 7}'])
async def test_what_tells_no_usage_is_billed_as_it_was_let_in(installation: Installation, answer: bytes) -> None:
    installation.inference.answers("/v1/embeddings", answer)
    assert (await _embed(installation, {"model": "e", "input": "hello"})).pieces == [answer]
    (row,) = await installation.rows()
    assert (row["embedding_tokens"], row["cost_nano_usd"], row["estimated"]) == (4, 4000, True)


async def test_many_short_texts_are_reserved_with_their_marks(installation: Installation) -> None:
    installation.inference.answers("/v1/embeddings", {"data": []})
    await _embed(installation, {"model": "e", "input": ["a"] * 2048})
    (row,) = await installation.rows()
    assert (row["embedding_tokens"], row["estimated"]) == (3 * 2048, True)


async def test_work_that_took_too_long_was_done_and_is_paid_for(installation: Installation) -> None:
    installation.inference.answers("/v1/embeddings", UpstreamTimeout("x"))
    with pytest.raises(UpstreamTimeout):
        await _embed(installation, {"model": "e", "input": "hello"})
    (row,) = await installation.rows()
    assert (row["status"], row["embedding_tokens"], row["estimated"]) == (504, 4, True)


@pytest.mark.parametrize("usage", [{"total_tokens": 9}, {"prompt_tokens": 9}, {"total_tokens": 9, "prompt_tokens": 4}])
async def test_a_rerank_is_charged_by_all_that_it_read(installation: Installation, usage: dict[str, int]) -> None:
    installation.inference.answers("/v1/rerank", {"results": [], "usage": usage})
    await _rerank(installation)
    (row,) = await installation.rows()
    assert (row["prompt_tokens"], row["cost_nano_usd"], row["estimated"]) == (9, 9000, False)


async def test_a_rerank_reserves_the_query_once_for_each_document(installation: Installation) -> None:
    installation.inference.answers("/v1/rerank", {"results": []})
    await _rerank(installation, query="abc", documents=["abcabc", "abc"])
    (row,) = await installation.rows()
    assert (row["prompt_tokens"], row["estimated"]) == (9, True)


async def test_a_search_is_charged_for_its_query_and_its_rerank_and_metadata_that_looks_like_usage_is_none(
    installation: Installation,
) -> None:
    used = {"embedding_model": "e", "embedding_tokens": 3, "rerank_tokens": 20}
    hits = [{"text": "t", "metadata": {"usage": {"embedding_tokens": 999}}}]
    installation.retriever.answers("/v1/search", {"hits": hits, "usage": used})
    caller = await _search(installation, "handbook", limit=3)
    assert caller.json["hits"] == hits
    (asked,) = installation.retriever.asked
    assert (asked.json["collections"], asked.json["limit"]) == (["handbook"], 3)
    (row,) = await installation.rows()
    assert (row["embedding_tokens"], row["prompt_tokens"], row["cost_nano_usd"]) == (3, 20, 23_000)
    assert row["model"] == "e"


TUNED = ModelInfo(id="r+a", kind="rerank", tenant="acme")


async def test_a_search_is_charged_for_the_rerank_model_that_it_names_or_its_collection_does(
    installation: Installation,
) -> None:
    dear = TUNED.model_copy(update={"price": ModelPrice(prompt_usd_per_million=7)})
    installation.offer(EMBEDDER, RERANKER, dear)
    used = {"embedding_tokens": 0, "rerank_tokens": 20, "rerank_model": "r+a"}
    installation.retriever.answers("/v1/search", {"hits": [], "usage": used})
    await _search(installation, "handbook", rerank_model="r+a")
    (asked,) = installation.retriever.asked
    assert asked.json["rerank_model"] == "r+a"
    assert [row["cost_nano_usd"] for row in await installation.rows()] == [140_000]


async def test_a_search_names_a_rerank_model_that_its_key_sees(installation: Installation) -> None:
    installation.offer(CHAT, EMBEDDER, RERANKER, TUNED)
    with pytest.raises(ModelNotFound):
        await _search(installation, "handbook", rerank_model="gone")
    with pytest.raises(ModelNotFound):
        await _search(installation, "handbook", _key(models=("m",)), rerank_model="r+a")
    with pytest.raises(WrongModelKind):
        await _search(installation, "handbook", rerank_model="e")
    assert installation.retriever.asked == []


async def test_a_search_with_a_model_whose_price_nobody_knows_has_no_known_cost(installation: Installation) -> None:
    used = {"embedding_model": "elsewhere", "embedding_tokens": 3}
    installation.retriever.answers("/v1/search", {"hits": [], "usage": used})
    await _search(installation, "handbook")
    (row,) = await installation.rows()
    assert row["cost_nano_usd"] is None


async def test_a_collection_that_is_none_and_one_that_is_not_the_keys_are_searched_by_nobody(
    installation: Installation,
) -> None:
    with pytest.raises(NotYours):
        await _search(installation, "../other")
    with pytest.raises(CollectionNotAllowed):
        await _search(installation, "handbook", _key(collections=("other",)))
    assert installation.retriever.asked == []


async def _read(installation: Installation, **more: Any) -> Caller:
    caller = Caller.of({"question": "abc", "passages": ["abcabc", "abc"], **more})
    async with installation.deps.meter.call(_key(models=("m",)), "reading", "req_1", "call_0") as call:
        await read(caller.exchange, installation.deps, call)
    return caller


@pytest.mark.parametrize(
    ("usage", "tokens", "cost", "estimated"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}, (9, 4), 17_000, False),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cached": 2}, (0, 0), 0, False),
        ({}, (15, 3 * JUDGEMENT_TOKENS), 615_000, True),
    ],
)
async def test_a_reading_is_charged_by_what_was_read_and_written_and_what_was_known_is_free(
    installation: Installation, usage: dict[str, int], tokens: tuple[int, int], cost: int, estimated: bool
) -> None:
    price = ModelPrice(prompt_usd_per_million=1, completion_usd_per_million=2)  # type: ignore[arg-type]
    installation.offer(READER.model_copy(update={"price": price}))
    installation.inference.answers("/v1/reading", {"model": "reads", "usage": usage})
    await _read(installation, pairs=[{"premise": "abc", "sentence": "abc"}])
    (row,) = await installation.rows()
    assert (row["prompt_tokens"], row["completion_tokens"]) == tokens
    assert (row["cost_nano_usd"], row["estimated"], row["model"]) == (cost, estimated, "reads")
    assert installation.inference.asked[-1].json["model"] == "reads"


async def test_a_reader_that_writes_for_nothing_is_reckoned_to_write_nothing(installation: Installation) -> None:
    installation.offer(READER)
    installation.inference.answers("/v1/reading", {"model": "reads"})
    await _read(installation)
    (row,) = await installation.rows()
    assert (row["prompt_tokens"], row["completion_tokens"]) == (9, 0)
