"""Why a collection has its embedding model, where nobody named it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("collections", sa.Column("model_reason", sa.Text))


def downgrade() -> None:
    op.drop_column("collections", "model_reason")
