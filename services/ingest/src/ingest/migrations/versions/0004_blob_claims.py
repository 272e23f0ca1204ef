"""Claims on bytes in a store that several hosts share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "blob_claims",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("removes", sa.Boolean, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_index("blob_claims_by_key", "blob_claims", ["key"])
    turns = op.create_table("blob_turns", sa.Column("digits", sa.String(2), primary_key=True))
    op.bulk_insert(turns, [{"digits": f"{number:02x}"} for number in range(256)])


def downgrade() -> None:
    op.drop_table("blob_turns")
    op.drop_table("blob_claims")
