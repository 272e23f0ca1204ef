"""An evaluation as a durable job: its questions are asked, a few at once, and each answer is written down with the
progress in one transaction, so that none is there twice however often the worker dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, insert

from contracts.documents.documents import Failure
from contracts.improvement.evaluations import EvaluationTarget
from contracts.improvement.question_sets import QuestionRecord
from lab.errors import JudgeRefuses, TargetRefuses
from lab.evaluations.authority import Grants, room_in_budget
from lab.evaluations.figures import summarise
from lab.evaluations.judging.judge import Judge
from lab.evaluations.judging.unjudged import Unjudged, delete_unjudged, read_unjudged, unjudged_rows, write_unjudged
from lab.evaluations.measures import Said
from lab.evaluations.pairs import write_figures
from lab.evaluations.rows import answer_row, measured_answers, taken_for_refusal, unanswered
from lab.evaluations.target import GONE, LATER, Answered, Target
from lab.metrics import ASKED, EVALUATIONS
from lab.tables import ANSWERS
from servicekit.core.errors import NotFound, ServiceError
from servicekit.jobs.kind import JobKind
from servicekit.jobs.leased_job import JobStore, LeasedJob
from servicekit.jobs.leases import Lease
from servicekit.jobs.outcomes import Ending, Fail, RetryPolicy
from servicekit.sql.transaction import Transaction

log = structlog.get_logger(__name__)
TRIES = 3
"""Of one question, before it counts as one that got no answer."""
REFUSALS = 3
"""Questions that are refused for what the request says, with no answer to any other, after which no other is asked."""
PAUSE_SECONDS = 1.0
LOOK = timedelta(seconds=10)
"""Between two looks into the ledger, where no budget asks for more."""
_NOTHING = Said("")


@dataclass(slots=True)
class Pending:
    """The questions that are still to be asked, and those that are under way."""

    left: list[tuple[int, QuestionRecord]]
    unjudged: Unjudged = field(default_factory=dict)
    """Answers that were given before, and of which only the verdict is missing."""
    under_way: dict[asyncio.Task[tuple[Answered, int]], tuple[int, QuestionRecord]] = field(default_factory=dict)
    refused: int = 0
    """Questions that were refused in a row since this began."""
    judge_refused: int = 0
    """Verdicts that were refused in a row."""
    has_verdicts: bool = False
    spent: dict[str, Any] | None = None
    """What the ledger said, until it is written down with the next answer."""
    looked_at: datetime | None = None
    """When the ledger was last asked."""

    def begin(self, most: int) -> Iterator[tuple[int, QuestionRecord]]:
        """The next ones, while there is room."""
        while self.left and len(self.under_way) < most:
            yield self.left.pop()

    async def ended(self) -> list[tuple[asyncio.Task[tuple[Answered, int]], int, QuestionRecord]]:
        """Those that have ended, at least one."""
        done, _ = await asyncio.wait(self.under_way, return_when=asyncio.FIRST_COMPLETED)
        return [(task, *self.under_way.pop(task)) for task in done]

    def check(self, answered: Answered, successes: int) -> None:
        """Raise `TargetRefuses` or `JudgeRefuses` where nothing can be answered, or judged, as it is declared."""
        self.refused = self.refused + 1 if answered.refused else 0
        if self.refused >= REFUSALS and not successes and answered.error is not None:
            raise TargetRefuses(answered.error)
        if answered.judged is not None:
            verdict = answered.judged.verdict
            self.has_verdicts = self.has_verdicts or verdict.right is not None
            self.judge_refused = self.judge_refused + 1 if verdict.refused else 0
            if self.judge_refused >= REFUSALS and not self.has_verdicts and verdict.error is not None:
                raise JudgeRefuses(verdict.error)

    async def stop(self) -> None:
        """End what is under way."""
        for task in self.under_way:
            task.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)


@dataclass(frozen=True)
class EvaluationJobs(JobKind[LeasedJob]):
    """Asks, measures, and writes down."""

    target: Target
    grants: Grants
    at_once: int
    retry = RetryPolicy(max_attempts=5, max_wait=3600)
    name = "evaluation"

    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> LeasedJob:
        """The row is all there is."""
        return LeasedJob(store, lease, row)

    async def run(self, job: LeasedJob) -> None:
        """Ask what has no answer yet, then sum up."""
        pending = Pending(
            await job.store.database.read(lambda one: unanswered(one, job.row)),
            await job.store.database.read(lambda one: read_unjudged(one, job.id)),
        )
        try:
            limited = await self._ask_all(job, pending)
        finally:
            await pending.stop()
        await self._finish(job, "limit_reached" if limited else "completed")

    async def _ask_all(self, job: LeasedJob, pending: Pending) -> bool:
        """Whether the budget ended it. What is under way when something goes wrong, or the worker is to stop, is still
        waited for and kept: it is paid for."""
        failure: ServiceError | None = None
        room = 1
        while True:
            leaving = job.stopping.is_set() or job.give_way.is_set()
            if failure is None and not leaving and pending.left:
                room = await self._room(job, pending)
                for number, question in pending.begin(room):
                    attempt = self._answer(job, number, question, pending.unjudged.pop(number, None))
                    pending.under_way[asyncio.create_task(attempt)] = (number, question)
            if not pending.under_way:
                break
            for task, number, question in await pending.ended():
                try:
                    await self._keep(job, number, question, *task.result(), pending)
                    pending.check(task.result()[0], job.row["done"] - job.row["failed"])
                except ServiceError as error:
                    failure = failure or error
        if failure is not None:
            raise failure
        if pending.left and room:
            job.checkpoint()
        return not room

    async def end(self, job: LeasedJob, ending: Ending) -> None:
        """What was answered stays, with its figures."""
        status = "failed" if isinstance(ending, Fail) else "cancelled"
        await self._finish(job, status, ending.failure)

    async def _answer(
        self, job: LeasedJob, number: int, question: QuestionRecord, known: tuple[Answered, int] | None
    ) -> tuple[Answered, int]:
        """An answer with its verdict, where one is to judge. It is written down before its judge is asked, so that it
        is paid once, however often that must be waited for."""
        answered, tries = known or await self._ask(job, number, question)
        if job.row["judge"] is None or answered.error is not None:
            return answered, tries
        if known is None:
            await job.write(lambda one: write_unjudged(one, job.id, number, answered, tries))
        return await self._judged(job, question, answered, f"{job.id}.{number}.{job.lease.fence}"), tries

    async def _ask(self, job: LeasedJob, number: int, question: QuestionRecord) -> tuple[Answered, int]:
        """An answer, or what went wrong with this question again and again; and how often it was asked."""
        target = EvaluationTarget.model_validate(job.row["target"])
        for tried in range(1, TRIES + 1):
            token = await self.grants.token(job.row["grant_token"], call_id=job.id)
            try:
                name = f"{job.id}.{number}.{job.lease.fence}"
                answered = await self.target.ask(target, question, token, f"{name}.{tried}")
            except ServiceError as error:
                if error.http_status in GONE or error.http_status in LATER or tried == TRIES:
                    if error.http_status in GONE or error.http_status in LATER:
                        raise
                    return Answered(_NOTHING, 0.0, error=error.body(None)), tried
            else:
                return taken_for_refusal(question, answered), tried
            await asyncio.sleep(PAUSE_SECONDS * tried)
        raise AssertionError("the last try returns or raises")

    async def _judged(self, job: LeasedJob, question: QuestionRecord, answered: Answered, name: str) -> Answered:
        spec = job.row["judge"]
        token = partial(self.grants.token, job.row["grant_token"], call_id=job.id)
        judge = Judge(self.target, spec["model"], spec["text"], token)
        return replace(answered, judged=await judge.judge(question, answered.said.text or "", name))

    async def _keep(
        self, job: LeasedJob, number: int, question: QuestionRecord, answered: Answered, tries: int, pending: Pending
    ) -> None:
        row = await asyncio.to_thread(answer_row, job.row, number, question, answered, tries)

        def change(connection: Connection) -> None:
            connection.execute(insert(ANSWERS).values(**row))
            delete_unjudged(connection, job.id, number)

        values: dict[str, Any] = {"done": job.row["done"] + 1}
        values["failed"] = job.row["failed"] + (answered.error is not None)
        if pending.spent is not None:
            values["spent"], pending.spent = pending.spent, None
        await job.write(change, values=values, progress=True)
        ASKED.labels("answered" if answered.error is None else "failed").inc()

    async def _room(self, job: LeasedJob, pending: Pending) -> int:
        """How many questions may be under way. With a budget the ledger is asked before each that begins, once those
        before have ended: none where nothing is left, one where the next few could spend more than is."""
        if job.row["budget_nano_usd"] is None:
            await self._look(job, pending)
            return self.at_once
        if pending.under_way:
            return 1  # its cost is in the ledger once it has ended
        return room_in_budget(job.row, await self._spent(job, pending), self.at_once)

    async def _look(self, job: LeasedJob, pending: Pending) -> None:
        """Ask the ledger now and then, for who follows the evaluation: without an answer it goes on."""
        now = job.clock.now()
        pending.looked_at = pending.looked_at or now
        if now - pending.looked_at >= LOOK:
            try:
                await self._spent(job, pending)
            except ServiceError as error:
                pending.looked_at = now
                log.warning("what an evaluation has cost so far is not known", reason=error.message)

    async def _spent(self, job: LeasedJob, pending: Pending) -> int | None:
        """What the ledger has so far, in billionths of a dollar; null where a price is not known."""
        found = await self.grants.spent(job.row["grant_token"], job.id, job.row["created_at"])
        pending.spent, pending.looked_at = found.model_dump(), job.clock.now()
        return found.cost_nano_usd

    async def _keep_unjudged(self, job: LeasedJob) -> None:
        """What was answered, and so paid, and has no verdict when the evaluation ends, counts as one that the judge
        failed at. Where the questions are gone by now, it is no answer to any."""
        unjudged = await job.store.database.read(lambda one: read_unjudged(one, job.id))
        if not unjudged:
            return
        try:
            left = await job.store.database.read(lambda one: unanswered(one, job.row))
        except NotFound:
            return
        rows = await asyncio.to_thread(unjudged_rows, job.row, left, unjudged)

        def change(connection: Connection) -> None:
            if rows:
                connection.execute(insert(ANSWERS), rows)
            delete_unjudged(connection, job.id)

        await job.write(change, values={"done": job.row["done"] + len(rows)})
        ASKED.labels("answered").inc(len(rows))

    async def _finish(self, job: LeasedJob, status: str, failure: Failure | None = None) -> None:
        await self._keep_unjudged(job)
        paired, measured, agreed = await job.store.database.read(lambda one: measured_answers(one, job.row))
        figures = await asyncio.to_thread(summarise, measured)
        try:
            spent = (await self.grants.spent(job.row["grant_token"], job.id, job.row["created_at"])).model_dump()
        except ServiceError as error:
            log.warning("what an evaluation has cost is not known", reason=error.message)
            spent = job.row["spent"]
        reason = None if failure is None else failure.model_dump()
        ended = {"status": status, "error": reason, "figures": {**figures, **agreed}, "spent": spent}
        async with job.releasing({**ended, "finished_at": job.clock.now(), "grant_token": None}) as connection:
            await connection.run(lambda one: write_figures(one, job.id, paired))
            await connection.run(lambda one: delete_unjudged(one, job.id))
            log.info("evaluation ended", status=status, questions=job.row["done"])
        EVALUATIONS.labels(status).inc()
