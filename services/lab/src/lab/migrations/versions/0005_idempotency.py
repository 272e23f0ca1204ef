"""Answers to calls with an `Idempotency-Key`: a job that was started once is not started twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("route", sa.String(200), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_index("idempotency_by_age", "idempotency", ["created_at"])


def downgrade() -> None:
    op.drop_table("idempotency")
