"""What the wire models refuse, and that a refusal names the field."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from contracts.access.delegation import Delegation
from contracts.access.keys import KeyCreate, KeyPatch
from contracts.access.routes import RouteSpec
from contracts.agents.agents import AgentCreate
from contracts.documents.documents import DocumentCreate
from contracts.models.catalog import EmbeddingRequest, RerankRequest
from contracts.models.chat import ChatRequest, Message
from contracts.retrieval.chunks import ChunkInput
from contracts.retrieval.collections import Chunking, CollectionCreate
from contracts.retrieval.search import Condition, Filter, Range, SearchOptions

CHUNK = {"ordinal": 0, "text": "ab", "start": 3, "end": 5}


def nested(levels: int) -> Any:
    """A list in a list and so on."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


HALF = {"type": "text", "text": "\udfff"}
ASK = {"model": "rag:a", "messages": [{"role": "user", "content": "Why?"}]}


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (CollectionCreate, {"name": "Upper"}, "name"),
        (CollectionCreate, {"name": "ok", "colour": 1}, "colour"),
        (Chunking, {"strategy": "magic"}, "strategy"),
        (DocumentCreate, {"text": "a", "document_id": "a/b"}, "document_id"),
        (DocumentCreate, {"text": "a", "document_id": ".."}, "document_id"),
        (DocumentCreate, {"text": "a", "document_id": "."}, "document_id"),
        (CollectionCreate, {"name": "ok", "description": "a\u0000b"}, "description"),
        (KeyCreate, {"name": "a\u0000b", "tenant": "t", "scopes": ["chat"]}, "name"),
        (KeyCreate, {"name": "a\ud800", "tenant": "t", "scopes": ["chat"]}, "name"),
        (KeyCreate, {"name": "a", "tenant": "t", "scopes": ["chat"], "models": ["\ud800"]}, "models"),
        (KeyPatch, {"models": ["\ud800"]}, "models"),
        (AgentCreate, {"name": "a", "instructions": "\ud800"}, "instructions"),
        (AgentCreate, {"name": "a", "model": "\ud800"}, "model"),
        (RouteSpec, {"targets": [{"model": "\ud800"}]}, "targets"),
        (DocumentCreate, {"text": "\ud800"}, "text"),
        (DocumentCreate, {"text": "a", "title": "\ud800"}, "title"),
        (EmbeddingRequest, {"input": []}, "input"),
        (EmbeddingRequest, {"input": ["a", ""]}, "input"),
        (EmbeddingRequest, {"input": ["a"] * 2049}, "input"),
        (EmbeddingRequest, {"input": [1, 2]}, "input"),
        (SearchOptions, {"query": ""}, "query"),
        (SearchOptions, {"query": "a", "limit": 1000}, "limit"),
        (SearchOptions, {"query": "a", "mode": "psychic"}, "mode"),
        (Condition, {"key": "secret", "match": 1}, "key"),
        (ChatRequest, {**ASK, "temperature": float("nan")}, "temperature"),
        (ChatRequest, {**ASK, "max_tokens": -1}, "max_tokens"),
        (ChatRequest, {**ASK, "max_tokens": 10**400}, "max_tokens"),
        (ChatRequest, {**ASK, "max_completion_tokens": 10**400}, "max_completion_tokens"),
        (ChatRequest, {**ASK, "stop": ["\ud800"]}, "stop"),
        (ChatRequest, {**ASK, "messages": [{"role": "user", "content": "\ud800"}]}, "messages"),
        (ChatRequest, {**ASK, "messages": [{"role": "user", "content": [HALF]}]}, "messages"),
        (ChatRequest, {**ASK, "tools": nested(101)}, "tools"),
        (EmbeddingRequest, {"input": ["a", "\ud800"]}, "input"),
        (RerankRequest, {"query": "a", "documents": ["\ud800"]}, "documents"),
        (ChatRequest, {**ASK, "messages": []}, "messages"),
        (ChatRequest, {**ASK, "seed": 2**63}, "seed"),
        (ChatRequest, {**ASK, "frequency_penalty": float("nan")}, "frequency_penalty"),
        (ChatRequest, {**ASK, "tools": [{"function": {"parameters": {"maximum": float("inf")}}}]}, "tools"),
        (ChatRequest, {**ASK, "metadata": {"a": ["b", "\ud800"]}}, "metadata"),
        (ChatRequest, {**ASK, "messages": [{"role": "user", "content": "a", "x": float("nan")}]}, "messages"),
        (ChatRequest, {**ASK, "groundwork": {"top_k": 0}}, "groundwork"),
    ],
)
def test_a_wrong_field_is_refused_by_name(model: type[BaseModel], body: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    assert refused.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (DocumentCreate, {}),
        (DocumentCreate, {"text": "a", "url": "https://example.org"}),
        (Condition, {"key": "metadata.team"}),
        (Condition, {"key": "metadata.team", "match": 1, "range": {"gt": 1}}),
        (Range, {}),
        (Chunking, {"max_tokens": 100, "overlap": 51}),
        (ChunkInput, {**CHUNK, "end": 6}),
    ],
)
def test_fields_that_contradict_one_another_are_refused(model: type[BaseModel], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(body)


def test_a_filter_of_the_public_api_is_accepted_as_documented() -> None:
    filters = Filter.model_validate(
        {
            "must": [{"key": "metadata.team", "match": "hr"}, {"key": "metadata.year", "range": {"gte": 2024}}],
            "must_not": [{"key": "document_id", "match": ["a", "b"]}],
        }
    )
    assert [condition.key for condition in filters.must] == ["metadata.team", "metadata.year"]


def test_a_chunks_span_counts_code_points() -> None:
    assert ChunkInput.model_validate({**CHUNK, "text": "é😀"}).text == "é😀"


def test_fields_that_only_the_upstream_model_knows_are_kept() -> None:
    request = ChatRequest.model_validate({**ASK, "logit_bias": {"5": 1}})
    assert request.model_dump(exclude_unset=True)["logit_bias"] == {"5": 1}


def test_the_text_of_a_message_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}]
    assert Message.model_validate({"role": "user", "content": parts}).plain_text() == "a\nb"


def test_no_list_means_all_and_an_empty_list_means_none() -> None:
    everything = Delegation(audiences=("ingest",), tenant="t", key_id="k", request_id="r")
    nothing = everything.model_copy(update={"collections": (), "models": ()})
    assert everything.allows_collection("a")
    assert everything.allows_model("m")
    assert not nothing.allows_collection("a")
    assert not nothing.allows_model("m")
