from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest
from prometheus_client import REGISTRY
from services.retriever.tests.conftest import RERANKED, Bench

from contracts.core.errors import ErrorBody
from contracts.retrieval.search import Hit, Scores
from retriever.search.rerank import RerankStage
from retriever.testing.lexical_reranker import LexicalReranker
from servicekit.core.errors import NotFound, PeerError, ServiceError
from servicekit.peers.client import PeerUnreachable

WORDS = ["harbour", "lantern", "meadow", "copper", "violin", "glacier", "saffron", "turbine", "orchard", "pebble"]
QUERY = "zebra lantern harbour"


async def _fill(
    bench: Bench, name: str = "handbook", *, rerank: bool = False, rerank_model: str | None = None, documents: int = 10
) -> None:
    record = await bench.create(name, rerank=rerank, rerank_model=rerank_model)
    chance = random.Random(name)
    for at in range(documents):
        texts = [" ".join(chance.choices(WORDS, k=chance.randint(3, 25))) for _ in range(chance.randint(1, 6))]
        await bench.index(record, f"{name}-{at}", 1, texts)
    await bench.index(record, "short", 1, ["zebra zebra zebra zebra"])  # best by its rare word
    filler = "beside twelve longer words nobody wanted: granite, willow, compass, marble, thunder"
    await bench.index(record, "whole", 1, [f"{QUERY} {filler}"])


def _hit(number: int, score: float, text: str) -> Hit:
    return Hit(
        collection="c",
        document_id="d",
        revision=1,
        chunk_id=str(number),
        title="",
        source="",
        text=text,
        score=score,
        scores=Scores(fused=score),
        start=0,
        end=len(text),
    )


async def test_relevance_is_stretched_over_the_scores_and_averaged_with_them() -> None:
    hits = [_hit(0, 0.9, "lantern"), _hit(1, 0.8, "none"), _hit(2, 0.5, "lantern harbour"), _hit(3, 0.4, "behind")]
    reranking = RerankStage(LexicalReranker(), depth=3, seconds=1, weight=0.75)
    reordered = await reranking.rerank("default", "lantern harbour", hits, "token")
    assert [(hit.chunk_id, round(hit.score, 9)) for hit in reordered.hits] == [
        ("2", 0.8),  # 0.25 · 0.5 + 0.75 · 0.9, as it is the most relevant
        ("0", 0.75),  # 0.25 · 0.9 + 0.75 · 0.7, as it is half as relevant
        ("1", 0.575),  # 0.25 · 0.8 + 0.75 · 0.5, as it is the least relevant
        ("3", 0.4),
    ]
    assert [hit.scores.rerank for hit in reordered.hits] == [1.0, 0.5, 0.0, None]
    assert [hit.scores.fused for hit in reordered.hits] == [0.5, 0.9, 0.8, 0.4]


async def _ids(bench: Bench, **options: Any) -> list[str]:
    return [hit.chunk_id for hit in (await bench.search(QUERY, **options)).hits]


def _count(outcome: str) -> float:
    return REGISTRY.get_sample_value("groundwork_retriever_reranks_total", {"outcome": outcome}) or 0.0


@pytest.mark.parametrize("mode", ["hybrid", "dense", "sparse"])
async def test_the_first_hits_change_places_and_the_rest_stay(bench: Bench, mode: str) -> None:
    await _fill(bench)
    before = (await bench.search(QUERY, limit=40, mode=mode)).hits
    reply = await bench.search(QUERY, limit=40, mode=mode, rerank=True)
    after = reply.hits
    assert {hit.chunk_id for hit in after[:RERANKED]} == {hit.chunk_id for hit in before[:RERANKED]}
    assert before[0].document_id != "whole"
    assert after[0].document_id == "whole"
    assert after[RERANKED:] == before[RERANKED:]
    assert all(hit.scores.rerank is not None for hit in after[:RERANKED])
    scores = [hit.score for hit in after]
    assert scores == sorted(scores, reverse=True)
    assert max(scores) <= before[0].score
    assert reply.degraded == []
    assert reply.usage.rerank_tokens > 0
    assert "rerank" in reply.timings


@pytest.mark.parametrize("group_by", [None, "document"])
@pytest.mark.parametrize("size", [1, 5, 7, 20])
async def test_pages_are_slices_of_one_reranked_list(bench: Bench, group_by: str | None, size: int) -> None:
    await _fill(bench)
    options: dict[str, Any] = {"rerank": True, "group_by": group_by}
    whole = await _ids(bench, limit=100, **options)
    pages = [await _ids(bench, limit=size, offset=at, **options) for at in range(0, len(whole), size)]
    assert list(itertools.chain.from_iterable(pages)) == whole
    assert len(set(whole)) == len(whole)


async def test_a_page_behind_the_reranked_hits_asks_no_model(bench: Bench) -> None:
    await _fill(bench)
    await bench.search(QUERY, offset=RERANKED, rerank=True)
    assert bench.reranker.calls == []


