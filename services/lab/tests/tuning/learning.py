"""A method that learns by a script, and a lab that works on its jobs when told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.improvement.question_sets import QuestionRecord, QuestionSetCreate
from contracts.improvement.tuning import FineTuningCreate, FineTuningJob
from lab.dependencies import Dependencies
from lab.questions.repository import Viewer
from lab.tuning.jobs import TuningJobs
from lab.tuning.method import Trained, Work
from servicekit.core.errors import ServiceError
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.jobs.tables import JobOwner

ACME = Viewer("acme", "key_1")
OWNER = JobOwner("acme", "key_1", "req_1", "grant")
STEPS = 3
Script = Callable[[Work], Exception | None]


def better(work: Work) -> Trained:
    """Half the loss on every question."""
    before = {one.id: 2.0 + at / 10 for at, one in enumerate(work.held_out)}
    return Trained(b"GGUF" * 10, before, {name: loss / 2 for name, loss in before.items()}, "loss", tokens=300)


@dataclass
class ScriptedMethod:
    """Makes three steps, then ends as the script says."""

    name: str = "supervised"
    needs: Sequence[str] = ()
    outcome: Callable[[Work], Trained] = better
    fails: Callable[[int], Exception | None] = lambda attempt: None
    """What an attempt, counted from 1, ends with after its second step."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    works: list[Work] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open.set()

    def settings(self, wanted: FineTuningCreate) -> dict[str, Any]:
        return wanted.method.supervised.hyperparameters.model_dump()

    def teaches(self, question: QuestionRecord) -> bool:
        return bool(question.answers)

    async def train(self, work: Work) -> Trained:
        self.works.append(work)
        self.tokens.append(await work.token())
        await work.report.based_on("sha256:base")
        work.folder.mkdir(parents=True, exist_ok=True)
        (work.folder / "state").write_text("something")
        self.began.set()
        try:
            await self.open.wait()
        finally:
            self.ended.set()
        for step in range(1, STEPS + 1):
            await work.report.step(step, STEPS, step * 100, {"train_loss": 3.0 - step})
            if step == 2 and (error := self.fails(len(self.works))) is not None:
                raise error
        await work.report.checkpoint(STEPS, {"valid_loss": 1.0})
        return self.outcome(work)


@dataclass
class ScriptedGrants:
    refused: ServiceError | None = None

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        if self.refused is not None:
            raise self.refused
        return f"token of {grant}"


@dataclass
class Bench:
    """A lab whose jobs a scripted method works on."""

    opened: Dependencies
    method: ScriptedMethod
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    grants: ScriptedGrants = field(default_factory=ScriptedGrants)

    async def save(self, name: str = "support", count: int = 20, viewer: Viewer = ACME, **more: Any) -> None:
        """A set with so many questions that have answers, and one that has none."""
        items = [{"question": f"What is number {n} called?", "answers": [f"Name {n}"], **more} for n in range(count)]
        items.append({"question": "Who knows this?"})
        wanted = QuestionSetCreate.model_validate({"name": name, "items": items})
        await self.opened.question_sets.save(viewer, wanted)

    async def judge(self, question: str, name: str, viewer: Viewer = ACME) -> None:
        """Another set that asks this to judge answers by."""
        wanted = QuestionSetCreate.model_validate({"name": name, "items": [{"question": question, "split": "test"}]})
        await self.opened.question_sets.save(viewer, wanted)

    async def start(self, viewer: Viewer = ACME, **more: Any) -> FineTuningJob:
        """A job on that set."""
        body = {"model": "smollm2", "training_file": "set:support", "seed": 7, **more}
        owner = JobOwner(viewer.tenant, viewer.key_id, "req_1", "grant")
        return await self.opened.tuning.create(viewer, owner, FineTuningCreate.model_validate(body))

    async def work(self, owner: str = "worker") -> bool:
        """Claim a job and work on it until it is over or requeued; whether there was one."""
        tuning = self.opened.tuning
        queue = Queue(tuning.store, TuningJobs({self.method.name: self.method}, self.grants, tuning.folders))
        job = await queue.claim(owner)
        if job is None:
            return False
        await Runner(queue).run(job, self.stopping)
        return True

    async def learnt(self, job_id: str, viewer: Viewer = ACME) -> bytes:
        """What a job has to give."""
        return b"".join([piece async for piece in (await self.opened.tuning.get_artifact(viewer, job_id)).pieces])

    async def get(self, job_id: str, viewer: Viewer = ACME) -> FineTuningJob:
        return await self.opened.tuning.get(viewer, job_id)
