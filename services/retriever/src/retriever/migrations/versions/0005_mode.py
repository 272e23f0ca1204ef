"""How searches look that don't say so themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("collections", sa.Column("mode", sa.String(16), nullable=False, server_default="hybrid"))


def downgrade() -> None:
    op.drop_column("collections", "mode")
