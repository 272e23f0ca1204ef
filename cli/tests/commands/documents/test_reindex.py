from __future__ import annotations

from typing import Any

import httpx2
import pytest
from cli.tests.server import Recorder, Serve, collection, job, sse
from cli.tests.terminal import output, sentence


def reindexing(ended: httpx2.Response, **after: Any) -> Recorder:
    """A server with a collection that keeps its vectors on disk."""
    before = collection(vectors={"quantization": "none", "on_disk": True})
    accepted = httpx2.Response(202, json={"job": job("queued", "queued")})
    return Recorder(httpx2.Response(200, json=before), accepted, ended, httpx2.Response(200, json=collection(**after)))


def test_what_serves_afterwards_is_told(serve: Serve) -> None:
    ended = sse(job(stage="copying", progress=0.5), job("ready", "done"))
    server = reindexing(ended, index={"generation": 2}, chunks=7, documents=2)
    serve(server)
    said = output("reindex", "c", "--embedding-model", "default")
    assert said.startswith("'c' serves generation 2: 7 chunks of 2 documents, model minilm, chunking auto, ")
    assert server.body(1) == {"embedding_model": "default"}
    assert server.calls[2] == "GET /v1/jobs/job-1/events"


def test_what_is_not_said_of_the_vectors_stays_as_it_is(serve: Serve) -> None:
    server = reindexing(sse(job("ready", "done")))
    serve(server)
    output("reindex", "c", "--quantization", "scalar")
    assert server.body(1) == {"vectors": {"quantization": "scalar", "on_disk": True}}


def test_a_job_that_fails_is_told_with_its_reason(serve: Serve) -> None:
    reason = {"code": "model_away", "message": "The model is away."}
    serve(reindexing(sse(job("failed", error=reason))))
    assert "The model is away." in sentence("reindex", "c", "--language", "de")


def test_a_cut_that_can_not_be_is_told_before_anything_is_asked(serve: Serve) -> None:
    serve(lambda request: pytest.fail(f"it asked for {request.url}"))
    assert "give that, too" in sentence("reindex", "c", "--overlap", "8")
