from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refusal, refused_field
from pydantic import BaseModel

from contracts.retrieval.chunks import ChunkBatch, ChunkInput, CommitRequest

CHUNK: dict[str, Any] = {"ordinal": 0, "text": "ab", "start": 3, "end": 5}
FACTS: dict[str, Any] = {"title": "A", "source": "a.md", "media_type": "text/plain"}


@pytest.mark.parametrize("end", [3, 4, 6])
def test_a_span_that_does_not_fit_its_text_is_refused(end: int) -> None:
    field, why = refusal(ChunkInput, {**CHUNK, "end": end})
    assert (field, "the length of text in code points" in why) == ("", True)


def test_a_chunks_span_counts_code_points() -> None:
    assert ChunkInput.model_validate({**CHUNK, "text": "é😀"}).text == "é😀"


def test_a_header_is_no_part_of_the_span() -> None:
    chunk = ChunkInput.model_validate({**CHUNK, "header": "Handbook > Leave", "heading_path": ["Leave"]})
    assert (chunk.header, chunk.text, chunk.embedding) == ("Handbook > Leave", "ab", None)


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (ChunkInput, {**CHUNK, "text": "", "end": 3}, "text"),
        (ChunkInput, {**CHUNK, "ordinal": -1}, "ordinal"),
        (ChunkInput, {**CHUNK, "start": -2, "end": 0}, "start"),
        (ChunkInput, {**CHUNK, "vector": [0.1]}, "vector"),
        (ChunkBatch, {"document": FACTS, "chunks": []}, "chunks"),
        (ChunkBatch, {"document": FACTS, "chunks": [CHUNK] * 513}, "chunks"),
        (ChunkBatch, {"document": {**FACTS, "metadata": {"a": float("nan")}}, "chunks": [CHUNK]}, "document"),
        (CommitRequest, {"document": FACTS, "chunks": -1}, "chunks"),
        (CommitRequest, {"chunks": 0}, "document"),
    ],
)
def test_a_wrong_field_is_refused_by_name(model: type[BaseModel], body: dict[str, Any], field: str) -> None:
    assert refused_field(model, body) == field


def test_a_document_without_text_is_committed_without_chunks() -> None:
    assert CommitRequest.model_validate({"document": FACTS, "chunks": 0}).chunks == 0
