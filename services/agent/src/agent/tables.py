"""The agent service's ledger: agents, prompts, threads, runs, their events, tool calls and checkpoints.

A run's row counts its events (`last_event`), so that whoever adds one gets the next number from the row itself. A
tool call's row is written before the tool is called and again afterwards: that is how a run that is taken up again
knows what has happened.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

from contracts.agents.runs import FINAL_RUN_EVENTS, FINAL_RUN_STATUSES
from servicekit.jobs.events import EventLog, event_columns
from servicekit.jobs.leases import lease_columns
from servicekit.jobs.tables import JobTable
from servicekit.sql.database import UtcTime
from servicekit.web.idempotency import StoredAnswers, idempotency_table

metadata = MetaData()
LIVE = "status IN ('queued', 'running', 'waiting_approval')"
DUE = "status IN ('queued', 'running')"


def _named(table: str, *more: Column[Any]) -> Table:
    """What has versions: the active one, the one before it, and the highest number that was given."""
    return Table(
        table,
        metadata,
        Column("tenant", String(63), primary_key=True),
        Column("name", String(63), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("previous", Integer),
        Column("newest", Integer, nullable=False),
        Column("created_at", UtcTime, nullable=False),
        Column("deleted_at", UtcTime),
        Column("key_id", String(64)),
        *more,
    )


def _versions(table: str) -> Table:
    return Table(
        table,
        metadata,
        Column("tenant", String(63), primary_key=True),
        Column("name", String(63), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("definition", JSON, nullable=False),
        Column("digest", String(64), nullable=False),
        Column("created_at", UtcTime, nullable=False),
    )


AGENTS, VERSIONS = _named("agents", Column("file_digest", String(64))), _versions("agent_versions")
"""`file_digest`: of what an operator's file held when it was last applied."""
PROMPTS, PROMPT_VERSIONS = _named("prompts"), _versions("prompt_versions")

PROMPT_LABELS = Table(
    "prompt_labels",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("label", String(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("previous", Integer),
)

THREADS = Table(
    "threads",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("transient", Boolean, nullable=False, server_default=false()),
    Column("metadata", JSON, nullable=False),
    Column("messages", Integer, nullable=False, server_default="0"),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("summary", Text, nullable=False, server_default=""),
    Column("summarised", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("threads_of_a_tenant", "tenant", "id"),
    Index("threads_transient", "transient", "updated_at"),
)

MESSAGES = Table(
    "messages",
    metadata,
    Column("thread_id", String(40), ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("run_id", String(40), nullable=False),
    Column("message", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

RUNS = Table(
    "runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("thread_id", String(40), ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("agent", String(63), nullable=False),
    Column("agent_version", Integer, nullable=False),
    Column("prompt", String(80)),
    Column("status", String(20), nullable=False),
    Column("user", String(512)),
    Column("input", Text, nullable=False),
    Column("output", Text),
    Column("answer", JSON(none_as_null=True)),
    Column("limit_reached", String(20)),
    Column("steps", Integer, nullable=False, server_default="0"),
    Column("tool_calls", Integer, nullable=False, server_default="0"),
    Column("prompt_tokens", BigInteger, nullable=False, server_default="0"),
    Column("completion_tokens", BigInteger, nullable=False, server_default="0"),
    Column("model_calls", Integer, nullable=False, server_default="0"),
    Column("cost_nano_usd", BigInteger),
    Column("active_seconds", Float, nullable=False, server_default="0"),
    Column("paused_at", UtcTime),
    Column("deadline_at", UtcTime),
    Column("pending", JSON(none_as_null=True)),
    Column("decisions", JSON(none_as_null=True)),
    Column("cancel_requested", Boolean, nullable=False, server_default=false()),
    Column("error", JSON(none_as_null=True)),
    Column("replayed_from", JSON(none_as_null=True)),
    Column("last_event", Integer, nullable=False, server_default="0"),
    Column("strikes", Integer, nullable=False, server_default="0"),
    Column("waiting_on", String(40)),
    Column("waiting_since", UtcTime),
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
    Index("runs_due", "queued_at", "id", sqlite_where=text(DUE), postgresql_where=text(DUE)),
    Index("runs_live", "tenant", "queued_at", "id", sqlite_where=text(DUE), postgresql_where=text(DUE)),
    Index(
        "one_live_run_of_a_thread",
        "thread_id",
        unique=True,
        sqlite_where=text(LIVE),
        postgresql_where=text(LIVE),
    ),
    Index("runs_of_a_thread", "thread_id", "id"),
    Index("runs_of_a_tenant", "tenant", "id"),
    Index("runs_running", "tenant", "status"),
    Index("runs_served", "tenant", "claimed_at"),
    Index("runs_finished", "finished_at"),
)

EVENTS = Table("run_events", metadata, *event_columns("run_id", "runs"))
RUN_EVENTS = EventLog(EVENTS, RUNS, FINAL_RUN_STATUSES, FINAL_RUN_EVENTS)
RUN_JOBS = JobTable(RUNS, RUN_EVENTS, failed_attempts="strikes")

TOOL_CALLS = Table(
    "tool_calls",
    metadata,
    Column("run_id", String(40), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("call_id", String(200), nullable=False),
    Column("name", String(64), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("result", Text),
    Column("sources", JSON(none_as_null=True)),
    Column("failed", Boolean, nullable=False, server_default=false()),
    Column("tries", Integer, nullable=False, server_default="1"),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
)
"""`sources`: the passages of documents that a call found or read."""

CHECKPOINTS = Table(
    "checkpoints",
    metadata,
    Column("thread_id", String(200), primary_key=True),
    Column("ns", String(200), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("parent_id", String(64)),
    Column("kind", String(32), nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
    Column("metadata", JSON, nullable=False),
)

CHECKPOINT_WRITES = Table(
    "checkpoint_writes",
    metadata,
    Column("thread_id", String(200), primary_key=True),
    Column("ns", String(200), primary_key=True),
    Column("checkpoint_id", String(64), primary_key=True),
    Column("task_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("task_path", String(200), nullable=False),
    Column("channel", String(200), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("value", LargeBinary, nullable=False),
)

IDEMPOTENCY = idempotency_table(metadata)
ANSWERS = StoredAnswers(IDEMPOTENCY)
