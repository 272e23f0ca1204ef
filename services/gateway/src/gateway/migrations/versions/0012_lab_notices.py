"""Deleted documents of which the lab does not know yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicekit.sql.database import UtcTime

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "lab_notices",
        sa.Column("tenant", sa.String(63), primary_key=True),
        sa.Column("collection", sa.String(63), primary_key=True),
        sa.Column("document_id", sa.String(200), primary_key=True),
        sa.Column("deleted_at", UtcTime, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("lab_notices_by_turn", "lab_notices", ["tries", "deleted_at"])


def downgrade() -> None:
    op.drop_table("lab_notices")
