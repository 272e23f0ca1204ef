from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refused_field
from openai.types.chat.chat_completion_message import Annotation as OpenAiAnnotation

from contracts.models.citations import Annotation

CITED: dict[str, Any] = {
    "url_citation": {"start_index": 4, "end_index": 7, "url": "/v1/collections/a/documents/d/content", "title": "D"},
    "index": 4,
    "marker": "[1]",
    "collection": "a",
    "document_id": "d",
    "revision": 1,
    "chunk_id": "d:0",
    "title": "D",
    "source": "d.md",
    "quote": "Yes",
    "start": 0,
    "end": 3,
    "score": 0.5,
}


def test_a_citation_is_one_to_openais_typed_client() -> None:
    shown = Annotation.model_validate(CITED).model_dump(mode="json")
    cited = OpenAiAnnotation.model_validate(shown, strict=True).url_citation
    assert (cited.start_index, cited.end_index, cited.title) == (4, 7, "D")
    assert (shown["type"], shown["page"], shown["supported"]) == ("url_citation", None, True)


@pytest.mark.parametrize("field", ["index", "start", "end", "page", "revision"])
def test_a_place_in_a_text_is_never_before_its_beginning(field: str) -> None:
    assert refused_field(Annotation, {**CITED, field: -1}) == field


@pytest.mark.parametrize("field", ["url_citation", "marker", "quote", "chunk_id"])
def test_a_citation_without_its_source_is_none(field: str) -> None:
    assert refused_field(Annotation, {name: value for name, value in CITED.items() if name != field}) == field
