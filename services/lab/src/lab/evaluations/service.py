"""What the API does with evaluations: they are queued, followed, ended and compared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, exists, update

from contracts.core.pages import Page
from contracts.improvement.evaluations import (
    Evaluation,
    EvaluationAnswer,
    EvaluationComparison,
    EvaluationCreate,
    MeasureComparison,
)
from lab.errors import EvaluationFinished, NoQuestions, OtherEvaluationMissing, OtherJudge
from lab.evaluations import repository
from lab.evaluations.answers import Wanted, list_answers
from lab.evaluations.comparison import Difference
from lab.evaluations.figures import Measured, differences
from lab.evaluations.judging.rubric import OF_JUDGE
from lab.questions.repository import Viewer
from lab.safety import suites
from lab.tables import EVALUATION_JOBS, EVALUATIONS, UNJUDGED
from servicekit.jobs.cancellation import request_cancel, revoke
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Evaluations:
    """The evaluations of all tenants."""

    store: JobStore
    most_live: int

    async def create(self, viewer: Viewer, owner: JobOwner, wanted: EvaluationCreate) -> Evaluation:
        """Queue one of a version that there is; raises `QuestionSetNotFound`, `NoQuestions` or `TooManyEvaluations`."""
        now = self.store.clock.now()

        def write(connection: Connection) -> Evaluation:
            repository.check_room(connection, viewer.tenant, self.most_live)
            found = suites.get_version(connection, viewer, wanted.question_set, wanted.version)
            count = found.questions if wanted.split is None else found.splits.get(wanted.split, 0)
            if not count:
                raise NoQuestions(found.name, found.version, wanted.split or "", found.splits)
            made = repository.create_evaluation(connection, owner, wanted, found, count, now)
            return repository.get_evaluation(connection, viewer, made)

        made = await self.store.database.write(write)
        self.store.notifier.notify(made.id, due=True)
        return made

    async def get(self, viewer: Viewer, evaluation_id: str) -> Evaluation:
        """One."""
        return await self.store.database.read(lambda one: repository.get_evaluation(one, viewer, evaluation_id))

    async def list(
        self, viewer: Viewer, limit: int, cursor: str | None, question_set: str | None, status: str | None
    ) -> Page[Evaluation]:
        """Newest first."""
        return await self.store.database.read(
            lambda one: repository.list_evaluations(one, viewer, limit, cursor, question_set, status)
        )

    async def list_answers(
        self,
        viewer: Viewer,
        evaluation_id: str,
        limit: int,
        cursor: str | None,
        measure: str | None = None,
        other_id: str | None = None,
    ) -> Page[EvaluationAnswer]:
        """Question by question; by a measure, the worst first. Raises `EvaluationNotFound`, or `OtherJudge` for
        what one judge said beside what another did."""
        if measure in OF_JUDGE and other_id is not None:
            one, other = await self.get(viewer, evaluation_id), await self.get(viewer, other_id)
            if _judge(one) != _judge(other):
                raise OtherJudge(measure)
        wanted = Wanted(evaluation_id, other_id, measure)
        return await self.store.database.read(lambda one: list_answers(one, viewer, wanted, limit, cursor))

    async def cancel(self, viewer: Viewer, evaluation_id: str) -> Evaluation:
        """End one, at once or once its worker hears of it; raises `EvaluationNotFound` or `EvaluationFinished`."""
        await self.get(viewer, evaluation_id)
        async with self.store.database.write() as connection:
            row = await request_cancel(connection, EVALUATION_JOBS, evaluation_id)
            if row is None:
                row = await self._cancel_queued(connection, evaluation_id)
        found = await self.get(viewer, evaluation_id)
        if row is None:
            raise EvaluationFinished(evaluation_id, found.status)
        self.store.notifier.notify(evaluation_id, due=True)
        return found

    async def _cancel_queued(self, connection: Transaction, evaluation_id: str) -> RowMapping | None:
        """One that has answers is claimed once more, now, to be summed up with what it cost; any other ends at once."""
        columns, now = EVALUATIONS.c, self.store.clock.now()
        answered = (columns.done > 0) | exists().where(UNJUDGED.c.evaluation_id == columns.id)
        begun = (columns.id == evaluation_id) & (columns.status == "queued") & answered
        flagged = update(EVALUATIONS).where(begun).values(cancel_requested=True, not_before=None)
        row = (await connection.execute(flagged.returning(*columns))).mappings().one_or_none()
        if row is None:
            ended = {"status": "cancelled", "finished_at": now, "grant_token": None}
            rows = await revoke(connection, EVALUATION_JOBS, columns.id == evaluation_id, ended, ("queued",))
            row = rows[0] if rows else None
        return row

    async def delete(self, viewer: Viewer, evaluation_id: str) -> None:
        """One that has ended."""
        await self.store.database.write(lambda one: repository.delete_evaluation(one, viewer, evaluation_id))

    async def delete_tenant(self, tenant: str) -> None:
        """All that a tenant has."""
        await self.store.database.write(lambda one: repository.delete_tenant(one, tenant))

    async def compare(self, viewer: Viewer, first_id: str, second_id: str | None) -> EvaluationComparison:
        """Measure by measure, over the questions that got an answer in both; verdicts only of one judge. Raises
        `EvaluationNotFound`, or `OtherEvaluationMissing` where none is named."""
        first = await self.get(viewer, first_id)
        if second_id is None:
            raise OtherEvaluationMissing
        second = await self.get(viewer, second_id)
        one, other = await self._measured(viewer, first_id), await self._measured(viewer, second_id)
        found = await asyncio.to_thread(differences, one, other)
        same = (first.question_set, first.version) == (second.question_set, second.version)
        alike = _judge(first) == _judge(second)
        kept = [each for each in found if alike or each[1].measure not in OF_JUDGE]
        measures = [shown_difference(label, difference) for label, difference in kept]
        return EvaluationComparison(
            first=first_id, second=second_id, same_version=same, same_judge=alike, measures=measures
        )

    async def _measured(self, viewer: Viewer, evaluation_id: str) -> dict[str, Measured]:
        return await self.store.database.read(lambda one: repository.measured_by_question(one, viewer, evaluation_id))


def _judge(one: Evaluation) -> tuple[str, str] | None:
    """Whose verdicts, by which rubric."""
    return None if one.judge is None else (one.judge.model, one.judge.digest)


def shown_difference(label: str | None, one: Difference) -> MeasureComparison:
    """As the API tells it."""
    figures = {name: getattr(one, name) for name in Difference.__dataclass_fields__}
    return MeasureComparison.model_validate({**figures, "label": label, "verdict": one.verdict, "words": one.words})
