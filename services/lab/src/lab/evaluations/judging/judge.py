"""A model that says of each answer whether it is right, by a rubric; and how far people agree with it.

Its calls are the evaluation's: with its key, in its budget and in its cost. One that fails, or says no verdict, is
counted as `judge_failed` and gives no figure.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.improvement.agreement import cohens_kappa
from contracts.improvement.evaluations import EvaluationTarget, JudgeSpec
from contracts.improvement.question_sets import QuestionRecord
from lab.evaluations.judging.rubric import NAME, OWN, PARAMETERS, RUBRIC, Judged, Verdict, read_verdict, turns_of
from lab.evaluations.target import GONE, LATER, Target
from servicekit.core.errors import ServiceError

TRIES = 3
PAUSE_SECONDS = 1.0
MOST_JUDGED = 5
"""Answers of one question that people have judged."""


class _JudgedAnswer(BaseModel):
    model_config = ConfigDict(extra="ignore")
    answer: Annotated[str, Field(min_length=1, max_length=32_000)]
    right: Annotated[bool, Field(strict=True)]


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks one model by one rubric."""

    target: Target
    model: str
    rubric: str
    token: Callable[[], Awaitable[str]]
    """One that lasts for the next call: those before may have taken longer than one lives."""
    tries: int = TRIES

    async def judge(self, question: QuestionRecord, answer: str, name: str) -> Judged:
        """The verdict on an answer; `name` begins the names of its calls, by which they are charged. Raises what holds
        for every other one, too: a limit, a part that is away, a key or a model that is gone."""
        verdict = await self.verdict(question, answer, f"{name}.j0")
        known_ones, unreadable = judged_by_people(question.metadata)
        people = []
        for at, known in enumerate(known_ones, start=1):
            said = await self.verdict(question, known.answer, f"{name}.j{at}")
            if said.right is not None:
                people.append((known.right, said.right))
        return Judged(verdict, people, unreadable)

    async def verdict(self, question: QuestionRecord, answer: str, name: str, passages: Sequence[str] = ()) -> Verdict:
        """On one answer; raises as `judge` does."""
        target = EvaluationTarget(model=self.model, parameters=PARAMETERS)
        record = QuestionRecord(id=question.id, turns=turns_of(self.rubric, question, answer, passages))
        for tried in range(1, self.tries + 1):
            token = await self.token()
            try:
                said = await self.target.ask(target, record, token, f"{name}.{tried}")
            except ServiceError as error:
                if error.http_status in GONE or error.http_status in LATER:
                    raise
                if tried == self.tries:
                    return Verdict(None, error=error.body(None))
            else:
                return (
                    Verdict(None, error=said.error, refused=said.refused)
                    if said.error
                    else read_verdict(said.said.text or "")
                )
            await asyncio.sleep(PAUSE_SECONDS * tried)
        raise AssertionError("the last try returns")


def judge_row(spec: JudgeSpec) -> dict[str, str]:
    """What an evaluation keeps of its judge: the rubric as it is now."""
    text = spec.rubric or RUBRIC
    name = NAME if text == RUBRIC else OWN
    return {"model": spec.model, "rubric": name, "text": text, "digest": hashlib.sha256(text.encode()).hexdigest()}


def judged_by_people(metadata: Mapping[str, Any]) -> tuple[list[_JudgedAnswer], int]:
    """The first answers to a question that a person has judged, and how many entries have another form."""
    given = metadata.get("judged", [])
    found: list[_JudgedAnswer] = []
    unreadable = 0
    for one in given if isinstance(given, list) else [given]:
        try:
            found.append(_JudgedAnswer.model_validate(one))
        except ValidationError:
            unreadable += 1
    return found[:MOST_JUDGED], unreadable


def agreement(reports: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How far people agree with the judge, over the reports of all answers."""
    reports = list(reports)
    counts = Counter((bool(one), bool(other)) for report in reports for one, other in report.get("people", ()))
    agreed = sum(count for (person, judge), count in counts.items() if person == judge)
    unreadable = sum(report.get("unreadable", 0) for report in reports)
    return {"people": counts.total(), "agreed": agreed, "kappa": cohens_kappa(counts), "unreadable": unreadable}
