"""Question sets and their versions."""

from __future__ import annotations

from types import NoneType

from contracts.access.delegation import Scope
from contracts.core.pages import Page
from contracts.improvement.question_sets import QuestionRecord, QuestionSet, QuestionSetCreate
from contracts.operations.operation import CURSOR, LIMIT, Operation, Query
from contracts.operations.reach import NO_MODEL, QUESTIONS

READERS: tuple[Scope, ...] = ("evaluations:read", "evaluations:write")
WRITERS: tuple[Scope, ...] = ("evaluations:write",)
_TAGS = ("question sets",)
_ALL, _SET = "/v1/question-sets", "/v1/question-sets/{name}"
_VERSION = "/v1/question-sets/{name}/versions/{version}"
_SPLIT = Query("split", {"type": "string", "maxLength": 63}, "Only of this split.")

# fmt: off
CREATE_QUESTION_SET = Operation(
    "POST", _ALL, QuestionSet, WRITERS, _TAGS, QUESTIONS, "Create a question set, or a new version of one", 201, (200,),
    request=QuestionSetCreate, carries="json", owner="lab", route="evaluations",
)
LIST_QUESTION_SETS = Operation(
    "GET", _ALL, Page[QuestionSet], READERS, _TAGS, NO_MODEL, "List question sets by name", queries=(LIMIT, CURSOR),
    owner="lab",
)
GET_QUESTION_SET = Operation(
    "GET", _SET, QuestionSet, READERS, _TAGS, NO_MODEL, "Show the newest version of a question set", owner="lab",
)
DELETE_QUESTION_SET = Operation(
    "DELETE", _SET, NoneType, WRITERS, _TAGS, NO_MODEL,
    "Delete a question set with its versions, whose numbers are not given again", 204, owner="lab", route="evaluations",
)
LIST_QUESTION_SET_VERSIONS = Operation(
    "GET", f"{_SET}/versions", Page[QuestionSet], READERS, _TAGS, NO_MODEL,
    "All versions of a question set, newest first", queries=(LIMIT, CURSOR), owner="lab",
)
GET_QUESTION_SET_VERSION = Operation(
    "GET", _VERSION, QuestionSet, READERS, _TAGS, NO_MODEL, "Show a version of a question set", owner="lab",
)
DELETE_QUESTION_SET_VERSION = Operation(
    "DELETE", _VERSION, NoneType, WRITERS, _TAGS, NO_MODEL, "Delete a version, and the questions of no other", 204,
    owner="lab", route="evaluations",
)
LIST_QUESTIONS = Operation(
    "GET", f"{_VERSION}/items", Page[QuestionRecord], READERS, _TAGS, NO_MODEL, "The questions of a version",
    queries=(_SPLIT, LIMIT, CURSOR), owner="lab",
)
# fmt: on
