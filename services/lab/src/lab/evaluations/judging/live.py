"""Judges answers that were given to people, one at a time, for the gateway's monitors. Nothing is kept here: the words
of an answer stay where they are recorded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from contracts.improvement.live_judges import JudgementCreate
from lab.evaluations.authority import Grants
from lab.evaluations.judging.judge import Judge
from lab.evaluations.judging.rubric import RUBRIC, Verdict
from lab.evaluations.target import Target


@dataclass(frozen=True, slots=True)
class LiveJudge:
    """Asks models with the right of whose monitor it is."""

    target: Target
    grants: Grants

    async def judge(self, asked: JudgementCreate, grant: str) -> Verdict:
        """The verdict on an answer. Raises what holds for every other one, too: a limit, a part that is away, a key or
        a model that is gone."""
        spec = asked.judge
        token = partial(self.grants.token, grant)
        judge = Judge(self.target, spec.model, spec.rubric or RUBRIC, token, tries=1)  # the gateway tries again
        return await judge.verdict(asked.question, asked.answer, asked.name, asked.passages)
