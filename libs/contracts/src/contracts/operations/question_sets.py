"""Question sets and their versions."""

from __future__ import annotations

from types import NoneType

from contracts.access.delegation import Scope
from contracts.core.pages import Page
from contracts.improvement.question_generation import (
    GeneratedQuestion,
    GeneratedState,
    Generation,
    GenerationCreate,
    GenerationReview,
)
from contracts.improvement.question_sets import QuestionRecord, QuestionSet, QuestionSetCreate
from contracts.operations.operation import CURSOR, LIMIT, Operation, Query, string_of
from contracts.operations.reach import NO_MODEL, QUESTIONS

READERS: tuple[Scope, ...] = ("evaluations:read", "evaluations:write")
WRITERS: tuple[Scope, ...] = ("evaluations:write",)
_TAGS = ("question sets",)
_ALL, _SET = "/v1/question-sets", "/v1/question-sets/{name}"
_VERSION = "/v1/question-sets/{name}/versions/{version}"
_GENERATION = "/v1/question-sets/{name}/generations/{generation}"
_STATE = Query("state", string_of(GeneratedState), "Only in this state.")
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
GENERATE_QUESTIONS = Operation(
    "POST", f"{_SET}/generate", Generation, WRITERS, _TAGS, QUESTIONS, "Make questions from a collection's documents",
    202, request=GenerationCreate, carries="json", owner="lab", route="evaluations", grant=True, spends=True,
    idempotent=True,
)
LIST_GENERATIONS = Operation(
    "GET", f"{_SET}/generations", Page[Generation], READERS, _TAGS, NO_MODEL,
    "Runs that made questions for a set, newest first", queries=(LIMIT, CURSOR), owner="lab",
)
GET_GENERATION = Operation(
    "GET", _GENERATION, Generation, READERS, _TAGS, NO_MODEL, "Show a run that makes questions", owner="lab",
)
CANCEL_GENERATION = Operation(
    "POST", f"{_GENERATION}/cancel", Generation, WRITERS, _TAGS, NO_MODEL,
    "End a run that makes questions; what was made stays", 202, owner="lab", route="evaluations",
)
DELETE_GENERATION = Operation(
    "DELETE", _GENERATION, NoneType, WRITERS, _TAGS, NO_MODEL,
    "Delete a run that has ended, with what is in no version", 204, owner="lab", route="evaluations",
)
LIST_GENERATED_QUESTIONS = Operation(
    "GET", f"{_GENERATION}/items", Page[GeneratedQuestion], READERS, _TAGS, NO_MODEL,
    "The questions that a run has made, and why", queries=(_STATE, LIMIT, CURSOR), owner="lab",
)
REVIEW_GENERATED_QUESTIONS = Operation(
    "POST", f"{_GENERATION}/review", Generation, WRITERS, _TAGS, QUESTIONS, "Accept, correct or reject questions",
    request=GenerationReview, carries="json", owner="lab", route="evaluations",
)
SAVE_GENERATED_QUESTIONS = Operation(
    "POST", f"{_GENERATION}/save", QuestionSet, WRITERS, _TAGS, QUESTIONS,
    "Add the accepted questions to the set, as a new version", 201, (200,), owner="lab", route="evaluations",
    grant=True,
)
# fmt: on
