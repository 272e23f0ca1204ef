"""Sweeps, and the evaluations that are theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
_LIVE = sa.text("status IN ('queued', 'running')")


def upgrade() -> None:
    text, number, time, json = sa.String, sa.Integer, sa.Double, sa.JSON
    for column in (sa.Column("trial_id", text(40)), sa.Column("combination", number), sa.Column("part", text(10))):
        op.add_column("evaluations", column)
    op.create_index("evaluations_of_a_trial", "evaluations", ["trial_id", "combination", "part"])
    op.create_table(
        "sweeps",
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
        sa.Column("collection", text(63), nullable=False),
        sa.Column("question_set", text(63), nullable=False),
        sa.Column("version", number, nullable=False),
        sa.Column("choose_split", text(63)),
        sa.Column("confirm_split", text(63)),
        sa.Column("choose_questions", number, nullable=False),
        sa.Column("confirm_questions", number, nullable=False),
        sa.Column("measure", text(40), nullable=False),
        sa.Column("answers", sa.Boolean, nullable=False),
        sa.Column("combinations", json, nullable=False),
        sa.Column("budget_nano_usd", sa.BigInteger),
        sa.Column("result", json, nullable=False),
        sa.Column("applied", json),
    )
    op.create_index("sweeps_live", "sweeps", ["tenant", "queued_at", "id"], sqlite_where=_LIVE, postgresql_where=_LIVE)
    op.create_index("sweeps_served", "sweeps", ["tenant", "claimed_at"])
    op.create_index("sweeps_finished", "sweeps", ["finished_at"])
    op.create_index("sweeps_of_a_tenant", "sweeps", ["tenant", "id"])


def downgrade() -> None:
    op.drop_table("sweeps")
    op.drop_index("evaluations_of_a_trial", "evaluations")
    for name in ("part", "combination", "trial_id"):
        op.drop_column("evaluations", name)
