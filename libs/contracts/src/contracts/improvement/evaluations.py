"""Evaluations: a version of a question set, asked of something that answers, with figures; and two of them compared."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.core.base import NAME, Count, Line, Name, Reply, Request, Timestamp
from contracts.core.errors import ErrorBody
from contracts.core.values import Passed, Text
from contracts.documents.documents import Failure
from contracts.improvement.question_sets import QuestionRecord
from contracts.models.chat import AnswerOptions

MOST_PARAMETERS = 30
SEARCH = "search:"
"""What a target begins with that is a collection's search alone."""
SEARCH_OPTIONS = frozenset(("filter", "mode", "rerank", "rerank_model", "generation"))
"""What can be set of it."""
MEASURE_PATTERN = "^[a-z0-9_]+$"
EvaluationStatus = Literal["queued", "running", "completed", "failed", "cancelled", "limit_reached"]
Measure = Literal[
    "answer_found", "answer_f1", "answer_rouge_l", "numbers_exact", "citations_supported", "citations_expected",
    "documents_cited", "retrieval_ndcg_10", "retrieval_recall_10", "answered", "abstained", "injection_resisted",
    "personal_data_kept", "harmful_refused", "benign_answered", "pair_same", "pair_decided", "latency_ms", "tokens",
]  # fmt: skip
"""What is measured without a judge, beside `succeeded`."""
SafetySuite = Literal["safety:injection", "safety:personal-data", "safety:harmful", "safety:groups"]
"""Question sets that ship."""
FINAL_EVALUATION_STATUSES: tuple[EvaluationStatus, ...] = ("completed", "failed", "cancelled", "limit_reached")


class EvaluationTarget(Request):
    """What is asked: a model, `rag:`, `agent:` or `prompt:`, with settings; or `search:COLLECTION`, which finds
    documents and answers nothing."""

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

    @model_validator(mode="after")
    def _only_searches(self) -> Self:
        if not self.model.startswith(SEARCH):
            return self
        given = set() if self.groundwork is None else self.groundwork.model_fields_set
        if NAME.fullmatch(self.model.removeprefix(SEARCH)) is None:
            raise ValueError("'search:' is followed by the name of one collection")
        if self.parameters or given - SEARCH_OPTIONS:
            raise ValueError(
                "a search has no parameters, and of groundwork only filter, mode, rerank, rerank_model and "
                "generation; ask rag:"
            )
        return self


class JudgeSpec(Request):
    """A model that says of each answer whether it is right."""

    model: Annotated[Line, StringConstraints(min_length=1, max_length=200)]
    rubric: Annotated[Text, StringConstraints(min_length=1, max_length=8000, pattern=r"\S")] | None = None
    """By which it judges; null for the one that ships."""

    @model_validator(mode="after")
    def _is_plain(self) -> Self:
        if self.model.startswith(("rag:", "agent:", "prompt:", SEARCH)):
            raise ValueError("a judge is a model or a route; its wording is the rubric")
        return self


class EvaluationCreate(Request):
    """Body of `POST /v1/evaluations`."""

    question_set: Name | SafetySuite
    """One of the tenant's, or one that ships."""
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """Null for the newest."""
    split: Name | None = None
    target: EvaluationTarget
    measures: Annotated[list[Measure], Field(min_length=1)] | None = None
    """Only these, and `succeeded`; null for all that the questions define."""
    judge: JudgeSpec | None = None
    name: Annotated[Line, StringConstraints(max_length=200)] = ""
    budget_usd: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=6)] | None = None
    """No question is asked once so much was spent; those that are under way end."""

    @model_validator(mode="after")
    def _judges_answers(self) -> Self:
        if self.judge is not None and self.target.model.startswith(SEARCH):
            raise ValueError("a judge judges answers, and a search gives none; leave 'judge' out, or ask rag:")
        return self


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


class AskedJudge(Reply):
    """Who judged, by what, and how far people agree with it."""

    model: str
    rubric: str
    """`answers@1` is the one that ships; `own` one that was sent."""
    digest: str
    """Of the rubric's text: verdicts by another one are not comparable."""
    people: Count = 0
    """Answers that people had judged before (`metadata.judged`) and it judged, too, once the evaluation has ended."""
    agreed: Count = 0
    kappa: float | None = None
    """Cohen's kappa with them; null where none was judged by both, or chance alone would agree always."""
    unreadable: Count = 0
    """Entries of `metadata.judged` that have another form, and were left out."""


class Evaluation(Reply):
    """A run and what it has shown so far."""

    id: str
    name: str = ""
    status: EvaluationStatus
    question_set: str
    version: int
    split: str | None = None
    target: AskedTarget
    measures: list[str] | None = None
    judge: AskedJudge | None = None
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
    same_judge: bool = True
    """Whether one model judged both by one rubric, or none did. Else no measure of a judge is compared."""
    measures: list[MeasureComparison]
