"""Sweeps: one question set asked of a collection with several settings, each compared with those that serve."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.documents.documents import Failure
from contracts.improvement.evaluations import EvaluationFigure, EvaluationStatus, MeasureComparison
from contracts.retrieval.search import RerankModel, SearchMode

MOST_COMBINATIONS = 24
"""Of one sweep, those that serve among them."""
FEWEST_QUESTIONS = 6
"""In each part: fewer can't show a difference that is not luck, whatever they find (2 · ½⁵ > .05)."""
OF_ANSWERS = frozenset(("answer_found", "answer_f1"))
TrialMeasure = Literal["retrieval_ndcg_10", "retrieval_recall_10", "answer_found", "answer_f1"]
"""What decides."""
TrialPart = Literal["choose", "confirm"]
"""Of the questions: those that choose a winner, and those that it is confirmed on."""


ChunkSize = Annotated[int, Field(ge=16, le=8192)]
ModelName = Annotated[Line, StringConstraints(min_length=1, max_length=1100)]


class TrialSettings(Request):
    """The values to try, each with each; what is left out stays as it serves."""

    mode: Annotated[list[SearchMode], Field(min_length=1, max_length=3)] | None = None
    rerank: Annotated[list[bool], Field(min_length=1, max_length=2)] | None = None
    rerank_model: Annotated[list[RerankModel], Field(min_length=1, max_length=MOST_COMBINATIONS)] | None = None
    """By which models searches are reranked; they are then, unless `rerank` says what else is tried. `default` is the
    default one."""
    chunk_size: Annotated[list[ChunkSize], Field(min_length=1, max_length=MOST_COMBINATIONS)] | None = None
    """In tokens of the embedding model. Each needs an index of its own, which embeds all documents once more."""
    embedding_model: Annotated[list[ModelName], Field(min_length=1, max_length=MOST_COMBINATIONS)] | None = None
    """Each needs an index of its own, too."""

    @property
    def needs_index(self) -> bool:
        """Whether something is tried that the index which serves can't answer."""
        return self.chunk_size is not None or self.embedding_model is not None

    @model_validator(mode="after")
    def _tries_something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError(f"give at least one of {', '.join(type(self).model_fields)} to try")
        return self


class TrialCreate(Request):
    """Body of `POST /v1/sweeps`."""

    collection: Name
    question_set: Name
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """Null for the newest."""
    choose_split: Name | None = None
    """Whose questions choose a winner."""
    confirm_split: Name | None = None
    """Whose questions it is confirmed on. Without both splits, the set's questions are halved by their ids."""
    settings: TrialSettings
    measure: TrialMeasure = "retrieval_ndcg_10"
    answers: bool = False
    """Whether `rag:` answers each question, rather than a search alone: it costs what answers cost."""
    budget_usd: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=6)] | None = None
    """Of all of it: no question is asked once so much was spent."""

    @model_validator(mode="after")
    def _can_decide(self) -> Self:
        if (self.choose_split is None) != (self.confirm_split is None):
            raise ValueError("name both splits or none: one chooses, the other confirms")
        if self.choose_split is not None and self.choose_split == self.confirm_split:
            raise ValueError("a winner is confirmed on questions that didn't choose it: name two splits")
        if self.measure in OF_ANSWERS and not self.answers:
            raise ValueError(f"'{self.measure}' is a measure of answers: set 'answers' to true")
        return self


class Combination(Reply):
    """How a collection is searched, and in which index."""

    mode: SearchMode
    rerank: bool
    chunk_size: Count | None = None
    """Tokens; null: as the index that served when the sweep was started was cut."""
    embedding_model: str | None = None
    """Null: the one of that index."""
    rerank_model: str | None = None
    """Null: the default one; or none, where nothing is reranked."""


class TrialCandidate(Reply):
    """One combination, and what it has shown on the questions that choose."""

    number: Count
    """0 is what served when the sweep was started."""
    settings: Combination
    words: str
    """The settings as words: `sparse, reranked`."""
    status: EvaluationStatus | None = None
    """Of its evaluation; null while that has not begun."""
    evaluation: str | None = None
    """Its evaluation, with every question."""
    figures: dict[str, EvaluationFigure] = Field(default_factory=dict)
    against: list[MeasureComparison] = Field(default_factory=list)
    """With what serves, measure by measure. `p`, and the verdict by it, accounts for all combinations (Holm)."""
    degraded: dict[str, Count] = Field(default_factory=dict)
    """How many questions were searched without something, such as a reranker: it is not chosen then."""
    cost_usd: str | None = None
    error: Failure | None = None


class TrialConfirmation(Reply):
    """The one that looked best, with what serves, on the questions that did not choose it."""

    number: Count
    evaluation: str
    served_evaluation: str
    measures: list[MeasureComparison]


class AppliedTrial(Reply):
    """What was changed, and what it was before."""

    settings: Combination
    before: Combination
    job: str | None = None
    """The reindex that brings the index in and switches to it once it is whole; null where only searches changed."""
    applied_at: Timestamp
    reverted_at: Timestamp | None = None


class Trial(Reply):
    """A sweep and what it has shown so far."""

    id: str
    status: EvaluationStatus
    collection: str
    question_set: str
    version: int
    choose_split: str | None = None
    confirm_split: str | None = None
    choose_questions: Count
    confirm_questions: Count
    """How many there are of each part that decide: those of which it is known what is right."""
    measure: str
    answers: bool = False
    questions: Count
    """How many are to be asked at most, of all combinations and parts."""
    done: Count
    candidates: list[TrialCandidate] = Field(default_factory=list)
    """Not in lists."""
    confirmation: TrialConfirmation | None = None
    verdict: str = ""
    """In words, once it has ended."""
    may_apply: bool = False
    """Whether one is significantly better where it was confirmed, and not applied."""
    applied: AppliedTrial | None = None
    cost_usd: str | None = None
    """Null while a price is not known."""
    budget_usd: str | None = None
    waiting_on: str | None = None
    """`index` while the one that is asked next is built, by `index_job`; or what else it waits for."""
    index_job: str | None = None
    """The reindex that has built, or builds, the index that is tried now; null where that is the one that serves."""
    error: Failure | None = None
    key_id: str
    created_at: Timestamp
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
