"""Tuning jobs in SQL. All functions run on one connection, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from contracts.improvement.tuning import FINAL_FINE_TUNING_STATUSES, NotPublished
from lab.questions.repository import Viewer
from lab.tables import ARTIFACT_PIECES, ARTIFACTS, TUNING, TUNING_CHECKPOINTS, TUNING_EVENTS
from lab.tuning.charges import add_charge
from lab.tuning.errors import (
    ArtifactMissing,
    ArtifactTooLarge,
    TooManyTuningJobs,
    TuningJobNotFound,
    TuningJobsKept,
    TuningJobUnfinished,
)
from servicekit.core.identifiers import new_id
from servicekit.jobs.tables import JobOwner, is_live
from servicekit.sql.database import Database

COLUMNS = TUNING.c
PARTS = (TUNING_EVENTS, TUNING_CHECKPOINTS, ARTIFACT_PIECES, ARTIFACTS)
PIECE_BYTES = 1_000_000
MOST_ARTIFACT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Room:
    """What one tenant may have."""

    live: int
    """Jobs that are queued or at work."""
    kept: int
    """All jobs, those that have ended too."""
    bytes: int
    """Of what its jobs have learnt. Those that are at work may pass it, each by `MOST_ARTIFACT_BYTES` at most."""


def create_job(connection: Connection, owner: JobOwner, wanted: Mapping[str, Any], now: datetime) -> str:
    """Queue one; its id. `wanted` are the columns of its own."""
    job_id = new_id("ftjob")
    connection.execute(insert(TUNING).values(id=job_id, **owner.queued(now), created_at=now, **wanted))
    return job_id


def check_room(connection: Connection, tenant: str, room: Room) -> None:
    """Raise `TooManyTuningJobs` where as many are queued or at work as may be, `TuningJobsKept` where as many, or as
    many bytes, are kept."""
    kept = select(func.count()).select_from(TUNING).where(COLUMNS.tenant == tenant)
    if connection.execute(kept.where(is_live(COLUMNS))).scalar_one() >= room.live:
        raise TooManyTuningJobs(room.live)
    if connection.execute(kept).scalar_one() >= room.kept:
        raise TuningJobsKept(f"{room.kept:,} tuning jobs of this tenant are kept")
    learnt = select(func.coalesce(func.sum(ARTIFACTS.c.bytes), 0)).where(ARTIFACTS.c.tenant == tenant)
    if connection.execute(learnt).scalar_one() >= room.bytes:
        raise TuningJobsKept(f"What the tuning jobs of this tenant have learnt takes {room.bytes:,} bytes")


def get_job(connection: Connection, viewer: Viewer, job_id: str) -> RowMapping:
    """One; raises `TuningJobNotFound`."""
    row = connection.execute(_seen(viewer).where(COLUMNS.id == job_id)).mappings().one_or_none()
    if row is None:
        raise TuningJobNotFound(job_id)
    return row


def get_grant(connection: Connection, job_id: str) -> str | None:
    """That a job has until it ends."""
    found: str | None = connection.execute(select(COLUMNS.grant_token).where(COLUMNS.id == job_id)).scalar_one()
    return found


def list_jobs(connection: Connection, viewer: Viewer, limit: int, after: str | None) -> Sequence[RowMapping]:
    """Newest first, one more than asked for where there are more."""
    query = _seen(viewer)
    if after is not None:
        query = query.where(COLUMNS.id < after)
    return connection.execute(query.order_by(COLUMNS.id.desc()).limit(limit + 1)).mappings().all()


def list_events(
    connection: Connection, viewer: Viewer, job_id: str, limit: int, before: int | None
) -> Sequence[RowMapping]:
    """Newest first, one more than asked for where there are more; raises `TuningJobNotFound`."""
    get_job(connection, viewer, job_id)
    query = select(TUNING_EVENTS).where(TUNING_EVENTS.c.job_id == job_id)
    if before is not None:
        query = query.where(TUNING_EVENTS.c.id < before)
    return connection.execute(query.order_by(TUNING_EVENTS.c.id.desc()).limit(limit + 1)).mappings().all()


def list_checkpoints(
    connection: Connection, viewer: Viewer, job_id: str, limit: int, before: int | None
) -> Sequence[RowMapping]:
    """Newest first, one more than asked for where there are more; raises `TuningJobNotFound`."""
    get_job(connection, viewer, job_id)
    table = TUNING_CHECKPOINTS
    query = select(table).where(table.c.job_id == job_id)
    if before is not None:
        query = query.where(table.c.step < before)
    return connection.execute(query.order_by(table.c.step.desc()).limit(limit + 1)).mappings().all()


def add_checkpoint(connection: Connection, job_id: str, step: int, figures: Mapping[str, float], now: datetime) -> None:
    """Once; a step that is done again after an interruption has its figures already."""
    table = TUNING_CHECKPOINTS
    known = select(table.c.step).where(table.c.job_id == job_id, table.c.step == step)
    if connection.execute(known).first() is None:
        connection.execute(insert(table).values(job_id=job_id, step=step, figures=dict(figures), created_at=now))


def exists(connection: Connection, job_id: str) -> bool:
    """Whether a job is there."""
    return connection.execute(select(COLUMNS.id).where(COLUMNS.id == job_id)).first() is not None


def replace_published(connection: Connection, tenant: str, name: str, job_id: str) -> None:
    """Note of other jobs of the tenant that a name stands for this one's model now."""
    query = select(COLUMNS.id, COLUMNS.result).where(COLUMNS.tenant == tenant, COLUMNS.id != job_id)
    for row in connection.execute(query).all():
        if (row.result or {}).get("served_as") == name:
            why = NotPublished(
                code="replaced",
                message=f"'{name}' stands for what the job '{job_id}' has learnt. POST "
                f"/v1/fine_tuning/jobs/{row.id}/publish has this one served again.",
            )
            result = {**row.result, "served_as": None, "not_published": why.model_dump()}
            connection.execute(update(TUNING).where(COLUMNS.id == row.id).values(result=result))


