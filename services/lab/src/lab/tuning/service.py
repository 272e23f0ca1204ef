"""What the API does with tuning jobs: they are queued, followed and ended."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping

from contracts.improvement.tuning import (
    FINAL_FINE_TUNING_STATUSES,
    FineTuningCheckpoints,
    FineTuningCreate,
    FineTuningEvents,
    FineTuningJob,
    FineTuningJobs,
)
from lab.metrics import TUNING_ENDED
from lab.once import make_once
from lab.questions import repository as question_sets
from lab.questions.repository import Viewer
from lab.tables import TUNING, TUNING_JOBS, TUNING_LOG
from lab.tuning import repository
from lab.tuning.charges import Charges, add_charge
from lab.tuning.errors import (
    MethodUnknown,
    PublicationRefused,
    TuningJobFinished,
    TuningJobUnfinished,
    TuningUnavailable,
)
from lab.tuning.folders import JobFolders
from lab.tuning.gates.parity import is_checked, parity_gate
from lab.tuning.method import Method
from lab.tuning.methods.lora import needs_of
from lab.tuning.publication import Learnt, Publisher, Refused, Token
from lab.tuning.repository import Room
from lab.tuning.wire import checkpoint_of, event_of, job_of
from servicekit.core.errors import ServiceError
from servicekit.jobs.cancellation import request_cancel, revoke
from servicekit.jobs.events import Event
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction
from servicekit.web.idempotency import CallKey

log = structlog.get_logger(__name__)
CANCELLED = Event("message", {"message": "The job was cancelled.", "level": "info"})
_CHANCE = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a job has learnt."""

    digest: str
    size: int
    """In bytes."""
    pieces: AsyncIterator[bytes]
    """Each read when it is asked for; raises `ArtifactMissing` once the job is deleted."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """The tuning jobs of all tenants."""

    store: JobStore
    methods: Mapping[str, Method]
    folders: JobFolders
    room: Room
    publisher: Publisher
    charges: Charges
    works_here: bool
    """Whether this process works on jobs, and so must have what that needs."""

    async def create(
        self, viewer: Viewer, owner: JobOwner, wanted: FineTuningCreate, call: CallKey | None = None
    ) -> FineTuningJob:
        """Queue one, once for a call with this key; raises what is wrong with it as far as that can be told without
        reading all questions."""
        method = self.methods.get(wanted.method.type)
        if method is None:
            raise MethodUnknown(wanted.method.type, self.methods)
        settings = method.settings(wanted)
        self._check_installed(method, settings)
        options = wanted.groundwork.model_dump()
        columns = {
            "method": method.name,
            "model": wanted.model,
            "suffix": wanted.suffix,
            "seed": _CHANCE.randrange(2**31) if wanted.seed is None else wanted.seed,
            "settings": settings,
            "options": options,
            "labels": wanted.metadata,
            "limited": viewer.limited,
        }
        now = self.store.clock.now()

        def write(connection: Connection) -> FineTuningJob:
            repository.check_room(connection, viewer.tenant, self.room)
            columns.update(_version(connection, viewer, wanted.training_file, "training"))
            if wanted.validation_file is not None:
                columns.update(_version(connection, viewer, wanted.validation_file, "validation"))
            if wanted.groundwork.general_file is not None:
                options.update(_version(connection, viewer, wanted.groundwork.general_file, "general"))
            made = repository.create_job(connection, owner, columns, now)
            return job_of(repository.get_job(connection, viewer, made))

        made = await make_once(self.store, call, wanted, FineTuningJob, write)
        self.store.notifier.notify(made.id, due=True)
        return made

    def _check_installed(self, method: Method, settings: Mapping[str, Any]) -> None:
        """Where this process works on jobs, it must be able to; raises `TuningUnavailable`."""
        needed = (*method.needs, *needs_of(settings)) if self.works_here else ()
        missing = [name for name in needed if find_spec(name) is None]
        if missing:
            raise TuningUnavailable(missing[0])

    async def get(self, viewer: Viewer, job_id: str) -> FineTuningJob:
        """One."""
        return job_of(await self.store.database.read(lambda one: repository.get_job(one, viewer, job_id)))

    async def list(self, viewer: Viewer, limit: int, after: str | None) -> FineTuningJobs:
        """Newest first."""
        rows = await self.store.database.read(lambda one: repository.list_jobs(one, viewer, limit, after))
        return FineTuningJobs(data=[job_of(row) for row in rows[:limit]], has_more=len(rows) > limit)

    async def list_events(self, viewer: Viewer, job_id: str, limit: int, after: str | None) -> FineTuningEvents:
        """Newest first."""
        number = _number(after)
        rows = await self.store.database.read(lambda one: repository.list_events(one, viewer, job_id, limit, number))
        return FineTuningEvents(data=[event_of(row) for row in rows[:limit]], has_more=len(rows) > limit)

    async def list_checkpoints(
        self, viewer: Viewer, job_id: str, limit: int, after: str | None
    ) -> FineTuningCheckpoints:
        """Newest first."""
        number = _number(after)
        rows = await self.store.database.read(
            lambda one: repository.list_checkpoints(one, viewer, job_id, limit, number)
        )
        data = [checkpoint_of(row) for row in rows[:limit]]
        ends = {"first_id": data[0].id, "last_id": data[-1].id} if data else {}
        return FineTuningCheckpoints(data=data, has_more=len(rows) > limit, **ends)

    async def get_artifact(self, viewer: Viewer, job_id: str) -> Artifact:
        """What a job has learnt; raises `TuningJobNotFound` or `ArtifactMissing`."""
        found = await self.store.database.read(lambda one: repository.get_artifact(one, viewer, job_id))
        return Artifact(found["digest"], found["bytes"], repository.pieces(self.store.database, job_id))

    async def cancel(self, viewer: Viewer, job_id: str, token: Token) -> FineTuningJob:
        """End one, at once or once its worker hears of it; raises `TuningJobNotFound` or `TuningJobFinished`. What one
        that waits had published, or looked at, is served no more."""
        await self.get(viewer, job_id)
        async with self.store.database.write() as connection:
            asked = row = await request_cancel(connection, TUNING_JOBS, job_id)
            if row is None:
                row = await self._end_queued(connection, job_id)
        found = await self.get(viewer, job_id)
        if row is None:
            raise TuningJobFinished(job_id, found.status)
        if asked is None:
            TUNING_ENDED.labels("cancelled").inc()
            await self.charges.send(job_id)
            if (row["result"] or {}).get("artifact") is not None:
                await self._unpublish(job_id, token)
        self.store.notifier.notify(job_id, due=True)
        return found

    async def _end_queued(self, connection: Transaction, job_id: str) -> RowMapping | None:
        """As its worker would, had it one; its row, or None where it has ended already."""
        now = self.store.clock.now()
        grant = await connection.run(repository.get_grant, job_id)
        await connection.run(repository.delete_artifact, job_id)
        number = TUNING.c.last_event + 1
        ended = {"status": "cancelled", "finished_at": now, "grant_token": None, "last_event": number}
        rows = await revoke(connection, TUNING_JOBS, TUNING.c.id == job_id, ended, ("queued",))
        if not rows:
            return None
        await connection.run(add_charge, job_id, grant, now)
        await TUNING_LOG.add(connection, job_id, rows[0]["last_event"], [CANCELLED], now)
        return rows[0]

    async def publish(self, viewer: Viewer, job_id: str, token: Token) -> FineTuningJob:
        """Have what a job has learnt served, whatever it is worth, in place of what its name stands for; raises
        `ArtifactMissing`, `PublicationRefused`, or what is in the way at inference."""
        database = self.store.database
        row = await database.read(lambda one: repository.get_job(one, viewer, job_id))
        await database.read(lambda one: repository.get_artifact(one, viewer, job_id))
        if row["status"] != "succeeded":
            raise TuningJobUnfinished(job_id)
        checked = is_checked(self.methods.get(row["method"]), row["settings"])
        if (why := parity_gate(row["result"], is_checked=checked)) is not None:
            raise PublicationRefused(why.code, why.message)
        try:
            name = await self.publisher.publish(Learnt(dict(row), partial(repository.pieces, database, job_id)), token)
        except Refused as refused:
            raise PublicationRefused(refused.why.code, refused.why.message) from None
        if not await database.write(lambda one: repository.set_published(one, viewer.tenant, job_id, name)):
            await self.publisher.unpublish(job_id, token)  # deleted meanwhile
        return await self.get(viewer, job_id)

    async def delete(self, viewer: Viewer, job_id: str, token: Token) -> None:
        """One that has ended; what it learnt is served no more."""
        row = await self.store.database.read(lambda one: repository.get_job(one, viewer, job_id))
        if row["status"] not in FINAL_FINE_TUNING_STATUSES:
            raise TuningJobUnfinished(job_id)
        await self.publisher.unpublish(job_id, token)  # whatever its end was: a withdrawal may have been lost
        await self.store.database.write(lambda one: repository.delete_job(one, viewer, job_id))
        await self._unpublish(job_id, token)  # somebody may have published it between the two

    async def _unpublish(self, job_id: str, token: Token) -> None:
        """Where it has been decided already, and can't be taken back."""
        try:
            await self.publisher.unpublish(job_id, token)
        except ServiceError as error:
            log.warning("a tuned model could not be withdrawn", job=job_id, error=error.code)

    async def delete_tenant(self, tenant: str) -> None:
        """All that a tenant has, but for what it owes; other replicas delete their files of it within a minute."""
        now = self.store.clock.now()
        await self.store.database.write(lambda one: repository.delete_tenant(one, tenant, now))
        await self.charges.send_due()
        await self.folders.prune(self.store.database)


def _version(connection: Connection, viewer: Viewer, named: str, which: str) -> dict[str, Any]:
    name, _, version = named.removeprefix("set:").partition("@")
    found = question_sets.get_version(connection, viewer, name, int(version) if version else None)
    return {f"{which}_set": found.name, f"{which}_version": found.version}


def _number(after: str | None) -> int | None:
    """Of an event or a checkpoint by its id; one that is no id is before all others."""
    if after is None:
        return None
    number = after.rpartition(".")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
