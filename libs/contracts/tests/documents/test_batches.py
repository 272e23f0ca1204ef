from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.documents.shown import SHOWN
from libs.contracts.tests.refusals import refused_field

from contracts.documents.batches import MAX_BATCH_DOCUMENTS, BatchReply, DocumentBatch, Refused
from contracts.documents.jobs import Accepted


def test_a_batch_has_some_documents_and_not_too_many() -> None:
    for count in (1, MAX_BATCH_DOCUMENTS):
        assert len(DocumentBatch.model_validate({"documents": [{"text": "a"}] * count}).documents) == count
    for count in (0, MAX_BATCH_DOCUMENTS + 1):
        assert refused_field(DocumentBatch, {"documents": [{"text": "a"}] * count}) == "documents"


@pytest.mark.parametrize("document", [{}, {"text": "a", "url": "b"}, {"text": "a", "document_id": ".."}, {"file": "a"}])
def test_a_document_of_a_batch_is_held_to_the_same_rules_as_one_alone(document: dict[str, Any]) -> None:
    assert refused_field(DocumentBatch, {"documents": [{"text": "a"}, document]}) == "documents"


def test_each_result_is_read_as_what_it_is_in_the_order_of_the_documents() -> None:
    refused = {"error": {"type": "conflict", "code": "collection_busy", "message": "Try again."}}
    taken = {"document": SHOWN, "unchanged": True}
    reply = BatchReply.model_validate({"results": [refused, taken, refused]})
    assert [type(result) for result in reply.results] == [Refused, Accepted, Refused]
    assert BatchReply.model_validate_json(reply.model_dump_json()) == reply
