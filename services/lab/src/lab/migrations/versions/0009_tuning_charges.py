"""What tuning jobs have read to learn, until it is in the usage ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "tuning_charges",
        sa.Column("job_id", sa.String(40), primary_key=True),
        sa.Column("grant_token", sa.Text, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("tuning_charges")
