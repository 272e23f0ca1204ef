"""Whether records of answers go with the documents that they quote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    column = sa.Column("delete_records", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("collections", column)


def downgrade() -> None:
    op.drop_column("collections", "delete_records")
