"""A job remembers the trace of the call that started it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("traceparent", sa.String(length=64)))


def downgrade() -> None:
    op.drop_column("jobs", "traceparent")
