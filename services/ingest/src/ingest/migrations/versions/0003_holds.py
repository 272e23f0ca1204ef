"""Holds of backups that are being read, and tenants that are being deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "holds", sa.Column("id", sa.String(40), primary_key=True), sa.Column("until", sa.Double, nullable=False)
    )
    op.create_table(
        "tenant_deletions",
        sa.Column("tenant", sa.String(63), primary_key=True),
        sa.Column("job_id", sa.String(40), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("tenant_deletions")
    op.drop_table("holds")
