"""A thread counts all messages that it was ever given, so that nobody replaces some unseen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("threads", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE threads SET revision = messages")


def downgrade() -> None:
    op.drop_column("threads", "revision")