async def test_the_model_reads_title_and_text_of_the_best_hits(bench: Bench) -> None:
    await _fill(bench)
    best = (await bench.search(QUERY, limit=RERANKED)).hits
    await bench.search(QUERY, limit=1, rerank=True)
    assert bench.reranker.calls == [(QUERY, [f"{hit.title}\n{hit.text}" for hit in best])]


@pytest.mark.parametrize(("first", "second", "asked", "reranked"), [
    (True, True, None, True),
    (True, False, None, False),
    (False, False, None, False),
    (False, False, True, True),
    (True, True, False, False),
])  # fmt: skip
async def test_a_search_that_says_nothing_is_reranked_if_all_its_collections_are_set_to_it(
    bench: Bench, *, first: bool, second: bool, asked: bool | None, reranked: bool
) -> None:
    await _fill(bench, "first", rerank=first, documents=3)
    await _fill(bench, "second", rerank=second, documents=3)
    reply = await bench.search(QUERY, ["first", "second"], rerank=asked)
    assert (reply.hits[0].scores.rerank is not None) is reranked
    assert len(bench.reranker.calls) == reranked


@pytest.mark.parametrize(("first", "second", "asked", "by"), [
    (None, None, {"rerank": True}, "default"),
    ("own", "own", {"rerank": True}, "own"),
    ("own", None, {"rerank": True}, "default"),
    ("own", "own", {"rerank_model": "tuned"}, "tuned"),
    ("own", "own", {"rerank_model": "default"}, "default"),
    ("own", "own", {"rerank_model": "tuned", "rerank": False}, None),
])  # fmt: skip
async def test_the_model_that_a_search_names_reranks_it_else_that_of_all_its_collections(
    bench: Bench, *, first: str | None, second: str | None, asked: dict[str, Any], by: str | None
) -> None:
    await _fill(bench, "first", rerank_model=first, documents=3)
    await _fill(bench, "second", rerank_model=second, documents=3)
    usage = (await bench.search(QUERY, ["first", "second"], **asked)).usage
    assert bench.reranker.models == ([] if by is None else [by])
    assert usage.rerank_model == (None if by == "default" else by)


async def test_out_of_time_hits_stay_as_they_were_found_and_the_call_is_given_up(bench: Bench) -> None:
    await _fill(bench)
    before, never, counted = (await bench.search(QUERY)).hits, asyncio.Event(), _count("timeout")

    async def wait_for_ever() -> None:
        await never.wait()

    bench.reranker.meanwhile = wait_for_ever
    reply = await bench.search(QUERY, rerank=True)
    assert (reply.hits, reply.degraded, reply.usage.rerank_tokens) == (before, ["rerank_timeout"], 0)
    assert bench.reranker.abandoned == 1
    assert _count("timeout") == counted + 1


@pytest.mark.parametrize("failure", [PeerUnreachable("inference"), NotFound("No rerank model is configured.")])
async def test_without_a_reranker_hits_stay_as_they_were_found(bench: Bench, failure: ServiceError) -> None:
    await _fill(bench)
    before, counted = (await bench.search(QUERY)).hits, _count("unavailable")
    bench.reranker.failure = failure
    reply = await bench.search(QUERY, rerank=True)
    assert (reply.hits, reply.degraded) == (before, ["rerank_unavailable"])
    assert _count("unavailable") == counted + 1


@pytest.mark.parametrize("code", ["model_not_found", "no_reranker"])
async def test_a_rerank_model_that_does_not_exist_is_told_from_one_that_is_away(bench: Bench, code: str) -> None:
    await _fill(bench, rerank=True, rerank_model="gone")
    gone = ErrorBody(type="not_found", code=code, message="There is no rerank model 'gone'.")
    bench.reranker.failure = PeerError(404, gone)
    before, counted = (await bench.search(QUERY, rerank=False)).hits, _count("unavailable")
    for options, says in (({}, "rerank_model_unknown"), ({"rerank_model": "default"}, "rerank_unavailable")):
        reply = await bench.search(QUERY, **options)
        assert (reply.hits, reply.degraded) == (before, [says])
    assert _count("unavailable") == counted + 2


async def test_a_least_score_keeps_the_same_hits_with_rerank_and_without(bench: Bench) -> None:
    await _fill(bench)
    least = (await bench.search(QUERY, limit=20)).hits[8].score
    plain = (await bench.search(QUERY, limit=100, min_score=least)).hits
    reranked = (await bench.search(QUERY, limit=100, min_score=least, rerank=True)).hits
    assert {hit.chunk_id for hit in reranked} == {hit.chunk_id for hit in plain}
    assert all(hit.score >= least - 1e-9 for hit in reranked)


async def test_a_model_without_an_opinion_changes_nothing(bench: Bench) -> None:
    await _fill(bench)
    plain = (await bench.search("xylophone", limit=20)).hits
    reranked = (await bench.search("xylophone", limit=20, rerank=True)).hits
    assert [(hit.chunk_id, hit.score) for hit in reranked] == [(hit.chunk_id, hit.score) for hit in plain]


async def test_nothing_found_asks_no_model(bench: Bench) -> None:
    await bench.create()
    reply = await bench.search(QUERY, rerank=True)
    assert (reply.hits, reply.degraded, bench.reranker.calls) == ([], [], [])
