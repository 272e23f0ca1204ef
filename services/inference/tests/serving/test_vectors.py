from __future__ import annotations

import base64
import threading
from typing import Any

import numpy as np
from services.inference.tests.api.calls import error_of
from services.inference.tests.conftest import CHAT, EMBEDDING, Running, StartApp
from services.inference.tests.heads import encoded
from services.inference.tests.projections import lora, projection

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


MOVED: dict[str, Any] = {
    "kind": "embedding",
    "engine": "projection",
    "source": {"projection": projection(32)},
    "max_input_tokens": 16,
    "dimensions": 32,
}


def _digest(running: Running, name: str) -> str:
    """Of a model that is ready: its files are read beside that."""
    pause = threading.Event()
    for _ in range(6000):
        shown = next(model for model in running.get("/v1/models").json()["data"] if model["id"] == name)
        if shown["digest"] is not None:
            return str(shown["digest"])
        pause.wait(0.01)
    raise AssertionError(name)


def test_a_projection_is_an_embedding_model_of_its_own_whose_passages_are_the_other_s(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING | {"prefixes": {"query": "find ", "passage": "read this "}, "max_input_tokens": 64})
    running.until_ready()
    put = running.client.put("/v1/models/words+manuals", json=MOVED, headers=running.installation())
    told = put.json()
    assert (put.status_code, told["state"]) == (200, "ready")
    assert (told["embedding_model"], told["asymmetric"]) == ("words", True)
    words = next(model for model in running.get("/v1/models").json()["data"] if model["id"] == "words")
    assert words["embedding_model"] is None
    assert _digest(running, "words+manuals") != words["digest"]

    def embedded(model: str, kind: str) -> tuple[list[float], dict[str, int]]:
        body = {"model": model, "input": "a red car", "input_type": kind}
        reply = running.post("/v1/embeddings", body)
        assert reply.headers["X-Groundwork-Model"] == model
        return reply.json()["data"][0]["embedding"], reply.json()["usage"]

    assert embedded("words+manuals", "passage") == embedded("words", "passage")
    question, base = embedded("words+manuals", "query"), embedded("words", "query")
    moved = np.array(base[0]) + np.eye(32)[1] * base[0][0]
    np.testing.assert_allclose(question[0], moved / np.linalg.norm(moved), atol=1e-6)
    assert question[1] == base[1], "the prefix is the embedding model's, and counted once"
    refused = running.post("/v1/embeddings", {"model": "words+manuals", "input": "x", "input_type": "poem"})
    assert (refused.status_code, error_of(refused)["param"]) == (400, "input_type")


def test_another_projection_of_that_name_is_refused_once_it_has_answered(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING)
    running.until_ready()
    where, headers = "/v1/models/words+manuals", running.installation()
    assert running.client.put(where, json=MOVED, headers=headers).json()["state"] == "ready"
    assert running.client.delete(where, headers=headers).status_code < 300
    other = MOVED | {"source": {"projection": projection(32, up=encoded([0.0] * 31 + [1.0]))}}
    refused = running.client.put(where, json=other, headers=headers)
    assert (refused.status_code, error_of(refused)["code"]) == (409, "embedding_model_fixed")
    assert running.client.put(where, json=MOVED, headers=headers).status_code == 200


def test_matrices_beside_a_model_s_layers_leave_passages_as_they_are_and_need_an_encoder(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING)
    running.until_ready()
    learnt = lora(32, embedding_digest=None)
    declared = MOVED | {"engine": "lora", "source": {"lora": learnt}}
    refused = running.client.put("/v1/models/words+manuals", json=declared, headers=running.installation())
    assert (refused.status_code, error_of(refused)["param"]) == (422, "source.lora.embedding_digest")


def test_a_projection_of_itself_is_refused_and_not_called_for_ever(start: StartApp) -> None:
    running = start(CHAT, EMBEDDING)
    running.until_ready()
    around = MOVED | {"source": {"projection": projection(32, embedding_model="round")}}
    told = running.client.put("/v1/models/round", json=around, headers=running.installation()).json()
    assert told["state"] == "not_answering"
    refused = running.post("/v1/embeddings", {"model": "round", "input": "x"})
    assert (refused.status_code, error_of(refused)["code"]) == (409, "projection_unusable")
