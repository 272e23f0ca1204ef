from __future__ import annotations

import io
from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, error

from groundwork.client import ApiError, Groundwork


def test_not_ready_is_an_answer_not_an_error() -> None:
    health = {
        "status": "unavailable",
        "service": "gateway",
        "version": "0",
        "parts": {"agent": {"ok": False, "detail": "away"}},
    }
    with client_of(lambda _: httpx2.Response(503, json=health)) as client:
        readiness = client.readiness()
    assert readiness.status == "unavailable"
    assert readiness.parts["agent"].detail == "away"


def test_vectors_come_in_the_order_of_the_texts() -> None:
    vectors = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    server = Recorder(httpx2.Response(200, json={"data": vectors, "model": "m", "usage": usage}))
    assert [each.embedding for each in client_of(server).embed(("a", "b"))] == [[0.0], [1.0]]
    assert server.body() == {"model": "default", "input": ["a", "b"]}


@pytest.mark.parametrize(
    ("labels", "sent"),
    [
        (None, {}),
        (("a", "b"), {"labels": ["a", "b"]}),
        ({"a": "about a"}, {"labels": [{"label": "a", "text": "about a"}]}),
    ],
)
def test_a_classification_has_the_labels_that_are_sent_or_else_its_models_own(
    labels: Any, sent: dict[str, Any]
) -> None:
    results = [{"label": "a", "scores": {"a": 0.75, "b": 0.25}}]
    server = Recorder(httpx2.Response(200, json={"model": "m", "results": results}))
    assert [each.label for each in client_of(server).classify(["x"], labels)] == ["a"]
    assert server.body() == {"model": "default", "input": ["x"], **sent}


def test_a_search_leaves_to_the_collection_what_was_not_said() -> None:
    server = Recorder(*(httpx2.Response(200, json={"hits": [], "collection_revision": 1}) for _ in range(2)))
    with client_of(server) as client:
        client.search("c", "q")
        client.search("c", "q", rerank=False, min_score=0.0)
    said = {"query": "q", "limit": 10, "offset": 0, "neighbours": 0}
    assert server.body(0) == said
    assert server.body(1) == {**said, "rerank": False, "min_score": 0.0}


def test_readiness_that_is_refused_is_an_error() -> None:
    with client_of(lambda _: error(401, "no_key")) as client, pytest.raises(ApiError) as caught:
        client.readiness()
    assert caught.value.code == "no_key"


def test_a_backup_is_written_as_it_comes_and_a_refusal_writes_nothing() -> None:
    into = io.BytesIO()
    with client_of(Recorder(httpx2.Response(200, content=b"tar"), error(403, "no_scope"))) as client:
        client.back_up(into)
        with pytest.raises(ApiError):
            client.back_up(into)
    assert into.getvalue() == b"tar"


def test_an_address_with_a_slash_at_its_end_is_the_same_address() -> None:
    assert Groundwork("http://groundwork.test/").base_url == "http://groundwork.test"
