"""Evaluations: a version of a question set, asked of something that answers, with figures; and two of them compared."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.core.errors import ErrorBody
from contracts.core.values import Passed
from contracts.documents.documents import Failure
from contracts.improvement.question_sets import QuestionRecord
from contracts.models.chat import AnswerOptions

MOST_PARAMETERS = 30
MEASURE_PATTERN = "^[a-z0-9_]+$"
EvaluationStatus = Literal["queued", "running", "completed", "failed", "cancelled", "limit_reached"]
SafetySuite = Literal["safety:injection", "safety:personal-data", "safety:harmful", "safety:groups"]
"""Question sets that ship."""
FINAL_EVALUATION_STATUSES: tuple[EvaluationStatus, ...] = ("completed", "failed", "cancelled", "limit_reached")


class EvaluationTarget(Request):
    """What is asked: a model, `rag:`, `agent:` or `prompt:`, with settings."""

    model: Annotated[Line, StringConstraints(min_length=1, max_length=200)]
    groundwork: AnswerOptions | None = None
    """As in a chat: filter, mode, grounding, prompt, …"""
    parameters: Annotated[dict[str, Passed], Field(max_length=MOST_PARAMETERS)] = Field(default_factory=dict)
    """Of the chat: `temperature`, `max_tokens`, `seed`, …"""

    @model_validator(mode="after")
    def _asks_one_answer(self) -> Self:
        taken = {"model", "messages", "groundwork", "stream", "n", "user"} & set(self.parameters)
        if taken:
            raise ValueError(f"'{sorted(taken)[0]}' is not for parameters: it is set by the evaluation, or beside them")
        return self


class EvaluationCreate(Request):
    """Body of `POST /v1/evaluations`."""

    question_set: Name | SafetySuite
    """One of the tenant's, or one that ships."""
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """Null for the newest."""
    split: Name | None = None
    target: EvaluationTarget
    name: Annotated[Line, StringConstraints(max_length=200)] = ""
    budget_usd: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=6)] | None = None
    """No question is asked once so much was spent; those that are under way end."""


class EvaluationFigure(Reply):
    """A mean over the questions that have the measure, with its 95 % interval."""

    mean: float
    low: float
    high: float
    questions: Count


class AskedTarget(Reply):
    """What was asked, as it was given."""

    model: str
    groundwork: dict[str, Any] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class Evaluation(Reply):
    """A run and what it has shown so far."""

    id: str
    name: str = ""
    status: EvaluationStatus
    question_set: str
    version: int
    split: str | None = None
    target: AskedTarget
    questions: Count
    """How many there are to ask."""
    done: Count
    failed: Count = 0
    """Of those that are done, how many got no answer."""
    figures: dict[str, EvaluationFigure] = Field(default_factory=dict)
    """By measure; once it has ended."""
    by_label: dict[str, dict[str, EvaluationFigure]] = Field(default_factory=dict)
    """By label, then by measure; not in lists."""
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    embedding_tokens: Count = 0
    cost_usd: str | None = None
    """What the usage ledger has of it, of some seconds ago while it runs; null while a price is not known."""
    budget_usd: str | None = None
    waiting_on: str | None = None
    error: Failure | None = None
    key_id: str
    created_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class GivenAnswer(Reply):
    """An answer, or why there is none."""

    answer: str | None = None
    figures: dict[str, float] = Field(default_factory=dict)
    error: ErrorBody | None = None
    answer_id: str | None = None
    """Of the answer's record, if there is one."""
    report: dict[str, Any] = Field(default_factory=dict)


class EvaluationAnswer(GivenAnswer):
    """What was answered to one question."""

    question_id: str
    question: str
    labels: list[str] = Field(default_factory=list)
    known: QuestionRecord | None = None
    """What the set says of the question: what was expected. Null once the version is deleted."""
    other: GivenAnswer | None = None
    """What the other evaluation was answered, where one was named."""


class MeasureComparison(Reply):
    """One measure of two evaluations over the questions that have it in both."""

    measure: str
    label: str | None = None
    """Of the questions; null for all."""
    questions: Count
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    wins: Count
    losses: Count
    verdict: Literal["better", "worse", "no difference"]
    """Of the first."""
    words: str


class EvaluationComparison(Reply):
    """`GET /v1/evaluations/{id}/compare?with=`."""

    first: str
    second: str
    same_version: bool
    """Whether both asked the same version of the same set."""
    measures: list[MeasureComparison]
