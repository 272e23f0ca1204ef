"""A run may have a prompt for its instructions; an agent of a file knows what that held when it was applied."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("runs", sa.Column("prompt", sa.String(80), nullable=True))
    op.add_column("agents", sa.Column("file_digest", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("agents", "file_digest")
    op.drop_column("runs", "prompt")
