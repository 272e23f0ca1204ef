"""Monitors, and what they read of records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicekit.sql.database import UtcTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "record_measures",
        sa.Column("record_id", sa.String(64), sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("sample", sa.Integer, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("answered_by", sa.String(200)),
        sa.Column("collections", sa.Text, nullable=False),
        sa.Column("grounded", sa.Boolean),
        sa.Column("abstained", sa.Boolean),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("fresh", sa.Boolean, nullable=False),
        sa.Column("ms", sa.Integer, nullable=False),
    )
    op.create_index("record_measures_by_tenant", "record_measures", ["tenant", "at"])
    op.create_table(
        "monitors",
        sa.Column("tenant", sa.String(63), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("own_calls", sa.Boolean, nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("falls", sa.JSON, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("monitors")
    op.drop_table("record_measures")
