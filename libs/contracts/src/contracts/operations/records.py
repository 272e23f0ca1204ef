"""Records of answers, of the key's own tenant."""

from __future__ import annotations

from types import NoneType

from contracts.access.delegation import Scope
from contracts.access.records import AnswerRecord, RecordsDeleted, RecordSummary
from contracts.core.pages import Page
from contracts.operations.operation import CURSOR, LIMIT, Operation, Query
from contracts.operations.reach import NO_MODEL

READERS: tuple[Scope, ...] = ("records:read",)
WRITERS: tuple[Scope, ...] = ("records:write",)
_OF_RECORDS = ("records",)
_RECORD = "/v1/records/{id}"
_TIME = {"type": "string", "format": "date-time"}
_FILTERS = (
    Query("from", _TIME, "Inclusive."),
    Query("to", _TIME, "Exclusive."),
    Query("collection", {"type": "string"}, "Answers from this collection."),
    Query("model", {"type": "string", "maxLength": 200}, "As it was asked for, or the model that worded the answer."),
    Query("user", {"type": "string", "maxLength": 512}, "OpenAI's `user`, exactly."),
    Query("rating", {"type": "string", "enum": ["up", "down", "none"]}, "From feedback."),
    Query("abstained", {"type": "boolean"}, "Whether the documents had no answer."),
    Query("error", {"type": "boolean"}, "Whether the call ended with an error."),
    Query("q", {"type": "string", "maxLength": 200}, "Words of question or answer, in one piece; case is ignored."),
)

# fmt: off
LIST_RECORDS = Operation(
    "GET", "/v1/records", Page[RecordSummary], READERS, _OF_RECORDS, NO_MODEL, name="list_records",
    queries=(LIMIT, CURSOR, *_FILTERS),
)
GET_RECORD = Operation("GET", _RECORD, AnswerRecord, READERS, _OF_RECORDS, NO_MODEL, name="show_record", cites=True)
DELETE_RECORD = Operation(
    "DELETE", _RECORD, NoneType, WRITERS, _OF_RECORDS, NO_MODEL, status=204, name="delete_record",
)
DELETE_RECORDS = Operation(
    "DELETE", "/v1/records", RecordsDeleted, WRITERS, _OF_RECORDS, NO_MODEL, name="delete_records",
    queries=(Query("user", {"type": "string", "maxLength": 512}, "All records of this user."),),
)
# fmt: on
