"""A lab whose sweeps ask a script, worked on when told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.lab.tests.evaluations.asking import ACME, OWNER, ScriptedGrants, ScriptedTarget

from contracts.improvement.evaluations import EvaluationTarget
from contracts.improvement.question_sets import QuestionRecord, QuestionSetCreate
from contracts.improvement.sweeps import Trial, TrialCreate
from lab.dependencies import Dependencies
from lab.evaluations.jobs import EvaluationJobs
from lab.evaluations.measures import Said
from lab.evaluations.target import Answered
from lab.sweeps.jobs import TrialJobs
from servicekit.core.errors import ServiceError
from servicekit.jobs.leased_job import LeasedJob
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner

Finds = Callable[[EvaluationTarget, QuestionRecord], Answered | ServiceError]


def found(*documents: str, latency_ms: float = 10.0, **report: Any) -> Answered:
    return Answered(Said(None, sources=list(documents)), latency_ms, 3, report=report)


def sparse_is_best(target: EvaluationTarget, question: QuestionRecord) -> Answered:
    """Words find each document; meaning finds it second; reranking takes time and changes nothing."""
    assert target.groundwork is not None
    (right,) = question.documents
    slow = 50.0 if target.groundwork.rerank else 0.0
    if target.groundwork.mode == "sparse":
        return found(right, "other", latency_ms=10 + slow)
    return found("other", right, latency_ms=10 + slow)


@dataclass
class SearchTarget(ScriptedTarget):
    """Finds what the script says, for each combination."""

    finds: Finds = sparse_is_best
    models: list[str] = field(default_factory=list)

    async def ask(self, target: EvaluationTarget, question: QuestionRecord, token: str, request_id: str) -> Answered:
        self.asked[question.id] += 1
        self.requests.append(request_id)
        self.models.append(target.model)
        self.began.set()
        await self.open.wait()
        answer = self.finds(target, question)
        if isinstance(answer, ServiceError):
            raise answer
        return answer


@dataclass
class TrialBench:
    """Sweeps and their evaluations, each worked on by a worker of this test's."""

    opened: Dependencies
    target: SearchTarget = field(default_factory=SearchTarget)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.grants = ScriptedGrants(self.target)

    async def save(self, count: int = 40, **more: Any) -> None:
        """A set of so many questions, each of a document of its own."""
        words = ["harbour", "lantern", "meadow", "copper", "violin", "glacier", "saffron"]
        items = [
            {"question": f"{words[n % 7]} number {n}?", "documents": [f"d{n}"], **more, "split": _split(n, more)}
            for n in range(count)
        ]
        await self.opened.question_sets.save(
            ACME, QuestionSetCreate.model_validate({"name": "policies", "items": items})
        )

    async def start(self, **more: Any) -> str:
        wanted = {"collection": "handbook", "question_set": "policies", **more}
        wanted.setdefault("settings", {"mode": ["hybrid", "sparse"], "rerank": [False, True]})
        return (await self.opened.sweeps.create(ACME, OWNER, TrialCreate.model_validate(wanted))).id

    async def get(self, trial_id: str) -> Trial:
        return await self.opened.sweeps.get(ACME, trial_id)

    async def work(self) -> bool:
        """Work on a sweep until it is over or requeued, with a worker beside it for evaluations; whether there was
        one."""
        queue = Queue(self.opened.sweeps.store, TrialJobs(self.opened.evaluations, self.opened.sweeps.indexes))
        job = await queue.claim("worker")
        if job is None:
            return False
        asking = asyncio.create_task(self.evaluate())
        try:
            await Runner(queue).run(job, self.stopping)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        return True

    async def evaluate(self) -> None:
        """Work on evaluations as they come."""
        store = self.opened.evaluations.store
        queue = Queue(store, EvaluationJobs(self.target, self.grants, 2))
        with store.notifier.subscribe(None) as subscription:
            while True:
                job: LeasedJob | None = await queue.claim("asker")
                if job is None:
                    await subscription.wait(0.5)
                else:
                    await Runner(queue).run(job, asyncio.Event())


def _split(number: int, more: dict[str, Any]) -> str | None:
    given: str | None = more.get("split")
    return ("train" if number % 2 else "test") if given == "both" else given
