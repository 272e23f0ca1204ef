"""Matrices of declarations beside them, by their digest. Those of rows that are there stay in them until they are
declared again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "matrices",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("matrices")
