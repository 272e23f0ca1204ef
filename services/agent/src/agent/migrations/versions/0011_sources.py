"""A run knows for whom it is, and of each tool call which passages of documents it found or read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("runs", sa.Column("user", sa.String(512), nullable=True))
    op.add_column("tool_calls", sa.Column("sources", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("tool_calls", "sources")
    op.drop_column("runs", "user")
