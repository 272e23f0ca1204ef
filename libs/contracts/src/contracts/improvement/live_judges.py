"""Answers that were given, judged by a model: what the gateway asks the lab, and what it is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.core.base import Line, Reply, Request
from contracts.core.errors import ErrorBody
from contracts.core.values import Text
from contracts.improvement.evaluations import JudgeSpec
from contracts.improvement.question_sets import MAX_ANSWER_CHARS, MAX_QUESTION_CHARS, QuestionRecord

MOST_PASSAGES = 8
LIVE_RUBRIC = """You judge answers that were given to people. You are given a question, the passages of documents that
the answer was made from if there are any, and the answer to judge.
The answer is right if it answers the question and, where there are passages, if they say so. More detail, other words
and spelling mistakes do not make it wrong.
It is wrong if it does not answer what was asked, if it contradicts itself or the passages, or if it gives as a fact
what no passage says.
If there are no passages, judge whether the answer is true and answers the question."""
"""Kept with each monitor, so that another release words no verdicts anew that are compared with older ones."""
Passage = Annotated[Text, StringConstraints(min_length=1, max_length=MAX_QUESTION_CHARS)]


class JudgementCreate(Request):
    """Body of `POST /v1/judgements`, which only the gateway sends."""

    name: Annotated[Line, StringConstraints(min_length=1, max_length=110)]
    """Begins the request ids of its calls, by which they are charged."""
    judge: JudgeSpec
    question: QuestionRecord
    answer: Annotated[Text, StringConstraints(min_length=1, max_length=MAX_ANSWER_CHARS)]
    passages: Annotated[list[Passage], Field(max_length=MOST_PASSAGES)] = Field(default_factory=list)


class Judgement(Reply):
    """A verdict, or why there is none."""

    right: bool | None = None
    reason: str = ""
    error: ErrorBody | None = None
