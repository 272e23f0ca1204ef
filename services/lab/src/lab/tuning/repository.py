"""Tuning jobs in SQL. All functions run on one connection, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select

from contracts.improvement.tuning import FINAL_FINE_TUNING_STATUSES
from lab.questions.repository import Viewer
from lab.tables import ARTIFACT_PIECES, ARTIFACTS, TUNING, TUNING_CHECKPOINTS, TUNING_EVENTS
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


def put_artifact(connection: Connection, job_id: str, tenant: str, digest: str, content: bytes) -> None:
    """What a job has learnt, in place of what it had; raises `ArtifactTooLarge`."""
    if len(content) > MOST_ARTIFACT_BYTES:
        raise ArtifactTooLarge(len(content), MOST_ARTIFACT_BYTES)
    for table in (ARTIFACTS, ARTIFACT_PIECES):
        connection.execute(delete(table).where(table.c.job_id == job_id))
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


def delete_job(connection: Connection, viewer: Viewer, job_id: str) -> None:
    """One that has ended, with all that is its; raises `TuningJobNotFound` or `TuningJobUnfinished`."""
    if get_job(connection, viewer, job_id)["status"] not in FINAL_FINE_TUNING_STATUSES:
        raise TuningJobUnfinished(job_id)
    for table in PARTS:
        connection.execute(delete(table).where(table.c.job_id == job_id))
    connection.execute(delete(TUNING).where(COLUMNS.id == job_id))


def delete_tenant(connection: Connection, tenant: str) -> None:
    """Remove all that a tenant has; what is at work finds its row gone."""
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
