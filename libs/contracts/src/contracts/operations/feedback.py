"""What people say of answers, and the queue of answers to be judged."""

from __future__ import annotations

from types import NoneType

from contracts.access.delegation import Scope
from contracts.access.feedback_labels import FeedbackLabels
from contracts.core.pages import Page
from contracts.improvement.feedback import (
    Agreement,
    BlindComparison,
    ExportFormat,
    ExportSplit,
    Feedback,
    FeedbackCreate,
    FeedbackDeleted,
    Review,
    ReviewCreate,
    ReviewEnd,
    ReviewNext,
    ReviewsCreated,
    ReviewState,
    ReviewTake,
)
from contracts.operations.operation import CURSOR, LIMIT, MINE, Operation, Query, string_of
from contracts.operations.reach import FEEDBACK, NO_MODEL

GIVERS: tuple[Scope, ...] = ("feedback:write", "chat", "agents")
"""Whoever gets an answer may say what it was worth."""
REVIEWERS: tuple[Scope, ...] = ("feedback:review",)
SEERS: tuple[Scope, ...] = (*REVIEWERS, *GIVERS)
"""All of the tenant's with the first, else what the key itself gave."""
_TAGS, _OF_REVIEWS = ("feedback",), ("reviews",)
_ALL, _ONE, _REVIEWS, _REVIEW = "/v1/feedback", "/v1/feedback/{id}", "/v1/reviews", "/v1/reviews/{id}"
_TEXT = {"type": "string", "maxLength": 200}
_ANSWER = Query("answer_id", _TEXT, "Only of this answer.")
_USER = Query("user", _TEXT, "Only what this person said.")
_RATING = Query(
    "rating", {"type": "string", "enum": ["up", "down", "1", "2", "3", "4", "5"]}, "`up` has 4 and 5, `down` 1 and 2."
)
_FILTERS = (
    _ANSWER, _USER, _RATING, Query("label", _TEXT, "Only with this label."),
    Query("model", _TEXT, "Only of answers of this model, as they were asked for."),
    Query("collection", _TEXT, "Only of answers from this collection."), MINE,
)  # fmt: skip
_FROM = Query("from", {"type": "string", "format": "date-time"}, "Inclusive.")
_TO = Query("to", {"type": "string", "format": "date-time"}, "Exclusive.")
_STATE = Query("state", string_of(ReviewState), "Only in this state.")
_FORMAT = Query("format", string_of(ExportFormat), "Pairs, labelled answers, or questions.")
_SPLIT = Query("split", string_of(ExportSplit), "Only of these questions; one is in the same split always.")
_TEST_PERCENT = Query("test_percent", {"type": "integer", "minimum": 1, "maximum": 50}, "The share of `test`; 10.")

# fmt: off
GIVE_FEEDBACK = Operation(
    "POST", _ALL, Feedback, GIVERS, _TAGS, FEEDBACK, "Rate, label or correct an answer, a sentence or a citation", 201,
    (200,), request=FeedbackCreate, carries="json", name="give_feedback", route="feedback",
)
LIST_FEEDBACK = Operation(
    "GET", _ALL, Page[Feedback], SEERS, _TAGS, NO_MODEL, "List feedback, newest first", name="list_feedback",
    queries=(*_FILTERS, _FROM, _TO, LIMIT, CURSOR),
)
DELETE_FEEDBACK = Operation(
    "DELETE", _ALL, FeedbackDeleted, REVIEWERS, _TAGS, NO_MODEL, "Delete all that a person said, or all of an answer",
    name="delete_feedback", queries=(_USER, _ANSWER),
)
LIST_LABELS = Operation(
    "GET", f"{_ALL}/labels", FeedbackLabels, SEERS, _TAGS, NO_MODEL, "The labels that the tenant has",
    name="list_feedback_labels",
)
GET_AGREEMENT = Operation(
    "GET", f"{_ALL}/agreement", Page[Agreement], REVIEWERS, _TAGS, NO_MODEL,
    "How far people agree, most rated together first", name="agreement",
    queries=(_USER, Query("other", _TEXT, "Only with this other person.")),
)
LIST_COMPARISONS = Operation(
    "GET", f"{_ALL}/comparisons", Page[BlindComparison], SEERS, _TAGS, NO_MODEL,
    "Which of two targets people chose blind, most compared first", name="list_comparisons",
    queries=(
        Query("model", _TEXT, "Only with this target, and from its side."),
        Query("other", _TEXT, "Only with this other target."),
        Query(
            "by",
            {"type": "string", "enum": ["target", "version"]},
            "`version` tells the versions apart that answered by one name. `target` by default.",
        ),
        _FROM,
        _TO,
    ),
)
EXPORT_FEEDBACK = Operation(
    "GET", f"{_ALL}/export", bytes, REVIEWERS, _TAGS, NO_MODEL, "Feedback as JSON lines, for trainers and evaluations",
    name="export_feedback", queries=(_FORMAT, _SPLIT, _TEST_PERCENT),
)
DELETE_ONE_FEEDBACK = Operation(
    "DELETE", _ONE, NoneType, SEERS, _TAGS, NO_MODEL, "Take feedback back", 204, name="delete_one_feedback",
)
CREATE_REVIEWS = Operation(
    "POST", _REVIEWS, ReviewsCreated, REVIEWERS, _OF_REVIEWS, NO_MODEL, "Queue recorded answers to be judged", 201,
    request=ReviewCreate, carries="json", name="create_reviews",
)
LIST_REVIEWS = Operation(
    "GET", _REVIEWS, Page[Review], REVIEWERS, _OF_REVIEWS, NO_MODEL, "List the queue, oldest first",
    name="list_reviews", queries=(_STATE, _ANSWER, LIMIT, CURSOR), cites=True,
)
TAKE_REVIEW = Operation(
    "POST", f"{_REVIEWS}/next", ReviewNext, REVIEWERS, _OF_REVIEWS, NO_MODEL, "Take the next answer to be judged",
    request=ReviewTake, carries="json", name="take_review", cites=True,
)
FINISH_REVIEW = Operation(
    "POST", f"{_REVIEW}/done", Review, REVIEWERS, _OF_REVIEWS, NO_MODEL, "The answer is judged", request=ReviewEnd,
    carries="json", name="finish_review", cites=True,
)
SKIP_REVIEW = Operation(
    "POST", f"{_REVIEW}/skip", Review, REVIEWERS, _OF_REVIEWS, NO_MODEL, "The answer can't be judged",
    request=ReviewEnd, carries="json", name="skip_review", cites=True,
)
DELETE_REVIEW = Operation(
    "DELETE", _REVIEW, NoneType, REVIEWERS, _OF_REVIEWS, NO_MODEL, "Take an answer out of the queue", 204,
    name="delete_review",
)
# fmt: on
