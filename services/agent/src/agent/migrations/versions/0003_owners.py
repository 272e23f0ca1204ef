"""An agent belongs to the key that made it as it is now; those that there are, to no key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("agents", sa.Column("key_id", sa.String(length=64)))


def downgrade() -> None:
    op.drop_column("agents", "key_id")
