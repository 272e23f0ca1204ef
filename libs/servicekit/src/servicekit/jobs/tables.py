"""The table of a kind of job: the columns that the queue needs, beside those of its own, and when a row is due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    bindparam,
    false,
    or_,
    text,
    true,
)

from servicekit.jobs.events import EventLog
from servicekit.jobs.leases import lease_columns
from servicekit.sql.database import UtcTime
from servicekit.telemetry.trace_context import traceparent

LIVE = ("queued", "running")
NOW = bindparam("now", type_=UtcTime)
OWNER = bindparam("owner", type_=String)
_LIVE_ROWS = text("status IN ('queued', 'running')")


def job_columns() -> list[Column[Any]]:
    """The columns of a table of jobs; a kind adds its own."""
    return [
        Column("id", String(40), primary_key=True),
        Column("tenant", String(63), nullable=False),
        Column("status", String(20), nullable=False),
        Column("failed_attempts", Integer, nullable=False, server_default="0"),
        Column("waiting_on", String(40)),
        Column("waiting_since", UtcTime),
        Column("cancel_requested", Boolean, nullable=False, server_default=false()),
        Column("error", JSON(none_as_null=True)),
        Column("last_event", Integer, nullable=False, server_default="0"),
        Column("request_id", String(128), nullable=False),
        Column("traceparent", String(64)),
        Column("grant_token", Text),
        Column("grant_key_id", String(64), nullable=False),
        Column("created_at", UtcTime, nullable=False),
        Column("queued_at", UtcTime, nullable=False),
        Column("claimed_at", UtcTime),
        Column("started_at", UtcTime),
        Column("finished_at", UtcTime),
        *lease_columns(),
    ]


def job_indexes(name: str) -> list[Index]:
    """The indexes that claims and queue positions are read by; `name` is the table's."""
    live: dict[str, Any] = {"sqlite_where": _LIVE_ROWS, "postgresql_where": _LIVE_ROWS}
    return [
        Index(f"{name}_live", "tenant", "queued_at", "id", **live),
        Index(f"{name}_served", "tenant", "claimed_at"),
        Index(f"{name}_finished", "finished_at"),
    ]


def _always(_: Any) -> ColumnElement[bool]:
    return true()


@dataclass(frozen=True)
class JobTable:
    """A table of jobs, and where it differs from `job_columns`."""

    table: Table
    events: EventLog | None = None
    """What its jobs emit; null for a kind without an event stream."""
    failed_attempts: str = "failed_attempts"
    """The column that counts claims since the last progress."""
    attempts_are_claims: bool = True
    """Whether `attempts` counts every claim, or only those that were the job's own fault."""
    condition: Callable[[Any], ColumnElement[bool]] = _always
    """What else must be true of a job (by its columns) for a worker to claim it."""

    @property
    def can_be_flagged(self) -> bool:
        """Whether a running job is told to end by a flag, which its worker looks at."""
        return "cancel_requested" in self.table.c

    def due(self, columns: Any, now: Any = NOW) -> ColumnElement[bool]:
        """True of jobs that a worker may claim now; `columns` are the table's or an alias's."""
        free = or_(columns.lease_expires_at.is_(None), columns.lease_expires_at < now)
        ripe = or_(columns.not_before.is_(None), columns.not_before <= now)
        return and_(is_live(columns), self.condition(columns), free, ripe)

    def held(self, columns: Any, now: Any = NOW) -> ColumnElement[bool]:
        """True of jobs that a living worker holds."""
        return and_(columns.status == "running", columns.lease_expires_at >= now)

    def uncounted(self, row: Mapping[str, Any]) -> dict[str, int]:
        """The counters of a job whose last claim was no attempt."""
        names = (self.failed_attempts,) if self.attempts_are_claims else (self.failed_attempts, "attempts")
        return {name: row[name] - 1 for name in names}


def is_live(columns: Any) -> ColumnElement[bool]:
    """True of jobs that are queued or running. The words stand in the statement, so that indexes of live rows serve."""
    live: ColumnElement[bool] = columns.status.in_(bindparam(None, LIVE, expanding=True, literal_execute=True))
    return live


@dataclass(frozen=True, slots=True)
class JobOwner:
    """For whom a job works, and with which right it may go on when the call that made it is long over."""

    tenant: str
    key_id: str
    request_id: str
    grant: str | None

    def queued(self, now: datetime) -> dict[str, Any]:
        """Columns of a job that is queued for its owner, as a new one or again."""
        return {
            "status": "queued",
            "tenant": self.tenant,
            "request_id": self.request_id,
            "traceparent": traceparent(),
            "grant_token": self.grant,
            "grant_key_id": self.key_id,
            "queued_at": now,
        }
