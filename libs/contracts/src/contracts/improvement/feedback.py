"""What people say of answers: ratings, labels, corrections, and whose turn it is to judge one."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.access.feedback_labels import Label
from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.core.values import Text
from contracts.models.citations import Annotation

MOST_PARTS = 1000
MOST_LABELS = 20
AnswerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
"""The `id` of a completion, a response or a run, as its caller got it."""
Person = Annotated[Line, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
"""Who judges, by the caller's own name for them (OpenAI's `user`); a key's id where none is given."""
Rating = Literal["up", "down"] | Annotated[int, Field(ge=1, le=5, strict=True)]
Verdict = Literal["up", "neutral", "down"]
"""What a rating comes to: 4 and 5 are `up`, 3 is `neutral`, 1 and 2 are `down`."""


class FeedbackPart(Request):
    """One sentence or one citation of an answer, counted from 0."""

    sentence: Annotated[int, Field(ge=0, lt=MOST_PARTS)] | None = None
    citation: Annotated[int, Field(ge=0, lt=MOST_PARTS)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.sentence is None) == (self.citation is None):
            raise ValueError("name one of 'sentence' and 'citation'")
        return self


class FeedbackCreate(Request):
    """Body of `POST /v1/feedback`. The same person, answer and part again replaces what was said before."""

    answer_id: AnswerId
    part: FeedbackPart | None = None
    """Null for the whole answer."""
    user: Person | None = None
    rating: Rating | None = None
    labels: Annotated[list[Label], Field(max_length=MOST_LABELS)] = Field(default_factory=list)
    """Of the tenant's set, which `GET /v1/feedback/labels` lists."""
    comment: Annotated[Text, StringConstraints(min_length=1, max_length=4000)] | None = None
    correction: Annotated[Text, StringConstraints(min_length=1, max_length=32_000)] | None = None
    """What the answer, or the sentence, should have said."""
    preferred_over: AnswerId | None = None
    """Another answer to the same question, against which this one was chosen (a regeneration, a blind comparison)."""
    tied_with: AnswerId | None = None
    """Another answer to the same question that is as good, or with a rating `down` as bad. Of what a person said of the
    same two answers, on either of them, the last counts."""
    blind: bool = False
    """Whether they did not see what the two answers are of: `GET /v1/feedback/comparisons` counts these choices."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        said = (self.rating, self.comment, self.correction, self.preferred_over, self.tied_with)
        if not self.labels and all(each is None for each in said):
            raise ValueError("give at least one of rating, labels, comment, correction, preferred_over and tied_with")
        return self

    @model_validator(mode="after")
    def _fits_its_answer(self) -> Self:
        if self.part is not None and (self.preferred_over or self.tied_with) is not None:
            raise ValueError("preferred_over and tied_with are for whole answers: leave 'part' out")
        if self.part is not None and self.part.citation is not None and self.correction is not None:
            raise ValueError("a citation has no correction: correct the sentence or the answer")
        if self.preferred_over is not None and self.tied_with is not None:
            raise ValueError("give one of preferred_over and tied_with: an answer is better than the other or as good")
        if self.answer_id in (self.preferred_over, self.tied_with):
            raise ValueError("preferred_over and tied_with name another answer, not this one itself")
        if self.blind and self.preferred_over is None and self.tied_with is None:
            raise ValueError("blind is for a choice between two answers: give preferred_over or tied_with")
        return self


class Feedback(Reply):
    """What one person said of one answer, or of a part of it."""

    id: str
    answer_id: str
    part: FeedbackPart | None = None
    user: str
    rating: Rating | None = None
    labels: list[str] = Field(default_factory=list)
    comment: str | None = None
    correction: str | None = None
    preferred_over: str | None = None
    tied_with: str | None = None
    blind: bool = False
    other_model: str | None = None
    """What the other one of the two answers was asked of, where that is on record."""
    recorded: bool = False
    """Whether the answer itself is on record: only then is it in exports, and the next four are known."""
    question: str | None = None
    """The beginning of what was asked, in lists for keys that see what others of the tenant said."""
    model: str | None = None
    prompt: str | None = None
    collections: list[str] = Field(default_factory=list)
    created_at: Timestamp
    updated_at: Timestamp


class FeedbackDeleted(Reply):
    """How much was removed."""

    deleted: Count


class Agreement(Reply):
    """How far two people agree on what both have rated."""

    user: str
    other: str
    both: Count
    """Answers and parts that both rated."""
    agreed: Count
    kappa: float | None
    """Cohen's kappa of up, neutral and down; null where chance alone would agree always."""


ComparedBy = Literal["target", "version"]


class BlindComparison(Reply):
    """How often people chose which of two targets who did not see which one an answer was of. A question counts once,
    for the target that was chosen more often, whoever chose."""

    model: str
    """What was asked: a model, a route, or as in `rag:handbook`, `agent:desk` and `prompt:desk@2`."""
    version: str | None = None
    """Which version of it answered: of agent, prompt, model and its files, as far as they are on record. Null with the
    next one unless it is counted `by=version`, and of choices from before that was kept."""
    other: str
    other_version: str | None = None
    questions: Count
    wins: Count
    """Questions of which `model` was chosen more often."""
    losses: Count
    ties: Count
    both_bad: Count
    """Of the ties, those where somebody found both answers bad."""
    share: float | None
    """Of wins in wins and losses; null with the next three while there are neither."""
    low: float | None
    """The interval of 95 %. It and p hold at every look at once, however often somebody looks."""
    high: float | None
    p: float | None
    """Of both being chosen equally often: a sign test without ties."""


ExportFormat = Literal["preference", "kto", "questions"]
ExportSplit = Literal["train", "test"]


class ReviewCreate(Request):
    """Body of `POST /v1/reviews`: recorded answers to be judged, each by so many people."""

    answer_ids: Annotated[list[AnswerId], Field(min_length=1, max_length=100)]
    reviewers: Annotated[int, Field(ge=1, le=5)] = 1


class ReviewsCreated(Reply):
    """What became of them."""

    queued: Count
    """Reviews that were not in the queue before."""
    unknown: list[str] = Field(default_factory=list)
    """Answers that are not on record: there is nothing to judge."""


class JudgedAnswer(Reply):
    """A recorded answer, as whoever judges it reads it."""

    question: str
    answer: str
    citations: list[Annotation] = Field(default_factory=list)
    model: str | None = None
    prompt: str | None = None
    collections: list[Name] = Field(default_factory=list)
    created_at: Timestamp


ReviewState = Literal["open", "leased", "done", "skipped"]


class Review(Reply):
    """One judgement that is wanted of one answer."""

    id: str
    answer_id: str
    state: ReviewState
    reviewer: str | None = None
    lease_until: Timestamp | None = None
    created_at: Timestamp
    ended_at: Timestamp | None = None
    answer: JudgedAnswer | None = None
    """Only where it is assigned, and null when its record is gone meanwhile."""


class ReviewTake(Request):
    """Body of `POST /v1/reviews/next`: who takes one, and for how long it is theirs."""

    user: Person | None = None
    lease_seconds: Annotated[int, Field(ge=30, le=3600)] = 600


class ReviewNext(Reply):
    """The review that is yours now; null when nothing is left for you."""

    review: Review | None


class ReviewEnd(Request):
    """Body of `POST /v1/reviews/{id}/done` and `…/skip`."""

    user: Person | None = None
