"""Claims look at the runs of a tenant that are not over, and at no others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
LIVE = sa.text("status IN ('queued', 'running')")


def upgrade() -> None:
    op.create_index("runs_live", "runs", ["tenant", "queued_at", "id"], sqlite_where=LIVE, postgresql_where=LIVE)


def downgrade() -> None:
    op.drop_index("runs_live", "runs")
