"""Sessions of browsers, which stand for the key that began them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("key_hash", sa.String(64), nullable=False, index=True),
        sa.Column("once", sa.Boolean, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False, index=True),
    )


def downgrade() -> None:
    op.drop_table("sessions")
