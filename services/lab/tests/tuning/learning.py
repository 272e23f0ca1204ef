"""A method that learns by a script, and a lab that works on its jobs when told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.improvement.question_sets import QuestionRecord, QuestionSetCreate
from contracts.improvement.tuning import FineTuningCreate, FineTuningJob
from contracts.models.tuning import Stage, tuned_name
from lab.dependencies import Dependencies
from lab.questions.repository import Viewer
from lab.tuning.gates.parity import Agreement, Said
from lab.tuning.jobs import TuningJobs
from lab.tuning.method import Trained, Work
from lab.tuning.publication import Learnt, Token
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
    general = {one.id: 1.0 for one in work.general}
    after = {name: loss / 2 for name, loss in before.items()}
    return Trained(b"GGUF" * 10, before, after, "loss", tokens=300, general_before=general, general_after=general)


@dataclass
class ScriptedMethod:
    """Makes three steps, then ends as the script says."""

    name: str = "supervised"
    needs: Sequence[str] = ()
    learns_answers: bool = True
    outcome: Callable[[Work], Trained] = better
    fails: Callable[[int], Exception | None] = lambda attempt: None
    """What an attempt, counted from 1, ends with after its second step."""
    more: int = 0
    """Tokens of the step at which it fails."""
    resolves: Mapping[str, str] = field(default_factory=dict)
    """What inference calls the model that a name stands for."""
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
        await work.report.based_on(self.resolves.get(work.model, work.model), "sha256:base")
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
                await work.report.read(step * 100 + self.more)
                raise error
        await work.report.checkpoint(STEPS, {"valid_loss": 1.0})
        return self.outcome(work)


@dataclass
class CheckedMethod(ScriptedMethod):
    """One whose trainer looks at what served models say."""

    shares: tuple[float, float] = (0.95, 0.94)
    """Of tokens that it would have chosen, too: the base's, the tuned one's."""
    checks: int = 0
    said: list[str] = field(default_factory=list)
    """The questions whose answers it looked at last, by id."""
    breaks: Exception | None = None

    async def agreement(self, work: Work, base: Sequence[Said], tuned: Sequence[Said]) -> Agreement:
        self.checks += 1
        self.said = [one.question.id for one in tuned]
        assert (work.folder / "adapter.gguf").read_bytes() == b"GGUF" * 10
        assert (work.folder / "state").is_file(), "it looks by what it has learnt from"
        if self.breaks is not None:
            raise self.breaks
        figures = [
            {one.question.id: share + at / 1000 for at, one in enumerate(said)}
            for said, share in zip((base, tuned), self.shares, strict=True)
        ]
        return Agreement(*figures)


@dataclass
class ScriptedGrants:
    refused: ServiceError | None = None

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        if self.refused is not None:
            raise self.refused
        return f"token of {grant}"


@dataclass
class Ledger:
    """Takes a job's tokens once, as the gateway's does."""

    away: ServiceError | None = None
    charged: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    asked: int = 0
    loses_answer: ServiceError | None = None
    """What is raised of one that it has taken."""

    async def charge_learnt(self, grant: str, job: str, model: str, tokens: int) -> None:
        self.asked += 1
        if self.away is not None:
            raise self.away
        self.charged.setdefault(job, (grant, model, tokens))
        if self.loses_answer is not None:
            raise self.loses_answer


@dataclass
class ScriptedPublisher:
    """Inference, as far as tuned models go: what is served of which job, by its name."""

    served: dict[str, str] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    raises: Exception | None = None
    meanwhile: Callable[[], Awaitable[object]] | None = None
    """What happens while it is declared."""

    async def publish(self, learnt: Learnt, token: Token, stage: Stage = "published") -> str:
        await token()
        if self.raises is not None:
            raise self.raises
        suffix = learnt.suffix if stage == "published" else f"candidate-{learnt.row['id']}"
        name = tuned_name(learnt.row["model"], learnt.row["tenant"], suffix)
        self.served[name] = learnt.row["id"]
        self.contents[name] = b"".join([piece async for piece in learnt.pieces()])
        if self.meanwhile is not None:
            await self.meanwhile()
        return name

    async def ask(self, token: Token, model: str, question: QuestionRecord) -> Said:
        await token()
        self.asked.append(model)
        return Said(question, f"{model} says", is_whole=True, tokens=3)

    async def discard(self, name: str, token: Token) -> None:
        await token()
        self.served.pop(name, None)

    async def unpublish(self, job_id: str, token: Token) -> None:
        await token()
        self.served = {name: job for name, job in self.served.items() if job != job_id}


async def a_token() -> str:
    """Of whoever calls."""
    return "token"


@dataclass
class Bench:
    """A lab whose jobs a scripted method works on."""

    opened: Dependencies
    method: ScriptedMethod
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    grants: ScriptedGrants = field(default_factory=ScriptedGrants)

    @property
    def publisher(self) -> ScriptedPublisher:
        found = self.opened.tuning.publisher
        assert isinstance(found, ScriptedPublisher)
        return found

    @property
    def ledger(self) -> Ledger:
        found = self.opened.tuning.charges.ledger
        assert isinstance(found, Ledger)
        return found

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
        methods = {self.method.name: self.method}
        jobs = TuningJobs(methods, self.grants, tuning.folders, self.publisher, tuning.charges)
        queue = Queue(tuning.store, jobs)
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
