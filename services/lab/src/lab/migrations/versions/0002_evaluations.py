"""Evaluations, and what was answered in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
_LIVE = sa.text("status IN ('queued', 'running')")


def upgrade() -> None:
    text, number, time, json = sa.String, sa.Integer, sa.Double, sa.JSON
    op.create_table(
        "evaluations",
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
        sa.Column("name", text(200), nullable=False),
        sa.Column("question_set", text(63), nullable=False),
        sa.Column("version", number, nullable=False),
        sa.Column("split", text(63)),
        sa.Column("target", json, nullable=False),
        sa.Column("budget_nano_usd", sa.BigInteger),
        sa.Column("questions", number, nullable=False),
        sa.Column("done", number, nullable=False, server_default="0"),
        sa.Column("failed", number, nullable=False, server_default="0"),
        sa.Column("figures", json, nullable=False),
        sa.Column("spent", json),
    )
    live = ["tenant", "queued_at", "id"]
    op.create_index("evaluations_live", "evaluations", live, sqlite_where=_LIVE, postgresql_where=_LIVE)
    op.create_index("evaluations_served", "evaluations", ["tenant", "claimed_at"])
    op.create_index("evaluations_finished", "evaluations", ["finished_at"])
    op.create_index("evaluations_of_a_tenant", "evaluations", ["tenant", "id"])
    op.create_table(
        "evaluation_answers",
        sa.Column("evaluation_id", text(40), sa.ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("question_id", text(200), nullable=False),
        sa.Column("labels", json, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("figures", json, nullable=False),
        sa.Column("error", json),
        sa.Column("answer_id", text(200)),
        sa.Column("report", json, nullable=False),
        sa.Column("tries", number, nullable=False),
    )


def downgrade() -> None:
    for table in ("evaluation_answers", "evaluations"):
        op.drop_table(table)