def set_published(connection: Connection, tenant: str, job_id: str, name: str) -> bool:
    """Note that a job's result is served; False where it is gone."""
    result = connection.execute(select(COLUMNS.result).where(COLUMNS.id == job_id)).scalar_one_or_none()
    if result is None:
        return False
    served = {**result, "served_as": name, "not_published": None}
    connection.execute(update(TUNING).where(COLUMNS.id == job_id).values(result=served))
    replace_published(connection, tenant, name, job_id)
    return True


def delete_artifact(connection: Connection, job_id: str) -> None:
    """What a job had learnt."""
    for table in (ARTIFACT_PIECES, ARTIFACTS):
        connection.execute(delete(table).where(table.c.job_id == job_id))


def put_artifact(connection: Connection, job_id: str, tenant: str, digest: str, content: bytes) -> None:
    """What a job has learnt, in place of what it had; raises `ArtifactTooLarge`."""
    if len(content) > MOST_ARTIFACT_BYTES:
        raise ArtifactTooLarge(len(content), MOST_ARTIFACT_BYTES)
    delete_artifact(connection, job_id)
    connection.execute(insert(ARTIFACTS).values(job_id=job_id, tenant=tenant, digest=digest, bytes=len(content)))
    for number, first in enumerate(range(0, len(content), PIECE_BYTES)):
        piece = {"job_id": job_id, "number": number, "content": content[first : first + PIECE_BYTES]}
        connection.execute(insert(ARTIFACT_PIECES).values(**piece))


def get_artifact(connection: Connection, viewer: Viewer, job_id: str) -> RowMapping:
    """Its digest and its size; raises `TuningJobNotFound` or `ArtifactMissing`."""
    row = get_job(connection, viewer, job_id)
    found = connection.execute(select(ARTIFACTS).where(ARTIFACTS.c.job_id == job_id)).mappings().one_or_none()
    if found is None:
        raise ArtifactMissing(job_id, row["status"])
    return found


def get_piece(connection: Connection, job_id: str, number: int) -> bytes:
    """Of its bytes; raises `ArtifactMissing` where it was deleted meanwhile."""
    columns = ARTIFACT_PIECES.c
    query = select(columns.content).where(columns.job_id == job_id, columns.number == number)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise ArtifactMissing(job_id, "deleted")
    return bytes(found)


async def pieces(database: Database, job_id: str) -> AsyncIterator[bytes]:
    """Of an artifact, each read when it is asked for; raises `ArtifactMissing` once its job is deleted."""
    query = select(ARTIFACTS.c.bytes).where(ARTIFACTS.c.job_id == job_id)
    size = await database.read(lambda one: one.execute(query).scalar_one_or_none())
    if size is None:
        raise ArtifactMissing(job_id, "deleted")
    for number in range(-(-size // PIECE_BYTES)):
        yield await database.read(partial(get_piece, job_id=job_id, number=number))


def delete_job(connection: Connection, viewer: Viewer, job_id: str) -> None:
    """One that has ended, with all that is its; raises `TuningJobNotFound` or `TuningJobUnfinished`."""
    if get_job(connection, viewer, job_id)["status"] not in FINAL_FINE_TUNING_STATUSES:
        raise TuningJobUnfinished(job_id)
    for table in PARTS:
        connection.execute(delete(table).where(table.c.job_id == job_id))
    connection.execute(delete(TUNING).where(COLUMNS.id == job_id))


def delete_tenant(connection: Connection, tenant: str, now: datetime) -> None:
    """Remove all that a tenant has, but for what it owes; what is at work finds its row gone."""
    live = select(COLUMNS.id, COLUMNS.grant_token).where(COLUMNS.tenant == tenant, is_live(COLUMNS))
    locked = live.order_by(COLUMNS.id).with_for_update()  # or what is read until they are gone would be nobody's
    for job_id, grant in connection.execute(locked).all():
        add_charge(connection, job_id, grant, now)
    ids = select(COLUMNS.id).where(COLUMNS.tenant == tenant)
    for table in PARTS:
        connection.execute(delete(table).where(table.c.job_id.in_(ids)))
    connection.execute(delete(TUNING).where(COLUMNS.tenant == tenant))


def existing(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these jobs that are there and have not ended."""
    rows = connection.execute(select(COLUMNS.id).where(COLUMNS.id.in_(ids), is_live(COLUMNS)))
    return set(rows.scalars())


def _seen(viewer: Viewer) -> Select[Any]:
    query = select(TUNING).where(COLUMNS.tenant == viewer.tenant)
    return query.where(COLUMNS.grant_key_id == viewer.key_id) if viewer.limited else query
