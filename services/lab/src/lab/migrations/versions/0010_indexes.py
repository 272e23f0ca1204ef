"""Sweeps may try other chunks and embedding models, each in an index of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("sweeps", sa.Column("indexes", sa.JSON))


def downgrade() -> None:
    op.drop_column("sweeps", "indexes")
