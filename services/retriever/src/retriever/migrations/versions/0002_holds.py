"""Holds of backups that are being read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "holds", sa.Column("id", sa.String(40), primary_key=True), sa.Column("until", sa.Double, nullable=False)
    )


def downgrade() -> None:
    op.drop_table("holds")
