"""A run that waits to be tried again knows since when, and when its time is over; one that has ended what documents say
of its answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    for name in ("paused_at", "deadline_at"):
        op.add_column("runs", sa.Column(name, sa.Double(), nullable=True))
    op.add_column("runs", sa.Column("answer", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "answer")
    for name in ("deadline_at", "paused_at"):
        op.drop_column("runs", name)
