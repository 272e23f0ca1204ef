"""Which version gave the answers that people choose between."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("feedback", sa.Column("version", sa.String(200)))
    op.add_column("feedback", sa.Column("other_version", sa.String(200)))


def downgrade() -> None:
    op.drop_column("feedback", "other_version")
    op.drop_column("feedback", "version")
