"""Tuning jobs, what happened in them, and what they learnt."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
_LIVE = sa.text("status IN ('queued', 'running')")


def upgrade() -> None:
    text, number, time, json = sa.String, sa.Integer, sa.Double, sa.JSON
    op.create_table(
        "tuning_jobs",
        sa.Column("id", text(40), primary_key=True),
        sa.Column("tenant", text(63), nullable=False),
        sa.Column("status", text(20), nullable=False),
        sa.Column("failed_attempts", number, nullable=False, server_default="0"),
        sa.Column("waiting_on", text(40)),
        sa.Column("waiting_since", time),
        sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("error", json),
        sa.Column("last_event", number, nullable=False, server_default="0"),
        sa.Column("request_id", text(128), nullable=False),
        sa.Column("traceparent", text(64)),
        sa.Column("grant_token", sa.Text),
        sa.Column("grant_key_id", text(64), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("queued_at", time, nullable=False),
        *(sa.Column(name, time) for name in ("claimed_at", "started_at", "finished_at")),
        sa.Column("not_before", time),
        sa.Column("attempts", number, nullable=False, server_default="0"),
        sa.Column("fence", number, nullable=False, server_default="0"),
        sa.Column("lease_owner", text(100)),
        sa.Column("lease_expires_at", time),
        sa.Column("method", text(40), nullable=False),
        sa.Column("model", text(200), nullable=False),
        sa.Column("suffix", text(63)),
        sa.Column("training_set", text(63), nullable=False),
        sa.Column("training_version", number, nullable=False),
        sa.Column("validation_set", text(63)),
        sa.Column("validation_version", number),
        sa.Column("seed", number, nullable=False),
        *(sa.Column(name, json, nullable=False) for name in ("settings", "options", "labels")),
        sa.Column("limited", sa.Boolean, nullable=False),
        *(sa.Column(name, json) for name in ("card", "result")),
        *(sa.Column(name, number, nullable=False, server_default="0") for name in ("steps", "done")),
        sa.Column("trained_tokens", sa.BigInteger, nullable=False, server_default="0"),
    )
    live = ["tenant", "queued_at", "id"]
    op.create_index("tuning_jobs_live", "tuning_jobs", live, sqlite_where=_LIVE, postgresql_where=_LIVE)
    op.create_index("tuning_jobs_served", "tuning_jobs", ["tenant", "claimed_at"])
    op.create_index("tuning_jobs_finished", "tuning_jobs", ["finished_at"])
    op.create_index("tuning_jobs_of_a_tenant", "tuning_jobs", ["tenant", "id"])
    _create_parts()


def _create_parts() -> None:
    def job() -> sa.Column[str]:
        key = sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE")
        return sa.Column("job_id", sa.String(40), key, primary_key=True)

    op.create_table(
        "tuning_events",
        job(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("step", sa.Integer),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_table(
        "tuning_checkpoints",
        job(),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_table(
        "tuning_artifacts",
        job(),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
    )
    op.create_table(
        "tuning_artifact_pieces",
        job(),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("artifact_pieces", "artifacts", "checkpoints", "events", "jobs"):
        op.drop_table(f"tuning_{table}")
