from __future__ import annotations

import json
import threading

import httpx2
import pytest
from cli.tests.server import client_of, error

from groundwork.client import ApiError
from groundwork.evaluation.questions import Question
from groundwork.evaluation.searches import Found, NoReranker, Way, ask_all

QUESTIONS = [Question(f"q{number}", f"what is {number}?", {f"d{number}": 1}, "file, line 1") for number in range(12)]
WAYS = [Way("hybrid"), Way("sparse")]


def reply(*ids: str, degraded: tuple[str, ...] = ()) -> httpx2.Response:
    hit = {"collection": "c", "revision": 1, "title": "t", "source": "s", "text": "x", "score": 1.0, "scores": {}}
    hits = [{**hit, "document_id": each, "chunk_id": each, "start": 0, "end": 1} for each in ids]
    return httpx2.Response(200, json={"hits": hits, "degraded": list(degraded), "collection_revision": 1})


def ask(handler: object, ways: list[Way] = WAYS, at_once: int = 3) -> dict[str, Found]:
    with client_of(handler) as client:  # type: ignore[arg-type]
        return ask_all(client, "c", QUESTIONS, ways, depth=20, at_once=at_once, progress=lambda done: None)


def asked(request: httpx2.Request) -> dict[str, object]:
    return dict(json.loads(request.content))


def number_of(request: httpx2.Request) -> str:
    return str(asked(request)["query"]).split()[-1].rstrip("?")


def test_each_question_is_asked_each_way_for_documents_to_the_depth_wanted() -> None:
    bodies: list[dict[str, object]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        bodies.append(asked(request))
        return reply(f"d{number_of(request)}") if asked(request)["mode"] == "hybrid" else reply()

    found = ask(handler)
    assert found["hybrid"].rankings == {question.id: list(question.relevant) for question in QUESTIONS}
    assert set(map(tuple, found["sparse"].rankings.values())) == {()}
    assert len(bodies) == 24
    assert all(body["limit"] == 20 and body["group_by"] == "document" and body["rerank"] is False for body in bodies)


def test_no_more_searches_are_under_way_than_wanted() -> None:
    lock, under_way, most = threading.Lock(), 0, 0
    together = threading.Barrier(3)

    def handler(request: httpx2.Request) -> httpx2.Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        together.wait(timeout=60)
        with lock:
            under_way -= 1
        return reply()

    ask(handler, at_once=3)
    assert most == 3


def test_a_busy_server_is_asked_again_and_a_broken_one_is_not() -> None:
    busy: set[str] = set()

    def sometimes_busy(request: httpx2.Request) -> httpx2.Response:
        body = request.content.decode()
        if body not in busy:
            busy.add(body)
            return error(429, "rate_limited", **{"Retry-After": "0"})
        return reply("d0")

    assert len(ask(sometimes_busy)["hybrid"].rankings) == 12
    calls = 0

    def broken(request: httpx2.Request) -> httpx2.Response:
        nonlocal calls
        calls += 1
        return error(500, "internal")

    with pytest.raises(ApiError):
        ask(broken)
    assert calls < 24


def test_without_a_reranker_reranking_is_refused_in_a_sentence() -> None:
    with pytest.raises(NoReranker, match="leave out --rerank"):
        ask(lambda request: reply("d1", degraded=("rerank_unavailable",)), [Way("hybrid", rerank=True)])


def test_searches_that_went_without_something_are_counted() -> None:
    found = ask(lambda request: reply("d1", degraded=("dense_unavailable",)))
    assert found["hybrid"].degraded == {"dense_unavailable": 12}
