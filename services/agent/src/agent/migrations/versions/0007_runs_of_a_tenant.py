"""All runs of a tenant are listed, newest first."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("runs_of_a_tenant", "runs", ["tenant", "id"])


def downgrade() -> None:
    op.drop_index("runs_of_a_tenant", "runs")
