from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.documents.shown import SHOWN
from libs.contracts.tests.refusals import refusal, refused_field

from contracts.documents.documents import Document, DocumentCreate, Failure


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "a", "document_id": "a/b"}, "document_id"),
        ({"text": "a", "document_id": ".."}, "document_id"),
        ({"text": "a", "document_id": "."}, "document_id"),
        ({"text": "a", "document_id": ""}, "document_id"),
        ({"text": "\ud800"}, "text"),
        ({"text": ""}, "text"),
        ({"text": "a", "title": "\ud800"}, "title"),
        ({"text": "a", "title": "x" * 501}, "title"),
        ({"url": "https://example.org/" + "a" * 2000}, "url"),
        ({"url": "\ud800"}, "url"),
        ({"text": "a", "metadata": ["a"]}, "metadata"),
        ({"text": "a", "meta": {}}, "meta"),
    ],
)
def test_a_wrong_field_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    assert refused_field(DocumentCreate, body) == field


@pytest.mark.parametrize("body", [{}, {"text": "a", "url": "https://example.org"}, {"text": None, "url": None}])
def test_a_document_comes_from_one_place(body: dict[str, Any]) -> None:
    field, why = refusal(DocumentCreate, body)
    assert (field, "give exactly one of text and url" in why) == ("", True)


def test_a_document_without_a_name_gets_one_later_and_its_text_stays_as_it_is() -> None:
    wanted = DocumentCreate.model_validate({"text": " \0 é🙂\n", "title": "  Leave  "})
    assert (wanted.text, wanted.title, wanted.document_id) == (" \0 é🙂\n", "Leave", None)


def test_a_document_that_was_not_read_yet_has_no_number_of_pages() -> None:
    shown = Document.model_validate({**SHOWN, "colour": "red"})
    assert (shown.pages, shown.chunks, shown.unread_pages, shown.error) == (None, 0, [], None)
    assert "colour" not in shown.model_dump()
    assert refused_field(Document, {**SHOWN, "status": "lost"}) == "status"


def test_a_failure_is_not_tried_again_unless_it_says_so() -> None:
    assert not Failure(code="unreadable", message="It is no PDF.").retryable
