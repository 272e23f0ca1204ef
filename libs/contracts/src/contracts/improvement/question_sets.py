"""Question sets: questions with what is known of their answers, in versions that never change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StringConstraints, model_validator

from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.core.values import Text, check_value

MOST_QUESTIONS = 10_000
"""Of one version."""
MAX_QUESTION_CHARS = 32_768
"""What a search takes."""
MAX_ANSWER_CHARS = 32_000
MAX_QUESTION_BYTES = 262_144
"""Of one question as JSON, with all that belongs to it."""
MAX_GRADE = 100
MAX_FILE_CHARS = 16_000_000
MOST_ANSWERS = 50
MOST_PREFERENCES = 50
MOST_DOCUMENTS = 1000
MOST_TURNS = 100
MOST_LABELS = 20
MOST_METADATA = 50


def _graded(value: Any) -> Any:
    """One document, or a list of them, is relevant with grade 1."""
    if isinstance(value, str):
        return {value: 1}
    return dict.fromkeys(value, 1) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value


def _relevant(grades: dict[str, int]) -> dict[str, int]:
    return {document: grade for document, grade in grades.items() if grade > 0}


def _keepable(metadata: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    check_value(dict(metadata))
    return metadata


QuestionId = Annotated[Line, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Question = Annotated[Text, StringConstraints(min_length=1, max_length=MAX_QUESTION_CHARS, pattern=r"\S")]
DocumentReference = Annotated[Line, StringConstraints(min_length=1, max_length=500)]
"""A document's id. Sets of others have their own, which stay as they are."""
Grade = Annotated[int, Field(ge=0, le=MAX_GRADE, strict=True)]
"""1 is relevant, more is better; what has 0 is left out."""
Documents = Annotated[
    dict[DocumentReference, Grade],
    Field(max_length=MOST_DOCUMENTS),
    BeforeValidator(_graded),
    AfterValidator(_relevant),
]
"""Grades by document. A list of ids, or one id, is taken for grade 1."""
Label = Annotated[Line, StringConstraints(min_length=1, max_length=63)]
Metadata = Annotated[dict[str, JsonValue], Field(max_length=MOST_METADATA), AfterValidator(_keepable)]


class Turn(Request):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Question


Answer = Annotated[Text, StringConstraints(min_length=1, max_length=MAX_ANSWER_CHARS)]


class Preference(Request):
    """Two answers to a question, of which people like one better."""

    preferred: Answer
    rejected: Answer

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.preferred == self.rejected:
            raise ValueError("both answers are the same, so that nobody can learn which is preferred; leave it out")
        return self


class QuestionItem(Request):
    """A question, or a conversation that ends in one, and what is known of its answer."""

    id: QuestionId | None = None
    """Names the question in all versions, and replaces the one that has it; without one it is made of the words."""
    question: Question | None = None
    turns: Annotated[list[Turn], Field(min_length=1, max_length=MOST_TURNS)] | None = None
    """Instead of `question`; the last one is the user's."""
    answers: Annotated[list[Answer], Field(max_length=MOST_ANSWERS)] = Field(default_factory=list)
    """Any of them is right."""
    preferences: Annotated[list[Preference], Field(max_length=MOST_PREFERENCES)] = Field(default_factory=list)
    """Pairs of answers, one better than the other; neither need be right."""
    documents: Documents = Field(default_factory=dict)
    answerable: bool | None = None
    """False: the documents do not hold the answer, and saying so is right. Null: not known."""
    labels: Annotated[list[Label], Field(max_length=MOST_LABELS)] = Field(default_factory=list)
    """By which results are told apart."""
    split: Name | None = None
    """`train`, `test` or one of your own; no question is in two."""
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_question(self) -> Self:
        if (self.question is None) == (self.turns is None):
            raise ValueError("give one of 'question' and 'turns'")
        if self.turns is not None and self.turns[-1].role != "user":
            raise ValueError("the last of 'turns' must be the user's, which is the question")
        if self.answerable is False and self.answers:
            raise ValueError("a question that is not answerable has no answers; leave one of the two out")
        return self


FileFormat = Literal["jsonl", "messages", "preference", "csv", "beir"]


class QuestionFile(Request):
    """Questions as a file has them. What is wrong is told with its line."""

    format: FileFormat
    name: Annotated[Line, StringConstraints(min_length=1, max_length=200)] = "text"
    """How messages call it."""
    text: Annotated[Text, StringConstraints(max_length=MAX_FILE_CHARS)]
    """JSON lines of questions or, as OpenAI's fine-tuning has them, of `{"messages": […]}`; of `preference`, pairs of
    answers as its preference method has them, or `GET /v1/feedback/export`; CSV with a header; or BEIR's
    `queries.jsonl`."""
    judgements: Annotated[Text, StringConstraints(max_length=MAX_FILE_CHARS)] | None = None
    """BEIR's `qrels`: lines of query, document and grade with tabs between."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.format == "beir") != (self.judgements is not None):
            raise ValueError("'judgements' belong to the format 'beir', which needs them")
        return self


class QuestionSetCreate(Request):
    """Body of `POST /v1/question-sets`. Content that the newest version has already makes none."""

    name: Name
    description: Annotated[Line, StringConstraints(max_length=2000)] | None = None
    """Null leaves it as it is."""
    items: Annotated[list[QuestionItem], Field(min_length=1, max_length=MOST_QUESTIONS)] | None = None
    file: QuestionFile | None = None
    """Instead of `items`."""
    append: bool = False
    """Add to the newest version's questions instead of taking their place; one whose own id is there replaces it."""
    remove: Annotated[list[QuestionId], Field(max_length=MOST_QUESTIONS)] = Field(default_factory=list)
    """With `append`: ids of questions that the new version goes without. Those that are not there are passed over, so
    that a call may be repeated."""
    duplicates: Literal["refuse", "skip"] = "refuse"
    """What becomes of questions that ask nearly the same. `skip` leaves out the later one, or, where they are of
    different splits, the one in `train`."""

    @model_validator(mode="after")
    def _has_questions(self) -> Self:
        if self.remove and not self.append:
            raise ValueError("'remove' is for 'append': what is not given is not in the new version anyway")
        given = (self.items is not None) + (self.file is not None)
        if given > 1 or (not given and not self.remove):
            raise ValueError("give one of 'items' and 'file'")
        return self


class SkippedQuestion(Reply):
    """A question that was left out, and the one that asks nearly the same."""

    id: str
    like: str


class QuestionSet(Reply):
    """A version of a set, without its questions."""

    name: str
    description: str = ""
    version: int
    newest: int
    """The highest number that was given."""
    questions: Count
    answerable: Count
    """Of which something is known to answer."""
    unanswerable: Count
    splits: dict[str, Count] = Field(default_factory=dict)
    """How many questions each split has; those without one are in none."""
    labels: dict[str, Count] = Field(default_factory=dict)
    """How many questions have each label; the 50 that most have."""
    digest: str
    """Of the content, whatever its order: two versions with the same one ask the same."""
    key_id: str
    created_at: Timestamp
    """Of the set."""
    updated_at: Timestamp
    """Of the version."""
    skipped: list[SkippedQuestion] = Field(default_factory=list)
    """Left out by the call that made this version."""


class QuestionRecord(Reply):
    """A question of a version, as it was saved."""

    id: str
    question: str | None = None
    turns: list[Turn] | None = None
    answers: list[str] = Field(default_factory=list)
    preferences: list[Preference] = Field(default_factory=list)
    documents: dict[str, int] = Field(default_factory=dict)
    answerable: bool | None = None
    labels: list[str] = Field(default_factory=list)
    split: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
