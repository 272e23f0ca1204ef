"""Choices between two answers by people who do not see what these are of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
ON_SQLITE, ON_POSTGRES = sa.text("blind = 1"), sa.text("blind")


def upgrade() -> None:
    op.add_column("feedback", sa.Column("tied_with", sa.String(200)))
    op.add_column("feedback", sa.Column("blind", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("feedback", sa.Column("other_model", sa.String(200)))
    op.create_index(
        "feedback_blind", "feedback", ["tenant", "id"], sqlite_where=ON_SQLITE, postgresql_where=ON_POSTGRES
    )


def downgrade() -> None:
    op.drop_index("feedback_blind", "feedback")
    for column in ("other_model", "blind", "tied_with"):
        op.drop_column("feedback", column)
