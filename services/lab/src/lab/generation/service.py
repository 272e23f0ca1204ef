"""What the API does with runs that make questions: they are queued, followed, ended, and what they made is reviewed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, update

from contracts.core.pages import Page
from contracts.improvement.question_generation import (
    GeneratedDecision,
    GeneratedQuestion,
    Generation,
    GenerationCreate,
    GenerationReview,
)
from contracts.improvement.question_sets import QuestionSet
from lab.errors import AnswersOfNearMiss, GeneratedNotFound, GenerationFinished, NothingAccepted
from lab.evaluations.authority import Grants
from lab.generation import repository
from lab.generation.publication import Publication
from lab.once import make_once
from lab.questions import repository as question_sets
from lab.questions.repository import Viewer
from lab.tables import GENERATION_JOBS, GENERATIONS
from servicekit.jobs.cancellation import request_cancel, revoke
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.tables import JobOwner
from servicekit.web.idempotency import CallKey

REVIEWED = ("proposed", "accepted", "rejected")
"""States that a review changes."""


@dataclass(frozen=True, slots=True)
class Generations:
    """The runs of all tenants that make questions."""

    store: JobStore
    publication: Publication
    grants: Grants
    most: int

    async def create(
        self, viewer: Viewer, owner: JobOwner, name: str, wanted: GenerationCreate, call: CallKey | None = None
    ) -> Generation:
        """Queue one, once for a call with this key; raises `QuestionSetNotYours` or `TooManyGenerations`. The set
        need not be there yet."""
        now = self.store.clock.now()

        def write(connection: Connection) -> Generation:
            question_sets.look(connection, viewer, name)
            made = repository.create_generation(connection, owner, viewer, name, wanted, self.most, now)
            return repository.get_generation(connection, viewer, name, made)

        made = await make_once(self.store, call, wanted, Generation, write)
        self.store.notifier.notify(made.id, due=True)
        return made

    async def get(self, viewer: Viewer, name: str, run_id: str) -> Generation:
        """One; raises `GenerationNotFound`."""
        return await self.store.database.read(lambda one: repository.get_generation(one, viewer, name, run_id))

    async def list(self, viewer: Viewer, name: str, limit: int, cursor: str | None) -> Page[Generation]:
        """Of one set, newest first; raises `QuestionSetNotFound` where there is neither a set nor a run."""

        def read(connection: Connection) -> Page[Generation]:
            if not repository.has_generations(connection, viewer, name):
                question_sets.get_version(connection, viewer, name)
            return repository.list_generations(connection, viewer, name, limit, cursor)

        return await self.store.database.read(read)

    async def list_items(
        self,
        viewer: Viewer,
        name: str,
        run_id: str,
        state: str | None,
        limit: int,
        cursor: str | None,
        *,
        quotes: bool = True,
    ) -> Page[GeneratedQuestion]:
        """What a run has made; without `quotes` no passages, and not what the reader said of them."""

        def read(connection: Connection) -> Page[GeneratedQuestion]:
            run = repository.find_row(connection, viewer, name, run_id)
            return repository.list_items(connection, run, state, limit, cursor)

        page = await self.store.database.read(read)
        if not quotes:
            page.data = [item.model_copy(update={"span": None, "why": ""}) for item in page.data]
        return page

    async def cancel(self, viewer: Viewer, name: str, run_id: str) -> Generation:
        """End one, at once or once its worker hears of it; raises `GenerationNotFound` or `GenerationFinished`."""
        await self.get(viewer, name, run_id)
        async with self.store.database.write() as connection:
            row = await request_cancel(connection, GENERATION_JOBS, run_id)
            if row is None:
                row = await self._cancel_queued(connection, run_id)
        found = await self.get(viewer, name, run_id)
        if row is None:
            raise GenerationFinished(run_id, found.status)
        self.store.notifier.notify(run_id, due=True)
        return found

    async def _cancel_queued(self, connection: Any, run_id: str) -> RowMapping | None:
        """One that has begun is claimed once more, now, to be told with what it cost; any other ends at once."""
        columns, now = GENERATIONS.c, self.store.clock.now()
        begun = (columns.id == run_id) & (columns.status == "queued") & columns.passages.is_not(None)
        flagged = update(GENERATIONS).where(begun).values(cancel_requested=True, not_before=None)
        row: RowMapping | None = (await connection.execute(flagged.returning(*columns))).mappings().one_or_none()
        if row is None:
            ended = {"status": "cancelled", "finished_at": now, "grant_token": None}
            rows = await revoke(connection, GENERATION_JOBS, columns.id == run_id, ended, ("queued",))
            row = rows[0] if rows else None
            if row is not None:
                await connection.run(lambda one: repository.delete_planned(one, run_id))
        return row

    async def delete(self, viewer: Viewer, name: str, run_id: str) -> None:
        """One that has ended; what was saved of it stays in its set."""
        await self.store.database.write(lambda one: repository.delete_generation(one, viewer, name, run_id))

    async def review(self, viewer: Viewer, name: str, run_id: str, review: GenerationReview) -> Generation:
        """All decisions, or none: raises `GeneratedNotFound` where one is of nothing that can be reviewed."""

        def write(connection: Connection) -> Generation:
            repository.find_row(connection, viewer, name, run_id)
            rows = {row["number"]: row for row in repository.rows_in(connection, run_id, REVIEWED)}
            missing = [one.number for one in review.decisions if one.number not in rows]
            if missing:
                raise GeneratedNotFound(missing)
            for decision in review.decisions:
                values = _decided(rows[decision.number], decision)
                repository.set_row(connection, run_id, decision.number, values, REVIEWED)
            if review.accept_all:
                repository.accept_all(connection, run_id)
            return repository.get_generation(connection, viewer, name, run_id)

        return await self.store.database.write(write)

    async def save(self, viewer: Viewer, owner: JobOwner, name: str, run_id: str) -> tuple[QuestionSet, bool]:
        """The version with what was accepted, and whether it was made now. Raises `NothingAccepted`, or what is wrong
        with the version."""
        run = await self.store.database.read(lambda one: repository.find_row(one, viewer, name, run_id))
        token = await self.grants.token(owner.grant or "", call_id=run_id)
        saved = await self.publication.save(viewer, run, token)
        if saved is not None:
            return saved
        if run["version"] is None:
            raise NothingAccepted(run_id)
        return await self.publication.sets.get(viewer, name), False

    async def delete_document(
        self, tenant: str, collection: str, document_id: str | None, deleted_at: datetime | None = None
    ) -> None:
        """What was made of it, or of all in the collection, and is in no version; of what is in one, its passage.
        Nothing of runs that began after it was `deleted_at`."""
        await self.store.database.write(
            lambda one: repository.delete_document(one, tenant, collection, document_id, deleted_at)
        )

    async def delete_set(self, viewer: Viewer, name: str) -> None:
        """A set with its versions, and the runs for it, those at work, too; raises `QuestionSetNotFound`."""

        def runs(connection: Connection) -> None:
            repository.delete_of_set(connection, viewer.tenant, name)

        await self.publication.sets.delete(viewer, name, also=runs)

    async def delete_tenant(self, tenant: str) -> None:
        """All that a tenant has."""
        await self.store.database.write(lambda one: repository.delete_tenant(one, tenant))


def _decided(row: RowMapping, decision: GeneratedDecision) -> dict[str, Any]:
    """The row's new values; raises `AnswersOfNearMiss`."""
    content = dict(row["content"])
    if decision.answers and not row["answerable"]:
        raise AnswersOfNearMiss(decision.number)
    for field in ("question", "answers"):
        given = getattr(decision, field)
        if given is not None and given != content.get(field):
            content |= {field: given, "corrected": True}
    return {"state": decision.state, "reason": None, "content": content}
