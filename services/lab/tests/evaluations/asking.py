"""Something that answers by a script, and grants that say what it cost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.access.delegation import Spent
from contracts.core.errors import ErrorBody
from contracts.improvement.evaluations import EvaluationCreate, EvaluationTarget
from contracts.improvement.question_sets import QuestionRecord, QuestionSetCreate
from lab.dependencies import Dependencies
from lab.evaluations.jobs import EvaluationJobs
from lab.evaluations.measures import Said
from lab.evaluations.target import Answered
from lab.questions.repository import Viewer
from servicekit.core.errors import ServiceError
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.jobs.tables import JobOwner

ACME = Viewer("acme", "key_1")
OWNER = JobOwner("acme", "key_1", "req_1", "grant")
REFUSED = ErrorBody(
    type="invalid_request", code="context_length_exceeded", message="Too long.", param=None, request_id=None
)
UNSUPPORTED = ErrorBody(
    type="invalid_request", code="invalid_body", message="temperature is at most 2.", param=None, request_id=None
)
Script = Callable[[QuestionRecord, int], Answered | ServiceError]


def right(question: QuestionRecord, _: int = 1) -> Answered:
    return Answered(Said((question.answers or [""])[0], not question.answers), 12.5, 7, f"chatcmpl_{question.id}")


@dataclass
class ScriptedTarget:
    """Answers each question by the script, which is told how often it was asked before."""

    script: Script = right
    asked: Counter[str] = field(default_factory=Counter)
    requests: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def ask(self, target: EvaluationTarget, question: QuestionRecord, token: str, request_id: str) -> Answered:
        self.asked[question.id] += 1
        self.requests.append(request_id)
        self.tokens.append(token)
        self.began.set()
        await self.open.wait()
        answer = self.script(question, self.asked[question.id])
        if isinstance(answer, ServiceError):
            raise answer
        return answer


@dataclass
class ScriptedGrants:
    """Each question that was asked has cost a thousandth of a dollar."""

    target: ScriptedTarget
    refused: ServiceError | None = None
    given: int = 0

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        if self.refused is not None:
            raise self.refused
        self.given += 1
        return f"token {self.given} of {grant} for {call_id}"

    async def spent(self, grant: str, call_id: str, since: datetime) -> Spent:
        count = sum(self.target.asked.values())
        return Spent(
            prompt_tokens=5 * count,
            completion_tokens=2 * count,
            embedding_tokens=0,
            model_calls=count,
            cost_nano_usd=1_000_000 * count,
        )


@dataclass
class Bench:
    """A lab whose evaluations ask a script, worked on when told."""

    opened: Dependencies
    target: ScriptedTarget = field(default_factory=ScriptedTarget)
    at_once: int = 2
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.grants = ScriptedGrants(self.target)

    async def start(self, count: int = 4, **more: Any) -> str:
        """An evaluation of a set with so many questions, the last of which is not answerable."""
        items = [
            {"question": f"Question {n}?", "answers": [f"answer {n}"], "labels": ["even" if n % 2 == 0 else "odd"]}
            for n in range(1, count)
        ]
        items.append({"question": "Nobody knows?", "answerable": False, "split": "test"})
        body = QuestionSetCreate.model_validate({"name": "policies", "items": items})
        await self.opened.question_sets.save(ACME, body)
        asked = {"question_set": "policies", "target": {"model": "rag:handbook"}, **more}
        return (await self.opened.evaluations.create(ACME, OWNER, EvaluationCreate.model_validate(asked))).id

    async def work(self, owner: str = "worker") -> bool:
        """Claim an evaluation and work on it until it is over or requeued; whether there was one."""
        store = self.opened.evaluations.store
        queue = Queue(store, EvaluationJobs(self.target, self.grants, self.at_once))
        runner = Runner(queue)
        job = await queue.claim(owner)
        if job is None:
            return False
        await runner.run(job, self.stopping)
        return True
