"""Since when a charge is owed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("tuning_charges", sa.Column("owed_at", sa.Double))
    op.execute("UPDATE tuning_charges SET owed_at = due_at")


def downgrade() -> None:
    op.drop_column("tuning_charges", "owed_at")
