"""Who decides that documents hold no answer, for the calls of a key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("keys", sa.Column("abstain", sa.String(10)))


def downgrade() -> None:
    op.drop_column("keys", "abstain")
