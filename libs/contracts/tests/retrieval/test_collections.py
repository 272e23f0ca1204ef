from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field
from pydantic import BaseModel

from contracts.retrieval.collections import Chunking, CollectionChange, CollectionCreate, VectorOptions


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (CollectionCreate, {"name": "Upper"}, "name"),
        (CollectionCreate, {"name": "ok", "colour": 1}, "colour"),
        (CollectionCreate, {"name": "ok", "description": "a\u0000b"}, "description"),
        (CollectionCreate, {"name": "ok", "description": "x" * 2001}, "description"),
        (CollectionCreate, {"name": "ok", "language": "english"}, "language"),
        (CollectionCreate, {"name": "ok", "language": "EN"}, "language"),
        (CollectionCreate, {"name": "ok", "language": "en\n"}, "language"),
        (CollectionCreate, {"name": "ok", "vectors": {"on_disc": True}}, "vectors"),
        (Chunking, {"strategy": "magic"}, "strategy"),
        (Chunking, {"max_tokens": 15}, "max_tokens"),
        (Chunking, {"max_tokens": 8193}, "max_tokens"),
        (Chunking, {"overlap": -1}, "overlap"),
        (VectorOptions, {"quantization": "ternary"}, "quantization"),
        (CollectionChange, {"description": "a\u0000b"}, "description"),
        (CollectionChange, {"name": "other"}, "name"),
        (CollectionChange, {"rerank": True, "embedding_model": "other"}, "embedding_model"),
    ],
)
def test_a_wrong_field_is_refused_by_name(model: type[BaseModel], body: dict[str, Any], field: str) -> None:
    assert refused_field(model, body) == field


def test_chunks_overlap_by_half_at_most() -> None:
    assert "at most half of max_tokens" in refusal(Chunking, {"max_tokens": 100, "overlap": 51})[1]
    assert Chunking(max_tokens=100, overlap=50).overlap == 50
    assert Chunking(overlap=4096).max_tokens is None, "as many as the model reads, which nobody knows here"


def test_a_collection_needs_no_more_than_a_name() -> None:
    assert CollectionCreate(name="a").model_dump() == {
        "name": "a",
        "description": "",
        "embedding_model": "auto",
        "chunking": {"strategy": "auto", "max_tokens": None, "overlap": 0},
        "language": "auto",
        "vectors": {"quantization": "none", "on_disk": False},
        "mode": "hybrid",
        "rerank_model": None,
        "rerank": False,
        "abstain": None,
        "delete_records": False,
    }


@pytest.mark.parametrize(
    "body", [{}, {"description": None}, dict.fromkeys(("description", "mode", "rerank", "delete_records"))]
)
def test_a_change_changes_something(body: dict[str, Any]) -> None:
    assert "give at least one of description, mode, rerank, delete_records" in refusal(CollectionChange, body)[1]


@pytest.mark.parametrize("body", [{"description": ""}, {"mode": "sparse"}, {"rerank": False}])
def test_an_empty_description_and_a_no_are_changes(body: dict[str, Any]) -> None:
    assert CollectionChange.model_validate(body).model_dump(exclude_none=True) == body
