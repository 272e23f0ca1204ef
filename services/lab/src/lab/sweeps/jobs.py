"""A sweep as a durable job: an evaluation of each combination, one after the other, then of the one that looked best on
other questions. The evaluations are jobs of their own, so that none is asked again when this one's worker dies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping

from contracts.documents.documents import Failure
from contracts.improvement.evaluations import FINAL_EVALUATION_STATUSES, EvaluationCreate
from contracts.improvement.sweeps import Combination, TrialPart
from lab.errors import EvaluationFinished, EvaluationNotFound
from lab.evaluations.comparison import Difference
from lab.evaluations.repository import NANO, TrialPlace, create_evaluation, measured_by_question
from lab.evaluations.service import Evaluations, shown_difference
from lab.metrics import SWEEPS as SWEEPS_ENDED
from lab.questions.repository import Viewer
from lab.safety import suites
from lab.sweeps import repository, verdict
from lab.sweeps.errors import TrialBroken, TrialWeakened
from lab.sweeps.indexes import Indexes
from lab.sweeps.plan import in_order, target_of, words_of, words_without
from servicekit.core.errors import ServiceError
from servicekit.jobs.kind import JobKind
from servicekit.jobs.leased_job import JobStore, LeasedJob
from servicekit.jobs.leases import Lease
from servicekit.jobs.outcomes import Ending, Fail, Outcome, RetryPolicy, failure_of
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction

log = structlog.get_logger(__name__)
LOOK_SECONDS = 1.0
"""Between two looks at an evaluation, where nothing wakes this."""
REINDEX_RUNNING = "reindex_running"
Comparison = dict[str, Any]


@dataclass(frozen=True)
class TrialJobs(JobKind[LeasedJob]):
    """Has each combination evaluated, chooses, confirms."""

    evaluations: Evaluations
    indexes: Indexes
    retry = RetryPolicy(max_attempts=5, max_wait=3600)
    name = "sweep"

    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> LeasedJob:
        """The row is all there is."""
        return LeasedJob(store, lease, row)

    async def run(self, job: LeasedJob) -> None:
        """From the first combination that has no figures."""
        limited = False
        for number in in_order([Combination.model_validate(one) for one in job.row["combinations"]]):
            limited = limited or not await self._evaluate(job, number, "choose")
        chosen = None if limited else (await self._compared(job))[1]
        if chosen is not None:
            for number in (0, chosen):
                limited = limited or not await self._evaluate(job, number, "confirm")
        await self._finish(job, "limit_reached" if limited else "completed")

    async def end(self, job: LeasedJob, ending: Ending) -> None:
        """What was measured stays."""
        viewer = _viewer(job.row)
        for one in await self._asked(job):
            if one["status"] not in FINAL_EVALUATION_STATUSES:
                with suppress(EvaluationFinished, EvaluationNotFound):
                    await self.evaluations.cancel(viewer, one["id"])
        await self._finish(job, "failed" if isinstance(ending, Fail) else "cancelled", ending.failure)

    def decide(self, job: LeasedJob, error: Exception) -> Outcome:
        """Somebody else's reindex of the collection is waited for."""
        if isinstance(error, ServiceError) and error.code == REINDEX_RUNNING:
            return self.retry.wait("reindex", job.waited) or Fail(failure_of(error, retryable=True))
        return super().decide(job, error)

    async def _evaluate(self, job: LeasedJob, number: int, part: TrialPart) -> bool:
        """Have one combination asked a part of the questions, and wait; whether the budget allowed it all. Raises
        `TrialBroken` where there is nothing to compare with, or not what it is called."""
        found = await self._find(job, number, part)
        if found is None or found["status"] not in FINAL_EVALUATION_STATUSES:
            if found is None and await self._left(job) == 0:
                return False
            combination = Combination.model_validate(job.row["combinations"][number])
            generation = await self.indexes.use(job, combination)
            if found is None:
                left = await self._left(job)
                if left == 0:
                    return False
                found = await self._begin(job, number, part, left, generation)
        ended = await self._wait(job, found["id"], number, part)
        if number == 0 or part == "confirm":
            await self._check(job, ended)
        return bool(ended["status"] != "limit_reached")

    async def _left(self, job: LeasedJob) -> int | None:
        """Of its budget, in billionths of a dollar; none where it has none."""
        budget: int | None = job.row["budget_nano_usd"]
        return None if budget is None else max(0, budget - repository.known_cost_of(job.row, await self._asked(job)))

    async def _check(self, job: LeasedJob, ended: RowMapping) -> None:
        """Raise `TrialBroken` or `TrialWeakened` where this is no measure of its combination."""
        name = words_of(Combination.model_validate(job.row["combinations"][ended["combination"]]))
        if ended["status"] in ("failed", "cancelled"):
            raise TrialBroken(name, ended["error"])
        degraded = await job.store.database.read(lambda one: repository.degraded_of(one, ended["id"]))
        if degraded:
            raise TrialWeakened(name, words_without(degraded))

    async def _begin(
        self, job: LeasedJob, number: int, part: TrialPart, left: int | None, generation: int | None
    ) -> RowMapping:
        row = job.row
        combination = Combination.model_validate(row["combinations"][number])
        wanted = EvaluationCreate(
            question_set=row["question_set"],
            version=row["version"],
            split=row[f"{part}_split"],
            target=target_of(combination, row["collection"], answers=row["answers"], generation=generation),
            name=f"{words_of(combination)} ({part})",
            budget_usd=None
            if left is None
            else max(Decimal(left) / NANO, Decimal("0.000001")).quantize(Decimal("1e-6")),
        )
        owner = JobOwner(row["tenant"], row["grant_key_id"], row["request_id"], row["grant_token"])
        place = TrialPlace(job.id, number, part)

        def add(connection: Connection) -> None:
            found = suites.get_version(connection, _viewer(row), row["question_set"], row["version"])
            count, now = row[f"{part}_questions"], job.clock.now()
            create_evaluation(connection, owner, wanted, found, count, now, place)

        await job.write(add, progress=True, unless_cancelled=True)
        found = await self._find(job, number, part)
        if found is None:
            raise TrialBroken(words_of(combination), None)  # somebody deleted it at this moment
        self.evaluations.store.notifier.notify(found["id"], due=True)
        return found

    async def _wait(self, job: LeasedJob, evaluation_id: str, number: int, part: TrialPart) -> RowMapping:
        """The evaluation once it has ended. Each question more is progress, so that a worker that dies now and then
        during a long one does not use up the sweep's attempts."""
        done: int | None = None
        with self.evaluations.store.notifier.subscribe(evaluation_id) as subscription:
            while True:
                job.checkpoint()
                found = await self._find(job, number, part)
                if found is None:
                    combination = Combination.model_validate(job.row["combinations"][number])
                    raise TrialBroken(words_of(combination), None)
                if found["status"] in FINAL_EVALUATION_STATUSES:
                    await job.write(progress=True)
                    return found
                if done is not None and found["done"] > done:
                    await job.write(progress=True)
                done = found["done"]
                await subscription.wait(LOOK_SECONDS)

    async def _asked(self, job: LeasedJob) -> Sequence[RowMapping]:
        return await job.store.database.read(lambda one: repository.evaluations_of(one, [job.id]))

    async def _find(self, job: LeasedJob, number: int, part: TrialPart) -> RowMapping | None:
        asked = await self._asked(job)
        return next((one for one in asked if (one["combination"], one["part"]) == (number, part)), None)

    async def _compared(self, job: LeasedJob) -> tuple[dict[int, list[Difference]], int | None, dict[int, str]]:
        """Each combination that was asked all that chooses with what serves, the one that is chosen, and why others
        could not be."""
        viewer = _viewer(job.row)

        def read(connection: Connection) -> tuple[dict[int, verdict.Answered], dict[int, str]]:
            rows = repository.evaluations_of(connection, [job.id])
            whole = [one for one in rows if one["part"] == "choose" and one["status"] == "completed"]
            answered: dict[int, verdict.Answered] = {
                one["combination"]: measured_by_question(connection, viewer, one["id"]) for one in whole
            }
            lost = {one["combination"]: repository.degraded_of(connection, one["id"]) for one in whole}
            without = {number: f"searched without {words_without(one)}" for number, one in lost.items() if one}
            failed = [one for one in rows if one["part"] == "choose" and one["status"] in ("failed", "cancelled")]
            return answered, without | {one["combination"]: "its evaluation did not end well" for one in failed}

        answered, without = await job.store.database.read(read)
        if 0 not in answered:
            return {}, None, without
        others = {number: one for number, one in answered.items() if number}
        found = await asyncio.to_thread(verdict.compare_all, answered[0], others)
        without = verdict.left_out(found, job.row["measure"]) | without
        return found, verdict.choose(found, job.row["measure"], without), without

    async def _confirmed(self, job: LeasedJob, chosen: int) -> tuple[Comparison, list[Difference]] | None:
        """What the chosen one has shown on the questions that confirm; none where they were not all asked."""
        viewer = _viewer(job.row)
        ended = {one["combination"]: one for one in await self._asked(job) if one["part"] == "confirm"}
        if any(number not in ended or ended[number]["status"] != "completed" for number in (0, chosen)):
            return None

        def read(connection: Connection) -> list[verdict.Answered]:
            return [measured_by_question(connection, viewer, ended[number]["id"]) for number in (chosen, 0)]

        one, served = await job.store.database.read(read)
        found = await asyncio.to_thread(verdict.differences, one, served)
        about = {"number": chosen, "evaluation": ended[chosen]["id"], "served_evaluation": ended[0]["id"]}
        return {**about, "measures": _dumped(found)}, found

    async def _finish(self, job: LeasedJob, status: str, failure: Failure | None = None) -> None:
        found, chosen, without = await self._compared(job)
        result: dict[str, Any] = {"against": {str(number): _dumped(one) for number, one in found.items()}}
        confirmed = None if chosen is None else await self._confirmed(job, chosen)
        if status == "completed":
            names = [words_of(Combination.model_validate(one)) for one in job.row["combinations"]]
            differences = [] if confirmed is None else confirmed[1]
            measure = job.row["measure"]
            result["verdict"] = verdict.words(names, chosen, differences, measure, without)
            result["better"] = verdict.is_better(differences, measure)
        if confirmed is not None:
            result["confirmation"] = confirmed[0]
        reason = None if failure is None else failure.model_dump()
        ended = {"status": status, "error": reason, "result": result}
        grant = None if await self.indexes.release_at_end(job) else job.row["grant_token"]
        async with job.releasing({**ended, "finished_at": job.clock.now(), "grant_token": grant}):
            log.info("sweep ended", status=status, combinations=len(job.row["combinations"]))
        SWEEPS_ENDED.labels(status).inc()


def _viewer(row: Mapping[str, Any]) -> Viewer:
    return Viewer(row["tenant"], row["grant_key_id"])


def _dumped(found: Sequence[Difference]) -> list[dict[str, Any]]:
    return [shown_difference(None, one).model_dump(mode="json") for one in found]
