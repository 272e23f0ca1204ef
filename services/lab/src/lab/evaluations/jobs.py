"""An evaluation as a durable job: its questions are asked, a few at once, and each answer is written down with the
progress in one transaction, so that none is there twice however often the worker dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, insert, select

from contracts.documents.documents import Failure
from contracts.improvement.evaluations import EvaluationTarget
from contracts.improvement.question_sets import QuestionRecord
from lab.errors import TargetRefuses
from lab.evaluations.authority import Grants, room_in_budget
from lab.evaluations.figures import summarise
from lab.evaluations.measures import Known, Said, measure
from lab.evaluations.pairs import pair_figures, write_figures
from lab.evaluations.target import GONE, LATER, Answered, Target
from lab.metrics import ASKED, EVALUATIONS
from lab.questions.repository import Viewer
from lab.safety import suites
from lab.safety.measures import DECISION, measure_safety, rule_of
from lab.tables import ANSWERS
from servicekit.core.errors import ServiceError
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
SUCCEEDED = "succeeded"
"""The measure of every question: whether there is an answer."""
_NOTHING = Said("")


@dataclass(slots=True)
class Pending:
    """The questions that are still to be asked, and those that are under way."""

    left: list[tuple[int, QuestionRecord]]
    under_way: dict[asyncio.Task[tuple[Answered, int]], tuple[int, QuestionRecord]] = field(default_factory=dict)
    refused: int = 0
    """Questions that were refused in a row since this began."""
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
        """Raise `TargetRefuses` where no question can be answered as the target is declared."""
        self.refused = self.refused + 1 if answered.refused else 0
        if self.refused >= REFUSALS and not successes and answered.error is not None:
            raise TargetRefuses(answered.error)

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
        pending = Pending(await job.store.database.read(lambda one: _unanswered(one, job.row)))
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
                    pending.under_way[asyncio.create_task(self._ask(job, number, question))] = (number, question)
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

    async def _ask(self, job: LeasedJob, number: int, question: QuestionRecord) -> tuple[Answered, int]:
        """An answer, or what went wrong with this question again and again; and how often it was asked."""
        target = EvaluationTarget.model_validate(job.row["target"])
        for tried in range(1, TRIES + 1):
            token = await self.grants.token(job.row["grant_token"], call_id=job.id)
            try:
                request_id = f"{job.id}.{number}.{job.lease.fence}.{tried}"
                return await self.target.ask(target, question, token, request_id), tried
            except ServiceError as error:
                if error.http_status in GONE or error.http_status in LATER or tried == TRIES:
                    if error.http_status in GONE or error.http_status in LATER:
                        raise
                    return Answered(_NOTHING, 0.0, error=error.body(None)), tried
            await asyncio.sleep(PAUSE_SECONDS * tried)
        raise AssertionError("the last try returns or raises")

    async def _keep(
        self, job: LeasedJob, number: int, question: QuestionRecord, answered: Answered, tries: int, pending: Pending
    ) -> None:
        row = await asyncio.to_thread(_row, job.id, number, question, answered, tries)

        def change(connection: Connection) -> None:
            connection.execute(insert(ANSWERS).values(**row))

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

    async def _finish(self, job: LeasedJob, status: str, failure: Failure | None = None) -> None:
        paired, measured = await job.store.database.read(lambda one: _measured(one, job.row))
        figures = await asyncio.to_thread(summarise, measured)
        try:
            spent = (await self.grants.spent(job.row["grant_token"], job.id, job.row["created_at"])).model_dump()
        except ServiceError as error:
            log.warning("what an evaluation has cost is not known", reason=error.message)
            spent = job.row["spent"]
        reason = None if failure is None else failure.model_dump()
        ended = {"status": status, "error": reason, "figures": figures, "spent": spent}
        async with job.releasing({**ended, "finished_at": job.clock.now(), "grant_token": None}) as connection:
            await connection.run(lambda one: write_figures(one, job.id, paired))
            log.info("evaluation ended", status=status, questions=job.row["done"])
        EVALUATIONS.labels(status).inc()


def _unanswered(connection: Connection, row: Mapping[str, Any]) -> list[tuple[int, QuestionRecord]]:
    """The questions of the version that have no answer yet, by number, the last one first."""
    viewer = Viewer(row["tenant"], row["grant_key_id"])
    questions = suites.all_questions(connection, viewer, row["question_set"], row["version"], row["split"])
    known = set(connection.execute(select(ANSWERS.c.number).where(ANSWERS.c.evaluation_id == row["id"])).scalars())
    return [(number, one) for number, one in reversed(list(enumerate(questions, start=1))) if number not in known]


def _measured(
    connection: Connection, row: Mapping[str, Any]
) -> tuple[dict[int, dict[str, float]], list[tuple[Sequence[str], Mapping[str, float]]]]:
    """The figures that are to be taken over, by number; labels and figures of each question."""
    paired = pair_figures(connection, row)
    columns = (ANSWERS.c.number, ANSWERS.c.labels, ANSWERS.c.figures)
    query = select(*columns).where(ANSWERS.c.evaluation_id == row["id"]).order_by(ANSWERS.c.number)
    return paired, [(one.labels, paired.get(one.number, one.figures)) for one in connection.execute(query)]


def _row(evaluation_id: str, number: int, question: QuestionRecord, answered: Answered, tries: int) -> dict[str, Any]:
    known, rule = Known(question.answers, question.documents, question.answerable), rule_of(question.metadata)
    figures, report = {SUCCEEDED: float(answered.error is None)}, dict(answered.report)
    if answered.error is None:
        figures |= measure(known, answered.said)
        if rule is not None:
            judged = measure_safety(rule, answered.said.text, abstained=answered.said.abstained)
            figures |= judged.figures
            report |= {} if judged.decision is None else {DECISION: judged.decision}
        figures |= {"latency_ms": answered.latency_ms, "tokens": float(answered.tokens)}
    return {
        "evaluation_id": evaluation_id,
        "number": number,
        "question_id": question.id,
        "labels": question.labels,
        "question": question.question or (question.turns[-1].content if question.turns else ""),
        "answer": answered.said.text if answered.error is None else None,
        "figures": figures,
        "error": None if answered.error is None else answered.error.model_dump(),
        "answer_id": answered.answer_id,
        "report": report,
        "tries": tries,
    }
