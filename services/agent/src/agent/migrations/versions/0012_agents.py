"""A run that waits to be tried again knows since when, and when its time is over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    for name in ("paused_at", "deadline_at"):
        op.add_column("runs", sa.Column(name, sa.Double(), nullable=True))


def downgrade() -> None:
    for name in ("deadline_at", "paused_at"):
        op.drop_column("runs", name)
