from __future__ import annotations

from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, collection, error, job

from contracts.retrieval.collections import Chunking, VectorOptions
from groundwork.client import ApiError

THERE = httpx2.Response(200, json=collection())
MADE = httpx2.Response(201, json=collection())
GET, POST = "GET /v1/collections/c", "POST /v1/collections"


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ([THERE], [GET]),
        ([error(404, "collection_not_found"), MADE], [GET, POST]),
        ([error(404, "collection_not_found"), error(409, "collection_exists"), THERE], [GET, POST, GET]),
    ],
    ids=["it is there", "it is made", "somebody else makes it at the same moment"],
)
def test_a_collection_is_there_once_it_was_ensured(answers: list[httpx2.Response], calls: list[str]) -> None:
    server = Recorder(*answers)
    assert client_of(server).collections.ensure("c").name == "c"
    assert server.calls == calls


@pytest.mark.parametrize(
    "answers", [[error(403, "no_scope")], [error(404, "collection_not_found"), error(403, "no_scope")]]
)
def test_a_collection_that_may_not_be_seen_or_made_is_not_ensured(answers: list[httpx2.Response]) -> None:
    with pytest.raises(ApiError) as caught:
        client_of(Recorder(*answers)).collections.ensure("c")
    assert caught.value.status == 403


def test_a_new_collection_is_asked_for_with_all_its_defaults() -> None:
    server = Recorder(MADE)
    client_of(server).collections.create("c", chunking=Chunking(strategy="fixed", max_tokens=64))
    said: dict[str, Any] = {
        "name": "c",
        "description": "",
        "embedding_model": "auto",
        "language": "auto",
        "mode": "hybrid",
        "rerank": False,
        "rerank_model": None,
        "abstain": None,
    }
    cut = {"strategy": "fixed", "max_tokens": 64, "overlap": 0}
    said |= {"chunking": cut, "delete_records": False, "vectors": {"quantization": "none", "on_disk": False}}
    assert server.body() == said


def test_a_name_that_the_server_must_judge_is_sent_as_it_is() -> None:
    server = Recorder(error(422, "invalid_name"))
    with pytest.raises(ApiError, match="went wrong"):
        client_of(server).collections.create("No Name")
    assert server.body()["name"] == "No Name"


def test_a_change_says_only_what_is_to_be_otherwise() -> None:
    server = Recorder(THERE, THERE)
    with client_of(server) as client:
        client.collections.change("c", rerank=False)
        client.collections.change("c", description="")
    assert (server.body(0), server.body(1)) == ({"rerank": False}, {"description": ""})


def test_a_reindex_says_only_what_is_to_be_otherwise_and_gives_its_job() -> None:
    server = Recorder(httpx2.Response(202, json={"job": job(id="job-3", document_id="")}))
    wanted = VectorOptions(quantization="scalar")
    assert client_of(server).collections.reindex("c", vectors=wanted).id == "job-3"
    assert server.calls == ["POST /v1/collections/c/reindex"]
    assert server.body() == {"vectors": {"quantization": "scalar", "on_disk": False}}


def test_what_no_collection_can_be_called_is_refused_by_the_server_where_one_is_made() -> None:
    server = Recorder(error(422, "invalid_request", "name: so it can't be called."))
    with client_of(server) as client, pytest.raises(ApiError, match="can't be called"):
        client.collections.ensure("../models")
    assert server.calls == ["POST /v1/collections"]
