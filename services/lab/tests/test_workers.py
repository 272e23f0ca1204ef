from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from contracts.improvement.evaluations import EvaluationCreate
from contracts.improvement.question_sets import QuestionSetCreate
from lab.dependencies import Dependencies
from lab.metrics import WITHOUT_WORKER
from lab.questions.repository import Viewer
from lab.tables import EVALUATIONS
from lab.workers import counting
from servicekit.core.clock import ManualClock
from servicekit.jobs.tables import JobOwner

ANN = Viewer("acme", "key_ann")
OWNER = JobOwner("acme", "key_ann", "req_1", "grant")


async def test_jobs_that_may_run_are_counted_only_while_none_of_their_kind_does(
    opened: Dependencies, clock: ManualClock
) -> None:
    items = [{"question": "Why?", "answers": ["So."]}]
    await opened.question_sets.save(ANN, QuestionSetCreate.model_validate({"name": "why", "items": items}))
    wanted = EvaluationCreate.model_validate({"question_set": "why", "target": {"model": "m"}})
    first, second = [(await opened.evaluations.create(ANN, OWNER, wanted)).id for _ in range(2)]
    store = opened.evaluations.store
    count = counting(store, "evaluations").act
    columns, later = EVALUATIONS.c, clock.now() + timedelta(minutes=1)

    async def counted(job: str, **values: object) -> float:
        async with store.database.write() as connection:
            await connection.execute(update(EVALUATIONS).where(columns.id == job).values(**values))
        await count()
        return float(WITHOUT_WORKER.labels("evaluations")._value.get())

    assert await counted(first, not_before=None) == 2
    assert await counted(first, not_before=later) == 1
    assert await counted(second, status="running", lease_expires_at=later) == 0
    clock.advance(120)
    assert await counted(first, not_before=None) == 2, "its worker has died"
    assert await counted(first, status="completed") == 1
