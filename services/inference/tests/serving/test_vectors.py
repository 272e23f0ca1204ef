from __future__ import annotations

import base64
from typing import Any

import numpy as np
from services.inference.tests.api.calls import error_of
from services.inference.tests.conftest import CHAT, EMBEDDING, StartApp

from contracts.models.catalog import EmbeddingReply, RerankReply


def test_embeddings_are_normalised_and_the_same_in_both_encodings(running: Any) -> None:
    texts = ["a red car", "a red house", "entirely different words"]
    floats = EmbeddingReply.model_validate(running.post("/v1/embeddings", {"input": texts}).json())
    coded = running.post("/v1/embeddings", {"input": texts, "encoding_format": "base64"}).json()
    vectors = np.array([row.embedding for row in floats.data], dtype=np.float32)
    decoded = np.stack([np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4") for row in coded["data"]])
    np.testing.assert_array_equal(vectors, decoded)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert [row.index for row in floats.data] == [0, 1, 2]
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_a_text_longer_than_the_model_reads_is_counted_as_truncated(running: Any) -> None:
    usage = running.post("/v1/embeddings", {"input": ["short one", "word " * 40]}).json()["usage"]
    assert usage == {"prompt_tokens": 18, "total_tokens": 18, "truncated": 1}


def test_a_text_is_read_with_the_prefix_of_what_it_is(start: StartApp) -> None:
    prefixes = {"query": "find ", "passage": "read this "}
    running = start(CHAT, EMBEDDING | {"prefixes": prefixes, "languages": "all", "load": "when_used"})
    running.until_ready()

    def embedded(**more: Any) -> tuple[list[float], int]:
        reply = running.post("/v1/embeddings", {"input": "a red car", **more}).json()
        return reply["data"][0]["embedding"], reply["usage"]["prompt_tokens"]

    query, passage = embedded(input_type="search_query"), embedded(input_type="document")
    assert (query[1], passage[1]) == (4, 5), "the prefix is counted"
    assert query[0] != passage[0]
    assert embedded(priority="query") == embedded(input_type="query") == query
    assert embedded(priority="bulk") == passage
    refused = running.post("/v1/embeddings", {"input": "a", "input_type": "classification"})
    assert (refused.status_code, error_of(refused)["param"]) == (400, "input_type")
    (listed,) = [model for model in running.get("/v1/models").json()["data"] if model["kind"] == "embedding"]
    assert (listed["asymmetric"], listed["languages"]) == (True, "all")
    assert listed["context_length"] == 16 - len("read this ")


def test_a_model_that_is_loaded_when_used_gives_its_tokenizer_to_the_first_who_asks(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING | {"load": "when_used"})
    running.until_ready()
    assert running.get("/v1/models/words/tokenizer").status_code == 200


def test_ranked_documents_are_given_back_to_who_asks(running: Any) -> None:
    body = {"query": "red car", "documents": ["a blue boat", {"text": "the red car"}], "rank_fields": ["text"]}
    given = running.post("/v1/rerank", body | {"return_documents": True}).json()["results"]
    assert [result["document"] for result in given] == [{"text": "the red car"}, {"text": "a blue boat"}]
    assert all("document" not in result for result in running.post("/v1/rerank", body).json()["results"])


def test_what_asks_a_reranker_for_no_less_than_it_reads_is_taken(running: Any) -> None:
    body = {"query": "x", "documents": ["x"]}
    for harmless in ({"max_tokens_per_doc": 4096}, {"max_chunks_per_doc": 10}, {"return_documents": False}):
        assert running.post("/v1/rerank", body | harmless).status_code == 200
    answer = running.post("/v1/rerank", body | {"max_tokens_per_doc": 2})
    assert (answer.status_code, error_of(answer)["param"]) == (400, "max_tokens_per_doc")
    answer = running.post("/v1/rerank", body | {"documents": [{"title": "x"}]})
    assert answer.status_code == 422
    assert "number 0" in error_of(answer)["message"]


def test_rerank_gives_the_best_first(running: Any) -> None:
    body = {"query": "red car", "documents": ["a blue boat", "the red car", "a red boat"], "top_n": 2}
    answer = RerankReply.model_validate(running.post("/v1/rerank", body).json())
    assert [result.index for result in answer.results] == [1, 2]
    assert answer.usage["total_tokens"] > 0
