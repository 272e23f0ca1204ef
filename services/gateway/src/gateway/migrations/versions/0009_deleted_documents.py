"""Documents that were deleted while answers that quote them may be on record, or come to be."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicekit.sql.database import UtcTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "deleted_documents",
        sa.Column("tenant", sa.String(63), primary_key=True),
        sa.Column("collection", sa.String(63), primary_key=True),
        sa.Column("document_id", sa.String(200), primary_key=True),
        sa.Column("deleted_at", UtcTime, nullable=False),
        sa.Column("with_records", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("deleted_documents")
