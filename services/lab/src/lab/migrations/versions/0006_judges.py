"""Evaluations say which measures they take, and which model judges."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("evaluations", sa.Column("measures", sa.JSON))
    op.add_column("evaluations", sa.Column("judge", sa.JSON))


def downgrade() -> None:
    op.drop_column("evaluations", "judge")
    op.drop_column("evaluations", "measures")
