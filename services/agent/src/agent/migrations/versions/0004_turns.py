"""When a run was last claimed: whose turn it is follows from it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("runs", sa.Column("claimed_at", sa.Double()))
    op.create_index("runs_served", "runs", ["tenant", "claimed_at"])


def downgrade() -> None:
    op.drop_index("runs_served", "runs")
    op.drop_column("runs", "claimed_at")
