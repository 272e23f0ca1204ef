"""Questions made from documents: a run that makes them, and what a person says of each before it is in a version."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.core.values import Text
from contracts.documents.documents import Failure
from contracts.improvement.evaluations import SEARCH
from contracts.improvement.question_sets import MAX_ANSWER_CHARS, MOST_ANSWERS, MOST_LABELS, Label, Question

MOST_GENERATED = 1000
"""Questions of one run."""
MOST_OWN_LABELS = MOST_LABELS - 2
"""A question has two more: `generated` and `near_miss`."""
MOST_DECISIONS = 200
"""Of one call."""
GenerationStatus = Literal["queued", "running", "completed", "failed", "cancelled", "limit_reached"]
FINAL_GENERATION_STATUSES: tuple[GenerationStatus, ...] = ("completed", "failed", "cancelled", "limit_reached")
GeneratedState = Literal["proposed", "accepted", "rejected", "saved", "dropped", "stale"]
"""`proposed`: to be reviewed. `saved`: in a version. `dropped`: never proposed, `reason` says why. `stale`: its
document is gone or was changed before it was saved, and what it quoted with it."""
MadeBy = Literal["model", "rule"]


class GenerationCreate(Request):
    """Body of `POST /v1/question-sets/{name}/generate`."""

    collection: Name
    """Whose documents are asked about."""
    count: Annotated[int, Field(ge=1, le=MOST_GENERATED)] = 50
    """Most questions that the documents answer."""
    near_misses: Annotated[int, Field(ge=0, le=MOST_GENERATED)] | None = None
    """Most questions like those that the documents do not answer; null: one for each five of `count`."""
    model: Annotated[Line, StringConstraints(min_length=1, max_length=200)] = "default"
    """Writes the questions."""
    within: Annotated[int, Field(ge=1, le=100)] = 10
    """A question is kept only if a search for it finds its passage among the first so many chunks."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Another one chooses other passages."""
    split: Name | None = None
    labels: Annotated[list[Label], Field(max_length=MOST_OWN_LABELS)] = Field(default_factory=list)
    """Of every question, beside `generated` and `near_miss`."""
    budget_usd: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=6)] | None = None
    """No question is begun once so much was spent."""
    accept: bool = False
    """Save what was kept as a version at the end, without a review."""

    @model_validator(mode="after")
    def _writes(self) -> Self:
        if self.model.startswith(SEARCH):
            raise ValueError("a search writes nothing; name a model or a route that does")
        return self


class Generation(Reply):
    """A run and what it has made so far."""

    id: str
    status: GenerationStatus
    question_set: str
    collection: str
    count: Count
    near_misses: Count
    model: str
    within: Count
    seed: Count
    split: str | None = None
    labels: list[str] = Field(default_factory=list)
    accept: bool = False
    passages: Count = 0
    """Chosen to be asked about."""
    done: Count = 0
    """How many of them, and then of questions to be missed, were tried."""
    kept: Count = 0
    """Questions that the documents answer and that were found again."""
    kept_near_misses: Count = 0
    made_by: dict[MadeBy, Count] = Field(default_factory=dict)
    """How many of `kept` each has made."""
    states: dict[GeneratedState, Count] = Field(default_factory=dict)
    dropped: dict[str, Count] = Field(default_factory=dict)
    """How many passages and near misses came to nothing, by reason."""
    version: int | None = None
    """The newest version that accepted questions were saved in."""
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    embedding_tokens: Count = 0
    cost_usd: str | None = None
    """What the usage ledger has of it; null while a price is not known."""
    budget_usd: str | None = None
    waiting_on: str | None = None
    error: Failure | None = None
    key_id: str
    created_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class GeneratedSpan(Reply):
    """What a question was made of: the characters `start..end` of the document's text of `revision`."""

    collection: str
    document_id: str
    revision: Count
    chunk_id: str
    title: str
    source: str
    start: Count
    end: Count
    text: str
    heading_path: list[str] = Field(default_factory=list)


class GeneratedQuestion(Reply):
    """A question that was made, and why it was kept or dropped."""

    number: Count
    state: GeneratedState
    made_by: MadeBy
    answerable: bool
    question: str | None = None
    answers: list[str] = Field(default_factory=list)
    span: GeneratedSpan | None = None
    """Null where nothing of it is left, and for keys that have neither `documents` nor `search`."""
    why: str = ""
    """In words: where the search found the passage and what the reader cited, or what a near miss has that no document
    has. Empty for keys that have neither `documents` nor `search`."""
    reason: str | None = None
    """Why it was dropped."""
    like: Count | None = None
    """Of a near miss: the number of the question that it is like."""
    corrected: bool = False


class GeneratedDecision(Request):
    """What becomes of one question. With `question` or `answers` it is accepted as corrected."""

    number: Annotated[int, Field(ge=1, lt=2**31)]
    state: Literal["accepted", "rejected", "proposed"]
    """`proposed` takes a decision back."""
    question: Question | None = None
    answers: (
        Annotated[
            list[Annotated[Text, StringConstraints(min_length=1, max_length=MAX_ANSWER_CHARS)]],
            Field(max_length=MOST_ANSWERS),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _corrects_what_is_accepted(self) -> Self:
        if self.state != "accepted" and (self.question is not None or self.answers is not None):
            raise ValueError("'question' and 'answers' correct what is accepted: send \"state\": \"accepted\"")
        return self


class GenerationReview(Request):
    """Body of `POST …/generations/{id}/review`."""

    decisions: Annotated[list[GeneratedDecision], Field(max_length=MOST_DECISIONS)] = Field(default_factory=list)
    accept_all: bool = False
    """Accept what is still proposed afterwards."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        numbers = [one.number for one in self.decisions]
        if not numbers and not self.accept_all:
            raise ValueError("give 'decisions', or \"accept_all\": true")
        if len(set(numbers)) != len(numbers):
            raise ValueError("a question has two decisions; give one for each")
        return self
