"""What judges of monitors said of answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicekit.sql.database import UtcTime

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "monitor_verdicts",
        sa.Column("record_id", sa.String(64), sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("monitor", sa.String(63), primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("lease_until", UtcTime, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("error", sa.String(80)),
    )
    op.create_index("monitor_verdicts_by_monitor", "monitor_verdicts", ["tenant", "monitor", "at"])


def downgrade() -> None:
    op.drop_table("monitor_verdicts")
