"""Runs that make questions from documents, and what they made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
_LIVE = sa.text("status IN ('queued', 'running')")
RUNS, MADE = "question_generations", "generated_questions"


def upgrade() -> None:
    text, number, time, json = sa.String, sa.Integer, sa.Double, sa.JSON
    op.create_table(
        RUNS,
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
        sa.Column("question_set", text(63), nullable=False),
        sa.Column("collection", text(63), nullable=False),
        sa.Column("wanted", json, nullable=False),
        sa.Column("limited", sa.Boolean, nullable=False),
        sa.Column("budget_nano_usd", sa.BigInteger),
        sa.Column("passages", number),
        sa.Column("done", number, nullable=False, server_default="0"),
        sa.Column("version", number),
        sa.Column("spent", json),
    )
    live = ["tenant", "queued_at", "id"]
    op.create_index(f"{RUNS}_live", RUNS, live, sqlite_where=_LIVE, postgresql_where=_LIVE)
    op.create_index(f"{RUNS}_served", RUNS, ["tenant", "claimed_at"])
    op.create_index(f"{RUNS}_finished", RUNS, ["finished_at"])
    op.create_index(f"{RUNS}_of_a_set", RUNS, ["tenant", "question_set", "id"])
    op.create_table(
        MADE,
        sa.Column("generation_id", text(40), sa.ForeignKey(f"{RUNS}.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("state", text(20), nullable=False),
        sa.Column("made_by", text(20), nullable=False),
        sa.Column("answerable", sa.Boolean, nullable=False),
        sa.Column("reason", text(40)),
        sa.Column("document_id", text(200), nullable=False),
        sa.Column("content", json, nullable=False),
    )
    op.create_index(f"{MADE}_by_document", MADE, ["document_id"])


def downgrade() -> None:
    for table in (MADE, RUNS):
        op.drop_table(table)
