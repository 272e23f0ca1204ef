"""A run may begin with what another one has done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("runs", sa.Column("replayed_from", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "replayed_from")
