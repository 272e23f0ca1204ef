"""Who decides that the documents of a collection hold no answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("collections", sa.Column("abstain", sa.String(10)))


def downgrade() -> None:
    op.drop_column("collections", "abstain")
