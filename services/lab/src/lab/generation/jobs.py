"""A run that makes questions as a durable job: passages are chosen once, and what came of each is written down with the
progress in one transaction, once, however often the worker dies. Those that were under way when it died are asked about
again, under new names, and are paid for again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping

from contracts.documents.documents import Failure
from contracts.improvement.question_generation import GenerationCreate
from lab.errors import ModelRefuses, NothingToAsk
from lab.evaluations.authority import Grants, room_in_budget
from lab.evaluations.documents import Documents
from lab.evaluations.target import Target
from lab.generation import repository
from lab.generation.maker import Made, Maker, asked_words
from lab.generation.passages import MOST_PASSAGES, PASSAGES_PER_QUESTION, Choice, Passage, fair
from lab.generation.publication import Publication
from lab.metrics import GENERATED, GENERATIONS
from lab.questions import repository as question_sets
from lab.questions.likeness import Asked, conversation_words
from lab.questions.repository import Viewer
from servicekit.core.errors import ServiceError
from servicekit.jobs.kind import JobKind
from servicekit.jobs.leased_job import JobStore, LeasedJob
from servicekit.jobs.leases import Lease
from servicekit.jobs.outcomes import Ending, Fail, RetryPolicy
from servicekit.sql.transaction import Transaction

log = structlog.get_logger(__name__)
REFUSALS = 3
"""Passages in a row that the model refuses to be asked about, with no question from any other, before the run ends."""
Work = Callable[[RowMapping], Awaitable[Made]]


@dataclass(frozen=True)
class GenerationJobs(JobKind[LeasedJob]):
    """Chooses passages, asks, finds again, and writes down."""

    target: Target
    documents: Documents
    grants: Grants
    publication: Publication
    at_once: int
    retry = RetryPolicy(max_attempts=5, max_wait=3600)
    name = "question generation"

    async def load(self, connection: Transaction, store: JobStore, lease: Lease, row: Mapping[str, Any]) -> LeasedJob:
        """The row is all there is."""
        return LeasedJob(store, lease, row)

    async def run(self, job: LeasedJob) -> None:
        """Passages, questions, near misses, and the version where none is to review them."""
        wanted = GenerationCreate.model_validate(job.row["wanted"])
        if job.row["passages"] is None:
            await self._choose(job, wanted)
        maker = await self._maker(job, wanted)
        limited = await self._questions(job, maker, wanted.count)
        if not limited:
            limited = await self._near_misses(job, maker, wanted.near_misses or 0)
        if wanted.accept:
            await self._accept(job)
        await self._finish(job, "limit_reached" if limited else "completed", unless_cancelled=True)

    async def end(self, job: LeasedJob, ending: Ending) -> None:
        """What was made stays, to be reviewed."""
        await self._finish(job, "failed" if isinstance(ending, Fail) else "cancelled", ending.failure)

    async def _choose(self, job: LeasedJob, wanted: GenerationCreate) -> None:
        """Each document's passages are written down once it is read: one that dies goes on with the next. Then it is
        seen whether the document is still there, since it may have been deleted before they were."""

        def token() -> Awaitable[str]:
            return self.grants.token(job.row["grant_token"], call_id=job.id)

        most = min(wanted.count * PASSAGES_PER_QUESTION, MOST_PASSAGES)
        read = job.store.database.read
        after, found = await read(lambda one: repository.last_chosen(one, job.id))
        choice = Choice(self.documents, token, wanted.collection, wanted.seed, job.checkpoint)
        async for place, passages in choice.passages(most, after, found):
            rows = [
                _planned(job.id, repository.FOUND + at, place, one) for at, one in enumerate(passages, start=found + 1)
            ]
            found += len(rows)
            if not rows:
                continue
            await job.write(partial(repository.add_rows, rows=rows), progress=True)
            document_id = rows[0]["document_id"]
            if await self.publication.is_gone(wanted.collection, document_id, await token()):
                gone = partial(repository.set_stale, generation_id=job.id, document_id=document_id)
                await job.write(partial(gone, reason="document_deleted"))
        texts = await read(lambda one: repository.chosen_texts(one, job.id))
        numbers = await asyncio.to_thread(fair, texts, most)
        if not numbers:
            raise NothingToAsk(wanted.collection)
        values = {"passages": len(numbers)}
        await job.write(lambda one: repository.number_rows(one, job.id, numbers), values=values, progress=True)

    async def _maker(self, job: LeasedJob, wanted: GenerationCreate) -> Maker:
        """With all that is asked already: in any version of the set, and by runs for it."""
        row = job.row
        return Maker(
            wanted,
            self.target,
            self.documents,
            await self._asked(job),
            lambda: self.grants.token(row["grant_token"], call_id=job.id),
            lambda number, step: f"{job.id}.{number}.{job.lease.fence}.{step}",
        )

    async def _asked(self, job: LeasedJob) -> Asked:
        """A few at a time and in a thread: a set may have 50,000 questions of 256 KiB, and others wait."""
        tenant, name, read = job.row["tenant"], job.row["question_set"], job.store.database.read
        made = await read(lambda one: repository.kept_questions(one, tenant, name))
        asked = await asyncio.to_thread(lambda: Asked(map(asked_words, made)))
        before: int | None = None
        for _ in range(0, question_sets.MOST_SAID, question_sets.SAID_AT_ONCE):
            job.checkpoint()
            some = await read(partial(question_sets.said_in_set, tenant=tenant, name=name, before=before))
            if not some:
                break
            before = some[-1][0]
            await asyncio.to_thread(_add, asked, [said for _, said in some])
        return asked

    async def _questions(self, job: LeasedJob, maker: Maker, count: int) -> bool:
        """Until there are enough; whether the budget ended it."""

        def left(connection: Connection) -> tuple[Sequence[RowMapping], int]:
            planned = repository.rows_in(connection, job.id, (repository.PLANNED,))
            return planned, count - repository.count_kept(connection, job.id, answerable=True)

        rows, missing = await job.store.database.read(left)
        refusals: list[Made] = []

        async def keep(row: RowMapping, made: Made) -> bool:
            refusals.append(made)
            if job.row["done"] < REFUSALS <= len(refusals) and all(one.refusal for one in refusals):
                raise ModelRefuses(maker.wanted.model, made.refusal)
            values = _values(made)
            is_there = await self._write(
                job, lambda one: repository.set_row(one, job.id, row["number"], values, (repository.PLANNED,))
            )
            return is_there and made.reason is None

        return await self._in_turn(
            job, maker, rows, missing, lambda row: maker.make(row["number"], row["content"]), keep
        )

    async def _near_misses(self, job: LeasedJob, maker: Maker, count: int) -> bool:
        """One for each question that was kept, until there are enough; whether the budget ended it."""
        after = job.row["passages"]

        def left(connection: Connection) -> tuple[list[RowMapping], int]:
            rows = repository.rows_in(connection, job.id, (*repository.KEPT, "dropped", "stale"))
            tried = {row["number"] - after for row in rows if row["number"] > after}
            kept = [row for row in rows if row["number"] <= after and row["state"] in repository.KEPT]
            kept = [row for row in kept if row["content"].get("span")]  # else its document is gone
            missing = count - repository.count_kept(connection, job.id, answerable=False)
            return [row for row in kept if row["number"] not in tried], missing

        rows, missing = await job.store.database.read(left)

        async def keep(row: RowMapping, made: Made) -> bool:
            number = after + row["number"]
            new = {"generation_id": job.id, "number": number, "document_id": row["document_id"], **_values(made)}

            def add(connection: Connection) -> bool:
                if not repository.is_kept(connection, job.id, row["number"]):
                    return False  # its document was deleted meanwhile
                repository.add_rows(connection, [{**new, "answerable": False}])
                return True

            return await self._write(job, add) and made.reason is None

        def work(row: RowMapping) -> Awaitable[Made]:
            return maker.miss(after + row["number"], row["number"], row["content"])

        return await self._in_turn(job, maker, rows, missing, work, keep)

    async def _in_turn(
        self,
        job: LeasedJob,
        maker: Maker,
        rows: Sequence[RowMapping],
        missing: int,
        work: Work,
        keep: Callable[[RowMapping, Made], Awaitable[bool]],
    ) -> bool:
        """A few at once, until `missing` are kept or none is left; whether the budget ended it. What ends well beside
        one that fails is still kept: it is paid for."""
        rest = list(rows)
        while rest and missing > 0:
            job.checkpoint()
            room = await self._room(job, min(self.at_once, missing))
            if room == 0:
                return True
            batch, rest = rest[:room], rest[room:]
            failure: ServiceError | None = None
            for row, made in zip(batch, await _all(map(work, batch)), strict=True):
                if isinstance(made, ServiceError):
                    failure = failure or made
                    continue
                if made.reason is None and maker.asked.has(made.words):
                    made = Made({"question": made.content["question"]}, made.made_by, "asks_the_same")
                if await keep(row, made):
                    maker.asked.add(made.words)
                    missing -= 1
                GENERATED.labels("kept" if made.reason is None else "dropped").inc()
            if failure is not None:
                raise failure
        return False

    async def _room(self, job: LeasedJob, at_once: int) -> int:
        """How many may begin. With a budget the ledger is asked before, and what it says is shown."""
        if job.row["budget_nano_usd"] is None:
            return at_once
        spent = await self.grants.spent(job.row["grant_token"], job.id, job.row["created_at"])
        await job.write(values={"spent": spent.model_dump()})
        return room_in_budget(job.row, spent.cost_nano_usd, at_once)

    async def _write(self, job: LeasedJob, change: Callable[[Connection], bool]) -> bool:
        done: list[bool] = []
        await job.write(lambda one: done.append(change(one)), values={"done": job.row["done"] + 1}, progress=True)
        return done[-1]

    async def _accept(self, job: LeasedJob) -> None:
        row = job.row
        viewer = Viewer(row["tenant"], row["grant_key_id"], row["limited"])
        await job.write(lambda one: repository.accept_all(one, job.id), progress=True, unless_cancelled=True)
        token = await self.grants.token(row["grant_token"], call_id=job.id)
        await self.publication.save(viewer, row, token)

    async def _finish(
        self, job: LeasedJob, status: str, failure: Failure | None = None, *, unless_cancelled: bool = False
    ) -> None:
        try:
            spent = (await self.grants.spent(job.row["grant_token"], job.id, job.row["created_at"])).model_dump()
        except ServiceError as error:
            log.warning("what a run that makes questions has cost is not known", reason=error.message)
            spent = job.row["spent"]
        ended: dict[str, Any] = {
            "status": status,
            "error": None if failure is None else failure.model_dump(),
            "spent": spent,
        }
        ended |= {"finished_at": job.clock.now(), "grant_token": None}
        async with job.releasing(ended, unless_cancelled=unless_cancelled) as connection:
            await connection.run(lambda one: repository.delete_planned(one, job.id))
            log.info("question generation ended", status=status, passages=job.row["done"])
        GENERATIONS.labels(status).inc()


def _add(asked: Asked, conversations: Iterable[Sequence[str]]) -> None:
    for said in conversations:
        asked.add(conversation_words(said))


async def _all(work: Iterable[Awaitable[Made]]) -> list[Made | ServiceError]:
    """What came of each; raises what is no service's error."""
    results: list[Made | ServiceError] = []
    for result in await asyncio.gather(*work, return_exceptions=True):
        if not isinstance(result, Made | ServiceError):
            raise result
        results.append(result)
    return results


def _planned(generation_id: str, number: int, place: str, passage: Passage) -> dict[str, Any]:
    return {
        "generation_id": generation_id,
        "number": number,
        "state": repository.PLANNED,
        "made_by": "model",
        "answerable": True,
        "document_id": passage["document_id"],
        "content": {**passage, "place": place},
    }


def _values(made: Made) -> dict[str, Any]:
    """Of what is dropped only the question stays, so that it can be seen why."""
    state = "proposed" if made.reason is None else "dropped"
    kept = (
        made.content
        if made.reason is None
        else {name: made.content[name] for name in ("question", "like") if made.content.get(name)}
    )
    return {"state": state, "made_by": made.made_by, "reason": made.reason, "content": dict(kept)}
